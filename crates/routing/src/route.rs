//! A route at work: its workers by tier, what runs on each, and what is left of its budget. All cores share it.

mod room;

use crate::{
    Ask, Fit, Member, Plan, RouteConfig, View,
    load::{Counted, Limit, Load},
    metrics::RouteMetrics,
    plan,
    settings::{InForce, Settings},
    stable_hash,
    view::Asked,
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

/// The weight where none is asked for.
const EVEN: u32 = 1;

/// A route. Reading it changes nothing.
#[derive(Debug)]
pub struct Route {
    pub(crate) name: Arc<str>,
    models: Vec<String>,
    settings: InForce,
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
    pub(crate) member: Arc<Member>,
    /// The pool of its worker, as the route counts pools.
    pub(crate) pool: Option<usize>,
    /// In which tiers before its own the worker stands too.
    pub(crate) before: [bool; 3],
}

// === impl Route ===

impl Route {
    pub(crate) fn new(name: &str, config: RouteConfig, mut tiers: [Vec<Seat>; 3], metrics: RouteMetrics) -> Self {
        let (soft, hard) = (Limit::soft(&config), Limit::hard(&config));
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
            models: config.models.clone(),
            settings: InForce::new(config),
            pools: Seat::relate(&mut tiers),
            tiers,
            metrics,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is in force of its configuration.
    pub fn config(&self) -> Arc<RouteConfig> {
        self.settings.load().config.clone()
    }

    /// Obeys `config` from the next request on, but for the models and workers, which stay as they are. Where more runs than
    /// a lower limit allows, it goes on, and nothing is let through until enough has ended. [`Routes::look_again`] calls
    /// those who wait for what this makes room for.
    ///
    /// [`Routes::look_again`]: crate::Routes::look_again
    pub fn change(&self, config: RouteConfig) {
        let config = self.settings.change(config);
        self.requests.change(Limit::hard(&config));
        self.calls.iter().for_each(|calls| calls.change(Limit::soft(&config)));
        self.budget.change(config.retry_budget_percent, config.retry_budget_min);
    }

    /// How well it fits a request for `model`; `None` if it does not.
    pub(crate) fn fit(&self, model: &str) -> Option<Fit> {
        Fit::best(&self.models, model)
    }

    /// The first of the patterns that another route serves, too.
    pub(crate) fn shared_model<'a>(&self, models: &'a [String]) -> Option<&'a String> {
        models.iter().find(|model| self.models.contains(model))
    }

    /// Whether streams have limits of their own.
    pub(crate) fn bounds_streams(&self) -> bool {
        self.requests.bounds_streams() || self.calls.iter().any(Load::bounds_streams)
    }

    /// How long a request waits for room on a tier before it goes on to a costlier one.
    pub(crate) fn overflow_after(&self) -> Duration {
        Duration::from_millis(self.settings.load().config.overflow_after_ms)
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
        let settings = self.settings.load();
        let views = self.views(&settings, request.into(), now);
        let ask = Ask {
            session: request.session.as_deref().map(stable_hash),
            seed: seed(request),
            turn,
            deadline_left,
            soft_left: self.calls.each_ref().map(|calls| calls.left(request.stream)),
        };
        plan(views.each_ref().map(Vec::as_slice), settings.config.balance, &ask)
    }

    fn views(&self, settings: &Settings, asked: Asked, now: Instant) -> [Vec<View>; 3] {
        let mut weights = settings.weights.iter();
        self.tiers.each_ref().map(|seats| {
            let seats = seats.iter().zip(weights.next().into_iter().flatten());
            seats
                .map(|(seat, weight)| seat.member.view((seat.index, *weight), asked, now))
                .collect()
        })
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

    /// Whether one of its workers could be called now.
    pub fn is_usable(&self, now: Instant) -> bool {
        self.free(false, 1, now).is_some_and(|free| free > 0)
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
