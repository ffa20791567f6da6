//! The parts of the comparison. Each starts its servers anew, so that none inherits another's memory.

mod duplicates;
mod fanout;
mod first_token;
mod latency;
mod open;
mod overload;
mod requests;
mod soak;
mod training;

use crate::servers::Bench;
use clap::ValueEnum;
use std::io;

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Processor time of JSON requests and streams, one thread beside one worker of nginx.
    Requests,
    /// The same, on all cores.
    Cores,
    /// How long an answer takes that nothing else runs beside.
    Latency,
    /// Added time to the first token at a rate.
    FirstToken,
    /// A WebSocket token to many listeners, beside a bare loop of writes.
    Fanout,
    /// Equal requests at once.
    Duplicates,
    /// Memory and processor time of many slow streams and of idle WebSockets.
    Open,
    /// More requests than the model can answer.
    Overload,
    /// Memory over many requests; by its name only.
    Soak,
    /// All that is often asked, for a build that counts what it runs; by its name only.
    Training,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Rounds that count; servers take turns in each.
    pub(crate) rounds: usize,
    /// Hundredths of the usual number of requests or seconds.
    pub(crate) percent: usize,
    /// Whether only what the goals name first is measured.
    pub(crate) short: bool,
}

// === impl Part ===

impl Part {
    /// What a run without a choice measures.
    pub(crate) fn usual(short: bool) -> &'static [Part] {
        use Part::*;
        match short {
            true => &[Requests, FirstToken, Fanout],
            false => &[Requests, Cores, Latency, FirstToken, Fanout, Duplicates, Open, Overload],
        }
    }

    pub(crate) async fn measure(self, bench: &Bench, effort: Effort) -> io::Result<()> {
        match self {
            Part::Requests => requests::one_thread(bench, effort).await,
            Part::Cores => requests::all_cores(bench, effort).await,
            Part::Latency => latency::measure(bench, effort).await,
            Part::FirstToken => first_token::measure(bench, effort).await,
            Part::Fanout => fanout::measure(bench, effort).await,
            Part::Duplicates => duplicates::measure(bench, effort).await,
            Part::Open => open::measure(bench).await,
            Part::Overload => overload::measure(bench, effort).await,
            Part::Soak => soak::measure(bench, effort).await,
            Part::Training => training::ask(bench, effort).await,
        }
    }
}

// === impl Effort ===

impl Effort {
    /// So many hundredths of what is usual.
    pub(crate) fn of(self, usual: usize) -> usize {
        usual * self.percent / 100
    }
}
