//! How a tier's usable workers are put in order: the one to call first, and behind it those to fall back on.
//!
//! Each way is a pure function of the workers and of the request's chance or turn, so that a plan can be told before it is
//! carried out. Each sorts by a cost that is found once for each worker; the ways that draw put whom they draw in front.

pub(crate) mod draw;
pub(crate) mod wheel;

use crate::{Ask, Balance, View};
use draw::{Drawn, Seen};
use orchestrator_core::stable::mix;
use orchestrator_resilience::Pass;
use wheel::Wheel;

/// A worker that may be called, and what speaks against calling it before the others of its tier.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usable<'a> {
    /// Where it stands in its tier.
    pub(crate) place: usize,
    pub(crate) view: &'a View,
    pub(crate) pass: Pass,
    cost: f64,
}

/// The cost, in seconds, of a worker that is to come behind all others.
const BEHIND_ALL: f64 = 1e9;

/// The cost of the one that is to come before all others.
const BEFORE_ALL: f64 = -1.0;

/// The least latency that counts, in seconds, so that running calls weigh even where everything is forgotten.
const LEAST_LATENCY: f64 = 1e-6;

// === impl Usable ===

impl<'a> Usable<'a> {
    pub(crate) fn new(place: usize, view: &'a View, pass: Pass) -> Self {
        let cost = 0.0;
        Usable {
            place,
            view,
            pass,
            cost,
        }
    }
}

/// Puts the usable workers of a tier, by their places in it, in the order in which they are called.
pub(crate) fn order(usable: &mut [Usable<'_>], tier: &[View], balance: Balance, ask: &Ask) {
    if usable.len() < 2 {
        return;
    }
    match balance {
        Balance::RoundRobin => take_turns(usable, &weights(tier), ask.turn),
        Balance::Weighted => draw_by_weight(usable, &weights(tier), ask.turn),
        Balance::LeastConnections => fewest_running_first(usable, ask.turn),
        Balance::P2cEwma => better_of_two_first(usable, tier.len(), ask.seed),
        Balance::ConsistentHash => rank_by_hash(usable, ask.session.unwrap_or(ask.seed)),
    }
}

fn weights(tier: &[View]) -> Wheel {
    Wheel::new(tier.iter().map(|view| view.weight))
}

/// One after the other, each followed by its next; each comes first as often as its share says.
fn take_turns(usable: &mut [Usable<'_>], weights: &Wheel, turn: u64) {
    let drawn = draw::in_turn(weights, turn, among(usable));
    let by_turn = || {
        turn.checked_rem(usable.len() as u64)
            .and_then(|first| usize::try_from(first).ok())
    };
    let first = position(usable, drawn).or_else(by_turn);
    usable.rotate_left(first.unwrap_or(0));
}

/// The first by the turn's point on a wheel of all weights, so that a run of turns comes close to the weights; behind it a
/// draw by weight, so that what a failed worker leaves is shared likewise.
fn draw_by_weight(usable: &mut [Usable<'_>], weights: &Wheel, turn: u64) {
    let drawn = draw::by_weight(weights, turn, among(usable));
    let first = position(usable, drawn);
    rank_by_hash_costs(usable, mix(turn));
    prefer(usable, first);
    cheapest_first(usable);
}

/// By the calls that each would run for its share.
fn fewest_running_first(usable: &mut [Usable<'_>], turn: u64) {
    for one in usable.iter_mut() {
        one.cost = cost_of_calls(one.view.running, (one.view.key, turn)) / one.view.share();
    }
    cheapest_first(usable);
}

/// The better of two drawn by chance; behind it the others by what they cost, those on trial last.
fn better_of_two_first(usable: &mut [Usable<'_>], len: usize, seed: u64) {
    let median = median_latency(usable);
    for one in usable.iter_mut() {
        let wait = expected_wait(one.view, Some(median)).unwrap_or(BEHIND_ALL) * untied(one.view.key, seed);
        one.cost = if is_on_trial(one.view) { wait + BEHIND_ALL } else { wait };
    }
    let drawn = draw::better_of_two((len, seed), Some(median), among(usable));
    let first = position(usable, drawn);
    prefer(usable, first);
    cheapest_first(usable);
}

/// Rendezvous hashing (Thaler, Ravishankar), weighted (Schindelhauer, Schomaker): a worker that comes or goes moves no
/// other key than those it takes or leaves.
fn rank_by_hash(usable: &mut [Usable<'_>], key: u64) {
    rank_by_hash_costs(usable, key);
    cheapest_first(usable);
}

/// A race that each wins with the probability of its share.
fn rank_by_hash_costs(usable: &mut [Usable<'_>], key: u64) {
    for one in usable {
        one.cost = cost_by_hash(one.view.key, key) / one.view.share();
    }
}

/// What a draw sees who looks at the places of these workers.
fn among<'a>(usable: &[Usable<'a>]) -> impl Fn(usize) -> Seen<&'a View> {
    |place| {
        let found = usable.binary_search_by_key(&place, |one| one.place);
        let usable = found.ok().and_then(|at| usable.get(at));
        usable.map_or(Seen::Unusable, |one| Seen::Usable(one.view))
    }
}

/// Where among these workers the one that was drawn is.
fn position<V>(usable: &[Usable<'_>], drawn: Drawn<V>) -> Option<usize> {
    let (place, _) = drawn?;
    usable.binary_search_by_key(&place, |one| one.place).ok()
}

fn prefer(usable: &mut [Usable<'_>], first: Option<usize>) {
    if let Some(first) = first.and_then(|first| usable.get_mut(first)) {
        first.cost = BEFORE_ALL;
    }
}

/// What a call costs at a worker that has so many already, for a share of one; of equals by chance.
pub(crate) fn cost_of_calls(running: usize, (key, chance): (u64, u64)) -> f64 {
    calls_with_this(running) * untied(key, chance)
}

/// What a worker costs for a session, for a share of one: an exponential time, by hash.
pub(crate) fn cost_by_hash(key: u64, session: u64) -> f64 {
    -unit(mix(mix(key) ^ session)).ln()
}

/// The place of the worker that the calls of a session go to before all others of a tier, were they all usable. They come
/// as the hash of their name, and their weight.
pub(crate) fn own(workers: impl IntoIterator<Item = (u64, u32)>, session: u64) -> Option<usize> {
    let cost = |(key, weight): (u64, u32)| cost_by_hash(key, session) / f64::from(weight.max(1));
    let costs = workers.into_iter().map(cost).enumerate();
    let least = costs.min_by(|(_, one), (_, other)| one.total_cmp(other));
    least.map(|(place, _)| place)
}

/// Makes equal costs differ by chance, and no others, so that nobody wins by standing in front.
fn untied(key: u64, chance: u64) -> f64 {
    1.0 + 1e-9 * unit(mix(mix(key) ^ chance))
}

/// How long a call at the worker is expected to take, by its latency and its running calls. One without samples has at
/// least the median of its tier; where that is not known, neither is the wait.
fn expected_wait(view: &View, median: Option<f64>) -> Option<f64> {
    let latency = match view.latency {
        Some(known) => known.as_secs_f64(),
        None => median?.max(view.latency_at_least.as_secs_f64()),
    };
    Some(latency.max(LEAST_LATENCY) * calls_with_this(view.running) / view.share())
}

/// Whether it has got its first call, but nothing is known of it yet.
fn is_on_trial(view: &View) -> bool {
    view.latency.is_none() && view.unheard > 0
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

fn calls_with_this(running: usize) -> f64 {
    running as f64 + 1.0
}

fn cheapest_first(usable: &mut [Usable<'_>]) {
    usable.sort_by(|one, other| one.cost.total_cmp(&other.cost));
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
