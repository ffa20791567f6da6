//! The plan of a request: which workers may be called, in which order, and why; made before any call, without I/O.
//!
//! A pure function of what is known: equal inputs give equal plans. No worker is a candidate twice; one that stands in
//! several tiers is one of the first in which it is usable. Most requests need only the [`first`] candidate, which is found
//! without a look at all workers; the others are looked for when it could not answer.

pub(crate) mod first;
mod in_time;
mod reasons;
mod stand;

use crate::balance::{self, Usable};
use crate::{Ask, Balance, Reason, Refused, View, Why};
pub use first::First;
use in_time::InTime;
use orchestrator_core::Tier;
use orchestrator_resilience::Pass;
use reasons::Reasons;
use stand::Stand;
use std::time::Duration;

/// Which workers may be called for a request, and which not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they are called.
    pub candidates: Vec<Candidate>,
    /// The others, by tier; one that stands in several tiers is told for each.
    pub skipped: Vec<Skipped>,
    /// The worker that one request a second may probe when all are open: the one due soonest.
    pub probe: Option<Candidate>,
    /// Why there is no candidate.
    pub reject: Option<Reject>,
}

/// A worker that may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which worker; [`View::worker`].
    pub worker: usize,
    /// The tier for which it answers.
    pub tier: Tier,
    /// How it passes its breaker.
    pub pass: Pass,
    /// Why it is one.
    pub reason: Reason,
}

/// A worker that is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Which worker; [`View::worker`].
    pub worker: usize,
    /// The tier in which it was skipped.
    pub tier: Tier,
    /// Why.
    pub why: Why,
}

/// Why there is no candidate, and how long that lasts at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reject {
    /// What keeps the worker that is back first.
    pub refused: Refused,
    /// Until that worker may be called; zero where that may be at any time, or where there is none.
    pub after: Duration,
}

/// Makes the plan of a request from what is known of the workers of each tier, primary first; the request may ask for another
/// order. A tier names a worker once.
pub fn plan(tiers: [&[View]; 3], balance: Balance, ask: &Ask) -> Plan {
    let mut plan = Plan::default();
    if ask.deadline_left.is_zero() {
        plan.reject = Some(Reject::now(Refused::DeadlineTooShort));
        return plan;
    }
    let stands = Stand::of_all(tiers, ask);
    let mut in_time = ask.latency_budget.map(InTime::within);
    let mut usable = Vec::new();
    for stand in stands.iter().filter(|stand| !stand.views.is_empty()) {
        let lenient = stand::others_are_unusable(&stands, stand.tier);
        plan.sort_out(stand, lenient, &mut usable);
        balance::order(&mut usable, stand.views, balance, ask);
        plan.append(stand.tier, &usable, ask);
        if balance == Balance::ConsistentHash {
            plan.tell_of_session(stand, ask);
        }
        in_time.iter_mut().for_each(|in_time| in_time.next(&usable));
        usable.clear();
    }
    if let Some(in_time) = in_time {
        in_time.order(&mut plan.candidates);
    }
    if plan.candidates.is_empty() {
        plan.probe = plan.early_probe(&stands, ask);
        plan.reject = Some(Reject::of(&stands));
    }
    plan
}

// === impl Plan ===

impl Plan {
    /// Finds the usable workers of a tier, and notes why the others are skipped.
    fn sort_out<'a>(&mut self, stand: &Stand<'a>, lenient: bool, usable: &mut Vec<Usable<'a>>) {
        let taken = self.workers();
        let as_closed = if lenient { stand.treated_as_closed() } else { Vec::new() };
        usable.reserve(stand.views.len());
        for (place, view) in stand.views.iter().enumerate() {
            if taken.binary_search(&view.worker).is_ok() {
                continue;
            }
            match stand.why_skipped(view) {
                None => usable.push(Usable::new(place, view, Pass::Usual)),
                Some(_) if as_closed.binary_search(&place).is_ok() => {
                    usable.push(Usable::new(place, view, Pass::AsClosed))
                }
                Some(why) => self.skipped.push(Skipped {
                    worker: view.worker,
                    tier: stand.tier,
                    why,
                }),
            }
        }
    }

    /// The candidates so far, sorted.
    fn workers(&self) -> Vec<usize> {
        let mut workers: Vec<_> = self.candidates.iter().map(|candidate| candidate.worker).collect();
        workers.sort_unstable();
        workers
    }

    fn append(&mut self, tier: Tier, usable: &[Usable<'_>], ask: &Ask) {
        let reasons = Reasons::of(tier, self, ask);
        let candidates = usable.iter().map(|one| reasons.candidate(one.view, tier, one.pass));
        self.candidates.extend(candidates);
    }

    /// Says that the first worker of all is the one of the session, if it is.
    fn tell_of_session(&mut self, stand: &Stand<'_>, ask: &Ask) {
        let workers = stand.views.iter().map(|view| (view.key, view.weight));
        let own = ask.session.and_then(|session| balance::own(workers, session));
        let own = own.and_then(|place| stand.views.get(place)).map(|view| view.worker);
        if let [first, ..] = self.candidates.as_mut_slice()
            && (first.tier, Some(first.worker)) == (stand.tier, own)
        {
            first.stick();
        }
    }

    /// When every worker is open, but for those known to be down: the one due soonest, as its probe.
    fn early_probe(&self, stands: &[Stand<'_>], ask: &Ask) -> Option<Candidate> {
        let mut whys = self.skipped.iter().map(|skipped| skipped.why);
        if !whys.all(|why| matches!(why, Why::BreakerOpen | Why::Unhealthy)) {
            return None;
        }
        let open = stands.iter().flat_map(|stand| {
            let open = stand.views.iter().filter(|view| stand.only_the_breaker_hinders(view));
            open.map(|view| (stand.tier, view))
        });
        let (tier, view) = open.min_by_key(|(_, view)| view.due)?;
        Some(Candidate {
            worker: view.worker,
            tier,
            pass: Pass::EarlyProbe,
            reason: Reasons::of(tier, self, ask).probed,
        })
    }
}

// === impl Candidate ===

impl Candidate {
    /// The session has brought it in front, if nothing else has.
    fn stick(&mut self) {
        if self.reason.is_usual() {
            self.reason = Reason::Sticky;
        }
    }
}

// === impl Skipped ===

impl Skipped {
    /// The tier and the cause as one code.
    pub fn code(&self) -> &'static str {
        self.why.code(self.tier)
    }
}

// === impl Reject ===

impl Reject {
    fn now(refused: Refused) -> Self {
        Reject {
            refused,
            after: Duration::ZERO,
        }
    }

    /// What keeps the worker that is back first; one that is only full may be back at any time. Of no workers all are open.
    fn of(stands: &[Stand<'_>]) -> Self {
        let rejects = stands.iter().flat_map(|stand| {
            let whys = stand.views.iter().map(|view| (view, stand.why_skipped(view)));
            whys.filter_map(|(view, why)| {
                let refused = refused_for(why?)?;
                let after = view.away();
                Some(Reject { refused, after })
            })
        });
        rejects
            .min_by_key(|reject| (reject.after, reject.refused))
            .unwrap_or(Reject::now(Refused::AllBreakersOpen))
    }
}

/// What a request is told when this is why the last worker was skipped; nothing of those known to be down, since others
/// were not.
fn refused_for(why: Why) -> Option<Refused> {
    match why {
        Why::BreakerOpen => Some(Refused::AllBreakersOpen),
        Why::Unhealthy => None,
        Why::Resting => Some(Refused::AllResting),
        Why::RateLimited => Some(Refused::RateLimited),
        Why::OverCapacity => Some(Refused::OverCapacity),
    }
}

#[cfg(test)]
mod tests;
