//! Why a plan is as it is: three closed lists of codes, for logs, metrics and answers.
//!
//! A [`Reason`] says why a worker may be called, a [`Why`] why another was skipped, a [`Refused`] why a request is. They
//! are types of their own, so that an overflow is never counted as a refusal.

use orchestrator_core::Tier;

/// Why a worker is a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A primary worker that is well.
    PrimaryNormal,
    /// A primary worker, whose breaker probes it.
    PrimaryHalfOpen,
    /// Another than a primary one, because none of those is usable and one is full.
    PrimaryOverCapacity,
    /// Another than a primary one, because the breakers of those are open.
    PrimaryBreakerOpen,
    /// Another than a primary one, because those are down.
    PrimaryUnhealthy,
    /// Another than a primary one, because those rest after a 429.
    PrimaryResting,
    /// A secondary worker that is well, behind usable primary ones or where there are none.
    SecondaryNormal,
    /// A secondary worker likewise, whose breaker probes it.
    SecondaryHalfOpen,
    /// A backup worker, because nothing before it is usable and something of it is full.
    BackupDueToLoad,
    /// A backup worker, for what else may befall those before it.
    BackupOutage,
}

/// Why a worker is skipped. The earlier ones outweigh the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// Its breaker is open.
    BreakerOpen,
    /// Its probes of health fail.
    Unhealthy,
    /// It rests after a 429.
    Resting,
    /// Our own limit of its calls a minute is reached.
    RateLimited,
    /// It has no free slot, or its tier no room.
    OverCapacity,
}

/// Why a request is refused, or has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refused {
    /// What could be used is full; a slot may come free at any time.
    OverCapacity,
    /// Every breaker is open.
    AllBreakersOpen,
    /// Every worker rests after a 429.
    AllResting,
    /// Nothing is left of the request's deadline.
    DeadlineTooShort,
    /// Our own limits of calls a minute are reached.
    RateLimited,
}

// === impl Reason ===

impl Reason {
    /// Every reason, in order.
    pub const ALL: [Reason; 10] = [
        Reason::PrimaryNormal,
        Reason::PrimaryHalfOpen,
        Reason::PrimaryOverCapacity,
        Reason::PrimaryBreakerOpen,
        Reason::PrimaryUnhealthy,
        Reason::PrimaryResting,
        Reason::SecondaryNormal,
        Reason::SecondaryHalfOpen,
        Reason::BackupDueToLoad,
        Reason::BackupOutage,
    ];

    /// The reason's code.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::PrimaryNormal => "primary_normal",
            Reason::PrimaryHalfOpen => "primary_half_open",
            Reason::PrimaryOverCapacity => "primary_over_capacity",
            Reason::PrimaryBreakerOpen => "primary_breaker_open",
            Reason::PrimaryUnhealthy => "primary_unhealthy",
            Reason::PrimaryResting => "primary_resting",
            Reason::SecondaryNormal => "secondary_normal",
            Reason::SecondaryHalfOpen => "secondary_half_open",
            Reason::BackupDueToLoad => "backup_due_to_load",
            Reason::BackupOutage => "backup_outage",
        }
    }

    /// Whether the worker is only called because those before it are full.
    pub fn is_overflow(self) -> bool {
        matches!(self, Reason::PrimaryOverCapacity | Reason::BackupDueToLoad)
    }
}

// === impl Why ===

impl Why {
    /// Every cause, in order.
    #[cfg(test)]
    pub(crate) const ALL: [Why; 5] = [
        Why::BreakerOpen,
        Why::Unhealthy,
        Why::Resting,
        Why::RateLimited,
        Why::OverCapacity,
    ];

    /// The code of a worker of `tier` that is skipped because of it.
    pub fn code(self, tier: Tier) -> &'static str {
        match (tier, self) {
            (Tier::Primary, Why::BreakerOpen) => "primary_breaker_open",
            (Tier::Primary, Why::Unhealthy) => "primary_unhealthy",
            (Tier::Primary, Why::Resting) => "primary_resting",
            (Tier::Primary, Why::RateLimited) => "primary_rate_limited",
            (Tier::Primary, Why::OverCapacity) => "primary_over_capacity",
            (Tier::Secondary, Why::BreakerOpen) => "secondary_breaker_open",
            (Tier::Secondary, Why::Unhealthy) => "secondary_unhealthy",
            (Tier::Secondary, Why::Resting) => "secondary_resting",
            (Tier::Secondary, Why::RateLimited) => "secondary_rate_limited",
            (Tier::Secondary, Why::OverCapacity) => "secondary_over_capacity",
            (Tier::Backup, Why::BreakerOpen) => "backup_breaker_open",
            (Tier::Backup, Why::Unhealthy) => "backup_unhealthy",
            (Tier::Backup, Why::Resting) => "backup_resting",
            (Tier::Backup, Why::RateLimited) => "backup_rate_limited",
            (Tier::Backup, Why::OverCapacity) => "backup_over_capacity",
        }
    }

    /// Whether the worker could be used if less were asked of it.
    pub(crate) fn is_load(self) -> bool {
        matches!(self, Why::OverCapacity | Why::RateLimited)
    }
}

// === impl Refused ===

impl Refused {
    /// Every cause, in order.
    #[cfg(test)]
    pub(crate) const ALL: [Refused; 5] = [
        Refused::OverCapacity,
        Refused::AllBreakersOpen,
        Refused::AllResting,
        Refused::DeadlineTooShort,
        Refused::RateLimited,
    ];

    /// Those for which a request is refused; while all that could be used is full it waits.
    pub(crate) const FINAL: [Refused; 4] = [
        Refused::AllBreakersOpen,
        Refused::AllResting,
        Refused::DeadlineTooShort,
        Refused::RateLimited,
    ];

    /// The cause's code.
    pub fn as_str(self) -> &'static str {
        match self {
            Refused::OverCapacity => "over_capacity",
            Refused::AllBreakersOpen => "all_breakers_open",
            Refused::AllResting => "all_resting",
            Refused::DeadlineTooShort => "deadline_too_short",
            Refused::RateLimited => "rate_limited",
        }
    }
}

#[cfg(test)]
mod tests;
