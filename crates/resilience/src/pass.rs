//! How a call asks to be let through, and why it is not.

use crate::Estimate;
use std::time::Duration;
use tokio::time::Instant;

/// A call that asks to be let through.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// How it passes the breaker.
    pub pass: Pass,
    /// What it is expected to cost, where that is known.
    pub tokens: Estimate,
    /// When it comes.
    pub at: Instant,
}

/// How a call passes its worker's breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pass {
    /// As the breaker says.
    #[default]
    Usual,
    /// As if it were closed, if a rate has opened it.
    AsClosed,
    /// As a probe before an open breaker is due to be half-open, unless an operator has opened it.
    EarlyProbe,
}

/// Why a worker is not called, and for how long that stands as far as one can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its breaker is open for so long.
    Open(Duration),
    /// Its breaker is half-open, and all places for probes are taken.
    NoProbePlace,
    /// It asked for a rest, of which this is left.
    Resting(Duration),
    /// Our own limit of its calls or tokens a minute is reached, until then.
    RateLimited(Duration),
    /// All its slots are taken.
    Full,
}

// === impl Call ===

impl From<Pass> for Call {
    /// One that comes now; nobody knows what it will cost.
    fn from(pass: Pass) -> Self {
        Call {
            pass,
            tokens: Estimate::default(),
            at: Instant::now(),
        }
    }
}
