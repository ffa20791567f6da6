//! What stands in for the workers as operators see it: what was declared, when it did, and whether it could now.

use crate::breaker::{millis, written};
use orchestrator_core::Env;
use orchestrator_degradation::{self as degradation, Degradation, Step, Touched};
use orchestrator_routing::Routes;
use serde::Serialize;
use tokio::time::Instant;

/// Degradation.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    chain: Vec<&'static str>,
    rules: Vec<Rule>,
    /// The latest begun first.
    episodes: Vec<Episode>,
}

/// How a rule stands for a route.
#[derive(Debug, Serialize)]
struct Rule {
    name: String,
    route: String,
    mode: &'static str,
    holds: bool,
    /// RFC 3339; null while it does not hold.
    since: Option<String>,
    /// Of the requests that the rule counts.
    failure_rate: f64,
    /// Of the streams that the rule counts: those over `latency_p95_ms`; 0 where it sets none.
    slow_rate: f64,
}

/// A time in which requests of a route were answered by something else than its workers.
#[derive(Debug, Serialize)]
struct Episode {
    route: String,
    cause: String,
    began: String,
    /// Null while it lasts.
    ended: Option<String>,
    duration_ms: u64,
    requests: Requests,
}

/// Requests by what answered them.
#[derive(Debug, Serialize)]
struct Requests {
    all: u64,
    cache: u64,
    stale: u64,
    reduced: u64,
    message: u64,
    /// Nothing did: they failed.
    none: u64,
}

/// All requests since the start that their workers did not answer, and what is kept for the next.
#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    requests: Requests,
    cache: Kept,
}

#[derive(Debug, Serialize)]
struct Kept {
    entries: usize,
    bytes: usize,
}

/// What would answer a request now whose workers could not.
#[derive(Debug, Serialize)]
pub(crate) struct Tried {
    steps: Vec<Attempt>,
    /// The first step that answers every request; null when there is none: then it fails with a clear 503.
    answers: Option<&'static str>,
}

/// What a step could do.
#[derive(Debug, Serialize)]
struct Attempt {
    step: &'static str,
    /// `all` requests, `some` of them, or `none`.
    answers: &'static str,
    because: String,
}

// === impl Shown ===

impl Shown {
    pub(crate) fn of(degradation: &Degradation, env: &Env, now: Instant) -> Self {
        let wall = env.unix_time();
        // Our clocks do not tell the time of day: it is reckoned back from now.
        let told = |at: Instant| written(wall.saturating_sub(now.saturating_duration_since(at)));
        let rule = |standing: degradation::Standing| Rule {
            name: standing.rule.name,
            route: standing.route.to_string(),
            mode: standing.rule.mode.as_str(),
            holds: standing.since.is_some(),
            since: standing.since.map(told),
            failure_rate: standing.failure_rate,
            slow_rate: standing.slow_rate,
        };
        let episode = |episode: degradation::Episode| Episode {
            route: episode.route.to_string(),
            cause: episode.cause.to_string(),
            began: told(episode.began),
            ended: episode.ended.map(told),
            duration_ms: millis(episode.ended.unwrap_or(now).saturating_duration_since(episode.began)),
            requests: episode.touched.into(),
        };
        Shown {
            chain: degradation.config().chain.iter().map(|step| step.as_str()).collect(),
            rules: degradation.standings(now).into_iter().map(rule).collect(),
            episodes: degradation.episodes(now).into_iter().map(episode).collect(),
        }
    }
}

// === impl Stats ===

impl Stats {
    pub(crate) fn of(degradation: &Degradation) -> Self {
        let (entries, bytes) = degradation.kept();
        Stats {
            requests: degradation.total().into(),
            cache: Kept { entries, bytes },
        }
    }
}

// === impl Requests ===

impl From<Touched> for Requests {
    fn from(touched: Touched) -> Self {
        Requests {
            all: touched.all(),
            cache: touched.cache,
            stale: touched.stale,
            reduced: touched.reduced,
            message: touched.message,
            none: touched.none,
        }
    }
}

// === impl Tried ===

impl Tried {
    /// Nobody is called, and nothing is counted.
    pub(crate) fn of(degradation: &Degradation, routes: &Routes, now: Instant) -> Self {
        let chain = degradation.config().chain.iter();
        let steps: Vec<Attempt> = chain.map(|step| Attempt::of(*step, degradation, routes, now)).collect();
        let answers = steps.iter().find(|step| step.answers == "all").map(|step| step.step);
        Tried { steps, answers }
    }
}

// === impl Attempt ===

impl Attempt {
    fn of(step: Step, degradation: &Degradation, routes: &Routes, now: Instant) -> Self {
        let (answers, because) = match step {
            Step::Cache => match degradation.kept() {
                (0, _) => ("none", "no answer is kept".to_owned()),
                (kept, _) => ("some", format!("the answers to {kept} requests are kept")),
            },
            Step::Reduced => match routes.named(step.as_str()).is_some_and(|route| route.is_usable(now)) {
                true => ("all", "a worker of the reduced mode takes calls".to_owned()),
                false => ("none", "no worker of the reduced mode takes calls".to_owned()),
            },
            Step::Message => ("all", "the message is always the same".to_owned()),
        };
        Attempt {
            step: step.as_str(),
            answers,
            because,
        }
    }
}

#[cfg(test)]
mod tests;
