//! A route at work: its workers by tier, what runs on each, and what is left of its budget. All cores share it.

mod room;

use crate::{
    Ask, Member, Plan, RouteConfig, View,
    load::{Counted, Limit, Load},
    metrics::RouteMetrics,
    plan, stable_hash,
};
use orchestrator_core::{Request, Tier};
use orchestrator_resilience::{Config, RetryBudget, Slots};
use parking_lot::Mutex;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// How often a route whose breakers are all open sends a request after all.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// A route. Reading it changes nothing.
#[derive(Debug)]
pub struct Route {
    pub(crate) name: Arc<str>,
    pub(crate) config: RouteConfig,
    /// Primary, secondary, backup.
    tiers: [Vec<Seat>; 3],
    /// The pools that its workers are in.
    pools: Vec<Slots>,
    /// Requests that the gate has let on.
    pub(crate) requests: Load,
    /// Calls by tier.
    calls: [Load; 3],
    turn: AtomicU64,
    budget: RetryBudget,
    probed: Mutex<Option<Instant>>,
    resilience: Config,
    pub(crate) metrics: RouteMetrics,
}

/// A worker in a tier.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) index: usize,
    pub(crate) weight: u32,
    pub(crate) member: Arc<Member>,
    /// The pool of its worker, as the route counts pools.
    pub(crate) pool: Option<usize>,
    /// In which tiers before its own the worker stands too.
    pub(crate) before: [bool; 3],
}

// === impl Route ===

impl Route {
    pub(crate) fn new(name: &str, config: RouteConfig, mut tiers: [Vec<Seat>; 3], metrics: RouteMetrics) -> Self {
        let soft = Limit::new(config.soft_limit, config.stream_soft_limit);
        let hard = Limit::new(config.hard_limit, config.stream_hard_limit);
        let first = tiers.iter().flatten().next();
        Route {
            name: name.into(),
            requests: Load::new(hard),
            calls: [Load::new(soft), Load::new(soft), Load::new(soft)],
            turn: AtomicU64::new(0),
            budget: RetryBudget::new(config.retry_budget_percent, config.retry_budget_min),
            probed: Mutex::new(None),
            resilience: first
                .map(|seat| seat.member.guard().config().clone())
                .unwrap_or_default(),
            config,
            pools: Seat::relate(&mut tiers),
            tiers,
            metrics,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was declared of it.
    pub fn config(&self) -> &RouteConfig {
        &self.config
    }

    /// The workers of one of its tiers.
    pub fn members(&self, tier: Tier) -> impl Iterator<Item = &Arc<Member>> {
        let [primary, secondary, backup] = &self.tiers;
        let seats = match tier {
            Tier::Primary => primary,
            Tier::Secondary => secondary,
            Tier::Backup => backup,
        };
        seats.iter().map(|seat| &seat.member)
    }

    /// Requests that the gate has let on and that are not answered yet.
    pub fn requests(&self) -> usize {
        self.requests.all()
    }

    /// The plan of a request at this moment. It takes its turn, and changes nothing else.
    pub(crate) fn plan(&self, request: &Request, deadline_left: Duration, now: Instant) -> Plan {
        self.plan_at(self.turn.fetch_add(1, Relaxed), request, deadline_left, now)
    }

    /// The plan that a request would have at this moment.
    pub(crate) fn preview(&self, request: &Request, now: Instant) -> Plan {
        let left = request.deadline.saturating_duration_since(now);
        self.plan_at(self.turn.load(Relaxed), request, left, now)
    }

    fn plan_at(&self, turn: u64, request: &Request, deadline_left: Duration, now: Instant) -> Plan {
        let views = self
            .tiers
            .each_ref()
            .map(|seats| self.views(seats, request.stream, now));
        let ask = Ask {
            session: request.session.as_deref().map(stable_hash),
            seed: seed(request),
            turn,
            deadline_left,
            soft_left: self.calls.each_ref().map(|calls| calls.left(request.stream)),
        };
        plan(views.each_ref().map(Vec::as_slice), self.config.balance, &ask)
    }

    fn views(&self, seats: &[Seat], is_stream: bool, now: Instant) -> Vec<View> {
        let view = |seat: &Seat| seat.member.view((seat.index, seat.weight), is_stream, now);
        seats.iter().map(view).collect()
    }

    /// Counts a call on a tier, if its soft limit allows one more.
    pub(crate) fn enter(&self, tier: Tier, is_stream: bool) -> Option<Counted> {
        let [primary, secondary, backup] = &self.calls;
        match tier {
            Tier::Primary => primary,
            Tier::Secondary => secondary,
            Tier::Backup => backup,
        }
        .enter(is_stream)
    }

    /// The worker of this number.
    pub(crate) fn member(&self, index: usize) -> Option<&Arc<Member>> {
        let seat = self.seats().find(|seat| seat.index == index);
        seat.map(|seat| &seat.member)
    }

    /// Its workers, tier by tier.
    pub(crate) fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.tiers.iter().flatten()
    }

    /// How its requests are tried again, which is the same with every worker.
    pub fn resilience(&self) -> &Config {
        &self.resilience
    }

    /// The longest rest of a worker that a request waits for.
    pub(crate) fn longest_rest(&self) -> Duration {
        Duration::from_millis(self.resilience.retry_max_ms)
    }

    /// What is left of the shortest rest, while all of its workers rest.
    pub(crate) fn shortest_rest(&self, now: Instant) -> Option<Duration> {
        let rests = self.seats().map(|seat| seat.member.guard().view(now).rest);
        rests.min().filter(|rest| !rest.is_zero())
    }

    /// Running calls by tier: primary, secondary, backup.
    pub fn calls(&self) -> [usize; 3] {
        self.calls.each_ref().map(|calls| calls.all())
    }

    /// Calls beyond a request's first that may still be made.
    pub fn retries_left(&self, now: Instant) -> u64 {
        self.budget.left(now)
    }

    /// A request begins.
    pub(crate) fn begin(&self, now: Instant) {
        self.budget.request(now);
    }

    /// Whether the route may make one more call beyond a request's first.
    pub(crate) fn may_retry(&self, now: Instant) -> bool {
        self.budget.try_spend(now)
    }

    /// Whether it is time to send one request to a worker that is left alone, since all are.
    pub(crate) fn may_probe(&self, now: Instant) -> bool {
        let mut probed = self.probed.lock();
        let is_time = probed.is_none_or(|at| now.saturating_duration_since(at) >= PROBE_EVERY);
        if is_time {
            *probed = Some(now);
        }
        is_time
    }

    /// Calls of the route that are running.
    pub(crate) fn running(&self) -> usize {
        self.calls().into_iter().sum()
    }
}

/// Chance that is the same whenever the same request is planned.
fn seed(request: &Request) -> u64 {
    let mut hasher = DefaultHasher::new();
    request.id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
