//! What a plan is made from: what is known of each worker, and what the request asks. Plain values, taken once, so that a
//! plan can be told and made again.

use orchestrator_core::Tier;
use orchestrator_resilience::{Estimate, State};
use std::time::Duration;

/// What is known of one worker in one tier at the moment of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Which worker; its place in the caller's list.
    pub worker: usize,
    /// What stays the same of it on all nodes and in all configurations: [`orchestrator_core::stable::hash`] of its name.
    pub key: u64,
    /// Its weight in the route.
    pub weight: u32,
    /// Its breaker's state.
    pub state: State,
    /// Whether its breaker is open because of a rate, not because of failures in a row, silence or an operator.
    pub opened_by_rate: bool,
    /// Its failure rate, by which the least bad of those opened by rates are found.
    pub badness: f64,
    /// Until its breaker is half-open; zero where that is not open.
    pub due: Duration,
    /// How long it still rests after a 429.
    pub rest: Duration,
    /// Until our own limits of its calls and tokens a minute let this one through.
    pub rate_limited: Duration,
    /// Calls that it is answering.
    pub running: usize,
    /// Calls that it could take beside those: free slots; while it is half-open no more than free places for probes. The
    /// slots alone while its breaker is open, since the plan may pass it; none while an operator holds it open, since nothing
    /// passes then.
    pub free: usize,
    /// How much of its weight it is given after its breaker has closed, 0.1 to 1.
    pub warmth: f64,
    /// What its probes of health say; unknown is no reason to skip it.
    pub healthy: Option<bool>,
    /// Its estimated latency for requests of this kind, stream or whole answer; none without samples.
    pub latency: Option<Duration>,
    /// What it is at least where there are no samples, since calls were given up after so long.
    pub latency_at_least: Duration,
    /// What its latency was when it was last heard of; none where that is long ago.
    pub last_latency: Option<Duration>,
    /// Calls of this kind that it has got and that have not come to their first token, or their whole answer.
    pub unheard: usize,
}

/// What a plan needs to know of the request and of its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whether it is asked for a stream.
    pub is_stream: bool,
    /// What it is expected to cost.
    pub tokens: Estimate,
    /// The hash of the request's session.
    pub session: Option<u64>,
    /// Chance, from the request's id.
    pub seed: u64,
    /// How many plans the route has made before.
    pub turn: u64,
    /// What is left of the request's deadline.
    pub deadline_left: Duration,
    /// What is left of the time within which it would be answered, if it says so.
    pub latency_budget: Option<Duration>,
    /// The tier that goes before the others: primary, unless the request's complexity chooses another.
    pub first_tier: Tier,
    /// Whether the client itself has named the model, and the route names just that.
    pub names_model: bool,
    /// Calls that the route's soft limits still allow on each tier, for requests of this kind.
    pub soft_left: [usize; 3],
}

// === impl View ===

impl View {
    /// How long the worker stays away by itself: until breaker, rest and rate limit all let it be called.
    pub(crate) fn away(&self) -> Duration {
        self.due.max(self.rest).max(self.rate_limited)
    }

    /// What the worker is given of a tier's calls: its weight, as far as it is warm; never nothing.
    pub(crate) fn share(&self) -> f64 {
        f64::from(self.weight.max(1)) * self.warmth.clamp(0.01, 1.0)
    }
}

// === impl Ask ===

impl Ask {
    /// The smallest request for a stream, with no session, no deadline, no wishes and no soft limits.
    pub fn new(seed: u64, turn: u64) -> Self {
        Ask {
            is_stream: true,
            tokens: Estimate { prompt: 1, answer: 0 },
            session: None,
            seed,
            turn,
            deadline_left: Duration::MAX,
            latency_budget: None,
            first_tier: Tier::Primary,
            names_model: false,
            soft_left: [usize::MAX; 3],
        }
    }

    /// What belongs to the tiers, in the order in which the request goes over them.
    pub(crate) fn in_order<T>(&self, mut of_tiers: [T; 3]) -> [T; 3] {
        let before_first = match self.first_tier {
            Tier::Primary => 0,
            Tier::Secondary => 1,
            Tier::Backup => 2,
        };
        if let Some(up_to_first) = of_tiers.get_mut(..=before_first) {
            up_to_first.rotate_right(1);
        }
        of_tiers
    }

    /// Calls that the soft limits still allow on a tier.
    pub(crate) fn soft_left(&self, tier: Tier) -> usize {
        *of_tier(&self.soft_left, tier)
    }
}

/// What of these belongs to the tier.
pub(crate) fn of_tier<T>([primary, secondary, backup]: &[T; 3], tier: Tier) -> &T {
    match tier {
        Tier::Primary => primary,
        Tier::Secondary => secondary,
        Tier::Backup => backup,
    }
}

#[cfg(test)]
pub(crate) mod fixtures;
