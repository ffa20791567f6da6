//! What a breaker is and why: words that logs, metrics, plans and operators share.

/// What a breaker lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Everything.
    Closed,
    /// A few probes.
    HalfOpen,
    /// Nothing.
    Open,
}

/// Why a breaker changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// To open: so many failures one after the other.
    FailuresInRow,
    /// To open: too many failures among the last calls.
    FailureRate,
    /// To open: too many 429s among the last calls.
    RateLimitRate,
    /// To open: too many slow calls among the last.
    Latency,
    /// To open: so many calls one after the other that heard nothing, whoever ended them.
    Silent,
    /// To open: an operator's wish.
    Forced,
    /// To open again: a probe failed.
    ProbeFailed,
    /// To half-open: it was open for as long as it should.
    Elapsed,
    /// To half-open: a probe before that was served.
    EarlyProbe,
    /// To closed: enough probes were served.
    ProbesServed,
    /// To closed: an operator's wish.
    Reset,
}

// === impl State ===

impl State {
    /// The state's name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::HalfOpen => "half_open",
            State::Open => "open",
        }
    }

    /// The state in the metric `orchestrator_breaker_state`.
    pub(crate) fn as_gauge(self) -> i64 {
        match self {
            State::Closed => 0,
            State::HalfOpen => 1,
            State::Open => 2,
        }
    }
}

// === impl Cause ===

impl Cause {
    /// All causes.
    pub(crate) const ALL: [Cause; 11] = [
        Cause::FailuresInRow,
        Cause::FailureRate,
        Cause::RateLimitRate,
        Cause::Latency,
        Cause::Silent,
        Cause::Forced,
        Cause::ProbeFailed,
        Cause::Elapsed,
        Cause::EarlyProbe,
        Cause::ProbesServed,
        Cause::Reset,
    ];

    /// The cause's name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::FailuresInRow => "failures_in_row",
            Cause::FailureRate => "failure_rate",
            Cause::RateLimitRate => "rate_limit_rate",
            Cause::Latency => "latency",
            Cause::Silent => "silent",
            Cause::Forced => "forced",
            Cause::ProbeFailed => "probe_failed",
            Cause::Elapsed => "elapsed",
            Cause::EarlyProbe => "early_probe",
            Cause::ProbesServed => "probes_served",
            Cause::Reset => "reset",
        }
    }

    /// Whether a worker whose breaker opened for this still serves some calls, so that a plan that has nobody better may
    /// treat it as closed.
    pub fn by_rate(self) -> bool {
        matches!(self, Cause::FailureRate | Cause::RateLimitRate | Cause::Latency)
    }

    /// The state that it leads to.
    pub(crate) fn leads_to(self) -> State {
        match self {
            Cause::Elapsed | Cause::EarlyProbe => State::HalfOpen,
            Cause::ProbesServed | Cause::Reset => State::Closed,
            _ => State::Open,
        }
    }
}

#[cfg(test)]
mod tests;
