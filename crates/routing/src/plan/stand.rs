//! One tier as a plan sees it: which of its workers are usable, and why the others are not.

use crate::{Ask, View, Why};
use orchestrator_core::Tier;
use orchestrator_resilience::State;

/// The workers of one tier.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand<'a> {
    pub(super) tier: Tier,
    pub(super) views: &'a [View],
    /// Whether the route's soft limit allows another call on the tier.
    has_room: bool,
    /// Whether those known to be down are skipped: not when that is said of all, which speaks against who says it.
    minds_health: bool,
}

// === impl Stand ===

impl<'a> Stand<'a> {
    /// The tiers of a route, in the order of the request.
    pub(super) fn of_all(tiers: [&'a [View]; 3], ask: &Ask) -> [Stand<'a>; 3] {
        let [primary, secondary, backup] = tiers;
        let minds_health = tiers.iter().copied().flatten().any(|view| !is_down(view));
        ask.in_order([
            Stand::new(Tier::Primary, primary, ask, minds_health),
            Stand::new(Tier::Secondary, secondary, ask, minds_health),
            Stand::new(Tier::Backup, backup, ask, minds_health),
        ])
    }

    /// One tier of a route.
    pub(super) fn new(tier: Tier, views: &'a [View], ask: &Ask, minds_health: bool) -> Self {
        Stand {
            tier,
            views,
            has_room: ask.soft_left(tier) > 0,
            minds_health,
        }
    }

    /// Why a worker is skipped; none for a usable one.
    pub(super) fn why_skipped(&self, view: &View) -> Option<Why> {
        if view.state == State::Open {
            Some(Why::BreakerOpen)
        } else {
            self.hindrance_but_the_breaker(view)
        }
    }

    /// Whether the worker would be usable, were its breaker not open.
    pub(super) fn only_the_breaker_hinders(&self, view: &View) -> bool {
        view.state == State::Open && self.hindrance_but_the_breaker(view).is_none()
    }

    /// The places of the workers that are treated as closed although rates have opened them: of those that rates have
    /// opened at most half of the tier is skipped, the least bad of the rest are not.
    pub(super) fn treated_as_closed(&self) -> Vec<usize> {
        let opened = self
            .views
            .iter()
            .enumerate()
            .filter(|(_, view)| is_opened_by_rate(view));
        let may_be_skipped = self.views.len() / 2;
        let rest = opened.clone().count().saturating_sub(may_be_skipped);
        if rest == 0 {
            return Vec::new();
        }
        let mut least_bad: Vec<_> = opened.filter(|(_, view)| self.only_the_breaker_hinders(view)).collect();
        least_bad.sort_by(|(_, one), (_, other)| {
            one.badness
                .total_cmp(&other.badness)
                .then_with(|| one.due.cmp(&other.due))
        });
        let mut places: Vec<_> = least_bad.into_iter().map(|(place, _)| place).take(rest).collect();
        places.sort_unstable();
        places
    }

    fn has_usable(&self) -> bool {
        self.views.iter().any(|view| self.why_skipped(view).is_none())
    }

    fn hindrance_but_the_breaker(&self, view: &View) -> Option<Why> {
        if self.minds_health && is_down(view) {
            Some(Why::Unhealthy)
        } else if !view.rest.is_zero() {
            Some(Why::Resting)
        } else if !view.rate_limited.is_zero() {
            Some(Why::RateLimited)
        } else if !self.has_room || view.free == 0 {
            Some(Why::OverCapacity)
        } else {
            None
        }
    }
}

/// Whether no other tier has a usable worker, so that this one may be lenient with those that rates have opened.
pub(super) fn others_are_unusable(stands: &[Stand<'_>], tier: Tier) -> bool {
    !stands.iter().any(|stand| stand.tier != tier && stand.has_usable())
}

/// Whether probes say so; unknown is no no.
fn is_down(view: &View) -> bool {
    view.healthy == Some(false)
}

fn is_opened_by_rate(view: &View) -> bool {
    view.state == State::Open && view.opened_by_rate
}
