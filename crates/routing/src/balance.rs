//! How a tier's usable workers are put in order: the one to call first, and behind it those to fall back on.
//!
//! Each way is a pure function of the workers and of the request's chance or turn, so that a plan can be told before it is
//! carried out. Each sorts by a cost that is found once for each worker.

use crate::{Ask, Balance, View};
use orchestrator_resilience::Pass;

/// A worker that may be called, and what speaks against calling it before the others of its tier.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usable<'a> {
    pub(crate) view: &'a View,
    pub(crate) pass: Pass,
    cost: f64,
}

/// The cost, in seconds, of a worker that is to come behind all others.
const BEHIND_ALL: f64 = 1e9;

/// The least latency that counts, in seconds, so that running calls weigh even where everything is forgotten.
const LEAST_LATENCY: f64 = 1e-6;

/// 2^64 divided by the golden ratio: its multiples are spread more evenly over a circle than those of any other number.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

// === impl Usable ===

impl<'a> Usable<'a> {
    pub(crate) fn new(view: &'a View, pass: Pass) -> Self {
        Usable { view, pass, cost: 0.0 }
    }

    /// Whether it has got its first call, but nothing is known of it yet.
    fn is_on_trial(&self) -> bool {
        self.view.latency.is_none() && self.view.unheard > 0
    }
}

/// Puts the usable workers of a tier in the order in which they are called.
pub(crate) fn order(usable: &mut [Usable<'_>], balance: Balance, ask: &Ask) {
    if usable.len() < 2 {
        return;
    }
    match balance {
        Balance::RoundRobin => take_turns_by_share(usable, ask.turn),
        Balance::Weighted => draw_by_weight(usable, ask.turn),
        Balance::LeastConnections => fewest_running_first(usable, ask.turn),
        Balance::P2cEwma => better_of_two_first(usable, ask.seed),
        Balance::ConsistentHash => rank_by_hash(usable, ask.session.unwrap_or(ask.seed)),
    }
}

/// One after the other, each followed by its next.
fn take_turns(usable: &mut [Usable<'_>], turn: u64) {
    let len = usable.len() as u64;
    let first = turn.checked_rem(len).unwrap_or(0);
    usable.rotate_left(usize::try_from(first).unwrap_or(0));
}

/// One after the other, each followed by its next; where their shares differ each comes first as often as its share says.
fn take_turns_by_share(usable: &mut [Usable<'_>], turn: u64) {
    let mut shares = usable.iter().map(|one| one.view.share());
    let first = shares.next();
    match shares.all(|share| Some(share) == first) {
        true => take_turns(usable, turn),
        false => usable.rotate_left(drawn_by_turn(usable, turn)),
    }
}

/// The first by the turn's point on a line of all shares, so that a run of turns comes close to the shares; behind it a
/// draw by weight, so that what a failed worker leaves is shared likewise.
fn draw_by_weight(usable: &mut [Usable<'_>], turn: u64) {
    let first = drawn_by_turn(usable, turn);
    rank_by_hash_costs(usable, mix(turn));
    if let Some(first) = usable.get_mut(first) {
        first.cost = -1.0;
    }
    cheapest_first(usable);
}

/// The place of the one at the turn's point on a line of all shares.
fn drawn_by_turn(usable: &[Usable<'_>], turn: u64) -> usize {
    let all: f64 = usable.iter().map(|one| one.view.share()).sum();
    let mut left = unit(turn.wrapping_mul(GOLDEN)) * all;
    let first = usable.iter().position(|one| {
        left -= one.view.share();
        left <= 0.0
    });
    first.unwrap_or(0)
}

/// By the calls that each would run for its share; of equals each in its turn.
fn fewest_running_first(usable: &mut [Usable<'_>], turn: u64) {
    take_turns(usable, turn);
    for one in usable.iter_mut() {
        one.cost = calls_with_this(one.view) / one.view.share();
    }
    cheapest_first(usable);
}

/// Power of two choices (Mitzenmacher): two drawn by chance, the cheaper one first; behind it the others by cost. Those on
/// trial are drawn only where there is no other.
fn better_of_two_first(usable: &mut [Usable<'_>], seed: u64) {
    // Of equals none shall win by standing in front.
    take_turns(usable, mix(seed));
    let median = median_latency(usable);
    for one in usable.iter_mut() {
        one.cost = expected_wait(one, median);
    }
    cheapest_first(usable);
    let known = usable.iter().filter(|one| !one.is_on_trial()).count();
    let drawn_from = if known == 0 { usable.len() } else { known };
    let winner = lower_of_two(drawn_from, seed);
    if let Some(up_to_winner) = usable.get_mut(..=winner) {
        up_to_winner.rotate_right(1);
    }
}

/// Rendezvous hashing (Thaler, Ravishankar), weighted (Schindelhauer, Schomaker): a worker that comes or goes moves no
/// other key than those it takes or leaves.
fn rank_by_hash(usable: &mut [Usable<'_>], key: u64) {
    rank_by_hash_costs(usable, key);
    cheapest_first(usable);
}

/// A race that each wins with the probability of its share: exponential times, by hash.
fn rank_by_hash_costs(usable: &mut [Usable<'_>], key: u64) {
    for one in usable {
        one.cost = hash_cost(one.view, key);
    }
}

fn hash_cost(view: &View, key: u64) -> f64 {
    -unit(mix(mix(view.key) ^ key)).ln() / view.share()
}

/// The worker that the calls of a session go to before all others of a tier, were they all usable.
pub(crate) fn own(tier: &[View], session: u64) -> Option<usize> {
    let costs = tier.iter().map(|view| (hash_cost(view, session), view.worker));
    let least = costs.min_by(|(one, _), (other, _)| one.total_cmp(other));
    least.map(|(_, worker)| worker)
}

/// How long a call at the worker is expected to take, by its latency and its running calls.
fn expected_wait(one: &Usable<'_>, median: f64) -> f64 {
    let assumed = || median.max(one.view.latency_at_least.as_secs_f64());
    let latency = one.view.latency.map_or_else(assumed, |known| known.as_secs_f64());
    let wait = latency.max(LEAST_LATENCY) * calls_with_this(one.view) / one.view.share();
    if one.is_on_trial() { wait + BEHIND_ALL } else { wait }
}

/// The latency, in seconds, that workers without samples are assumed to have at least: the median of the others.
fn median_latency(usable: &[Usable<'_>]) -> f64 {
    let known = usable.iter().filter_map(|one| one.view.latency);
    if known.clone().count() == usable.len() {
        return LEAST_LATENCY; // Nobody needs it.
    }
    let mut known: Vec<_> = known.collect();
    let middle = known.len() / 2;
    if middle >= known.len() {
        return LEAST_LATENCY;
    }
    known.select_nth_unstable(middle).1.as_secs_f64()
}

fn calls_with_this(view: &View) -> f64 {
    view.running as f64 + 1.0
}

/// Of two different places below `len`, drawn by chance, the lower.
fn lower_of_two(len: usize, seed: u64) -> usize {
    let one = below(len, mix(seed ^ GOLDEN));
    // Among the other places, numbered as if the first one were missing. Those behind it would have to be counted up by
    // one; the lower of the two is the same without.
    let other = below(len.saturating_sub(1), mix(seed.wrapping_add(GOLDEN)));
    one.min(other)
}

fn cheapest_first(usable: &mut [Usable<'_>]) {
    usable.sort_by(|one, other| one.cost.total_cmp(&other.cost));
}

/// A hash that is the same on all nodes and in all versions: of worker names and sessions, for [`View::key`] and
/// [`Ask::session`] (FNV-1a).
pub fn stable_hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Spreads a number over all bits (the last step of SplitMix64).
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A number above 0, at most 1.
fn unit(hash: u64) -> f64 {
    ((hash >> 11) as f64 + 1.0) / (1_u64 << 53) as f64
}

/// A place below `len`, or 0.
fn below(len: usize, hash: u64) -> usize {
    let place = (unit(hash) * len as f64).ceil() as usize;
    place.min(len).saturating_sub(1)
}

#[cfg(test)]
mod tests;
