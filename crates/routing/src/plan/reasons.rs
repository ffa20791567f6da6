//! Why the workers of a tier are called: by what the request asks, and by what befell the tiers before it.

use super::Plan;
use crate::{Ask, Candidate, Reason, View, Why};
use orchestrator_core::Tier;
use orchestrator_resilience::{Pass, State};

/// The reasons of a tier's candidates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reasons {
    /// Of those that are well.
    pub(super) well: Reason,
    /// Of those that their breakers probe.
    pub(super) probed: Reason,
}

// === impl Reasons ===

impl Reasons {
    /// The reasons of `tier`, once the tiers before it stand in the plan, and none of its own candidates.
    pub(super) fn of(tier: Tier, plan: &Plan, ask: &Ask) -> Self {
        match tier {
            Tier::Secondary | Tier::Backup if tier == ask.first_tier => Reasons::both(Reason::Complexity),
            Tier::Primary if ask.names_model && plan.candidates.is_empty() => Reasons {
                well: Reason::ExplicitModel,
                probed: Reason::PrimaryHalfOpen,
            },
            Tier::Primary => Reasons {
                well: Reason::PrimaryNormal,
                probed: Reason::PrimaryHalfOpen,
            },
            Tier::Secondary => match why_no_primary(plan) {
                None => Reasons {
                    well: Reason::SecondaryNormal,
                    probed: Reason::SecondaryHalfOpen,
                },
                Some(reason) => Reasons::both(reason),
            },
            Tier::Backup if is_overloaded_before_backup(plan) => Reasons::both(Reason::BackupDueToLoad),
            Tier::Backup => Reasons::both(Reason::BackupOutage),
        }
    }

    /// The candidate that stands for this worker.
    pub(super) fn candidate(&self, view: &View, tier: Tier, pass: Pass) -> Candidate {
        let is_probed = view.state == State::HalfOpen;
        Candidate {
            worker: view.worker,
            tier,
            pass,
            reason: if is_probed { self.probed } else { self.well },
        }
    }

    fn both(reason: Reason) -> Self {
        Reasons {
            well: reason,
            probed: reason,
        }
    }
}

/// Why no primary worker is usable: load if one of them is full, else what befell the first. None where one is usable, or
/// where there are none.
fn why_no_primary(plan: &Plan) -> Option<Reason> {
    if !plan.candidates.is_empty() {
        return None;
    }
    let mut whys = whys_before(plan, Tier::Secondary);
    let first = whys.next()?;
    if first.is_load() || whys.any(Why::is_load) {
        return Some(Reason::PrimaryOverCapacity);
    }
    match first {
        Why::BreakerOpen => Some(Reason::PrimaryBreakerOpen),
        Why::Unhealthy => Some(Reason::PrimaryUnhealthy),
        Why::Resting => Some(Reason::PrimaryResting),
        Why::RateLimited | Why::OverCapacity => Some(Reason::PrimaryOverCapacity),
    }
}

/// Whether nothing before the backup is usable, and something of it is full.
fn is_overloaded_before_backup(plan: &Plan) -> bool {
    plan.candidates.is_empty() && whys_before(plan, Tier::Backup).any(Why::is_load)
}

fn whys_before(plan: &Plan, tier: Tier) -> impl Iterator<Item = Why> {
    let before = plan.skipped.iter().filter(move |skipped| skipped.tier < tier);
    before.map(|skipped| skipped.why)
}
