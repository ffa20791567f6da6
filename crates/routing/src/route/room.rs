//! The room that a route's workers have for calls: what of it is free, and how much there is.
//!
//! No slot is counted twice: neither one of a pool that several workers share, nor one of a worker that stands in several
//! tiers. What depends on who takes which is counted low, since whoever is let on for a slot that there is not waits at the
//! worker.

use super::{Route, Seat};
use crate::{Member, load::Load};
use orchestrator_resilience::{Cause, Guard, Slots, State, View};
use std::{iter::zip, time::Duration};
use tokio::time::Instant;

/// Whether the gate may count on a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Now, or after a rest that is waited for.
    Usable,
    /// Opened by a rate, or unhealthy: the plan may call it if there is no better one.
    Spared,
    Away,
}

/// What is counted: of a worker's slots, of a worker that was looked at, which is never more than that, of a pool, and of a
/// tier for requests of a kind.
struct Measure {
    of_slots: fn(&Guard) -> usize,
    of_worker: fn(&Member, &View) -> usize,
    of_pool: fn(&Slots) -> usize,
    of_tier: fn(&Load, bool) -> usize,
}

const FREE: Measure = Measure {
    of_slots: |guard| guard.slots().free(),
    of_worker: |member, seen| match seen.rest.is_zero() {
        true => member.free(seen),
        false => 0,
    },
    of_pool: Slots::free,
    of_tier: Load::left,
};

const ALL: Measure = Measure {
    of_slots: |guard| guard.slots().max(),
    of_worker: |member, seen| seen.running.saturating_add(member.free(seen)),
    of_pool: Slots::max,
    of_tier: Load::most,
};

// === impl Route ===

impl Route {
    /// Calls that its workers could begin now, as far as `enough`. None where no worker is usable, nor will be after a rest
    /// that is waited for: who waits for one waits in vain.
    pub(crate) fn free(&self, is_stream: bool, enough: usize, now: Instant) -> Option<usize> {
        self.count(&FREE, (is_stream, enough), now)
    }

    /// Calls of a kind that its usable workers take at once.
    pub(crate) fn slots(&self, is_stream: bool, now: Instant) -> usize {
        self.count(&ALL, (is_stream, usize::MAX), now).unwrap_or(0)
    }

    fn count(&self, measure: &Measure, wanted: (bool, usize), now: Instant) -> Option<usize> {
        let usable = self.count_those(Standing::Usable, measure, wanted, now);
        usable.or_else(|| self.count_those(Standing::Spared, measure, wanted, now))
    }

    fn count_those(
        &self,
        standing: Standing,
        measure: &Measure,
        (is_stream, enough): (bool, usize),
        now: Instant,
    ) -> Option<usize> {
        let tiers = self.calls.each_ref().map(|calls| (measure.of_tier)(calls, is_stream));
        let mut pools: Vec<usize> = self.pools.iter().map(measure.of_pool).collect();
        let mut sum = None;
        for (seats, mut tier) in zip(&self.tiers, tiers) {
            for seat in seats {
                let mut none = usize::MAX;
                let pool = seat.pool.and_then(|pool| pools.get_mut(pool)).unwrap_or(&mut none);
                let most = match seat.was_counted(tiers) {
                    true => 0,
                    false => (measure.of_slots)(seat.member.guard()).min(*pool).min(tier),
                };
                // Beside a worker that is known to be one, another without room changes nothing.
                if most == 0 && sum.is_some() {
                    continue;
                }
                let seen = seat.member.guard().view(now);
                if Standing::of(&seen, seat.member.healthy(now), self.longest_rest()) != standing {
                    continue;
                }
                let counted = (measure.of_worker)(&seat.member, &seen).min(most);
                (*pool, tier) = (pool.saturating_sub(counted), tier.saturating_sub(counted));
                let sum = sum.insert(sum.unwrap_or(0_usize).saturating_add(counted));
                if *sum >= enough {
                    return Some(enough);
                }
            }
        }
        sum
    }
}

// === impl Seat ===

impl Seat {
    /// Finds for each seat the pool of its worker, and in which tiers before its own the worker stands too.
    pub(super) fn relate(tiers: &mut [Vec<Seat>; 3]) -> Vec<Slots> {
        let (mut pools, mut before) = (Vec::<Slots>::new(), Vec::<Vec<usize>>::new());
        for seats in tiers {
            for seat in seats.iter_mut() {
                seat.pool = seat.member.pool().map(|pool| place(&mut pools, pool));
                for (stands, tier) in zip(&mut seat.before, &before) {
                    *stands = tier.contains(&seat.index);
                }
            }
            before.push(seats.iter().map(|seat| seat.index).collect());
        }
        pools
    }

    /// Whether its worker was counted for a tier before, one of those that have room.
    fn was_counted(&self, tiers: [usize; 3]) -> bool {
        zip(self.before, tiers).any(|(stands, room)| stands && room > 0)
    }
}

/// Where a pool stands in the list, at the end of it if it did not.
fn place(pools: &mut Vec<Slots>, pool: &Slots) -> usize {
    let known = pools.iter().position(|known| known.is_same(pool));
    known.unwrap_or_else(|| {
        pools.push(pool.clone());
        pools.len().saturating_sub(1)
    })
}

// === impl Standing ===

impl Standing {
    fn of(seen: &View, healthy: Option<bool>, longest_rest: Duration) -> Self {
        match seen.state {
            _ if seen.rest.max(seen.rate_limited) > longest_rest => Standing::Away,
            State::Open if seen.cause.is_some_and(Cause::by_rate) => Standing::Spared,
            State::Open => Standing::Away,
            State::Closed | State::HalfOpen if healthy == Some(false) => Standing::Spared,
            State::Closed | State::HalfOpen => Standing::Usable,
        }
    }
}
