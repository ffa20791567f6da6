//! A route at work: its workers by tier, what runs on each, and what is left of its budget. All cores share it.

mod room;
mod seats;

use crate::{
    Ask, First, Fit, Member, Plan, RouteConfig,
    hold::Hold,
    load::{Counted, Limit, Load},
    metrics::RouteMetrics,
    plan,
    plan::first::Front,
    settings::{InForce, Settings},
    view::of_tier,
};
use orchestrator_core::{Request, Tier, stable};
use orchestrator_resilience::{Config, Estimate, RetryBudget, Slots};
use parking_lot::Mutex;
use seats::Seats;
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// How often a route whose breakers are all open sends a request after all.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Waiting rooms of a route: one for all, and one for streams that wait apart, while they have limits of their own.
pub(crate) const ROOMS: usize = 2;

/// A route. Reading it changes nothing.
#[derive(Debug)]
pub struct Route {
    pub(crate) name: Arc<str>,
    models: Vec<String>,
    settings: InForce,
    /// Primary, secondary, backup.
    tiers: [Vec<Seat>; 3],
    /// Its workers by their numbers.
    members: HashMap<usize, Arc<Member>>,
    /// The pools that its workers are in.
    pools: Vec<Slots>,
    /// Requests that the gate has let on.
    pub(crate) requests: Load,
    /// Calls by tier.
    calls: [Load; 3],
    /// How long calls hold their slots, by room.
    holds: [Hold; ROOMS],
    turn: AtomicU64,
    budget: RetryBudget,
    probed: Mutex<Option<Instant>>,
    /// Told when a call is over, of this route or of one that shares slots with it.
    pub(crate) freed: Arc<Notify>,
    resilience: Config,
    pub(crate) metrics: RouteMetrics,
}

/// A worker in a tier.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) index: usize,
    /// The hash of its worker's name.
    pub(crate) key: u64,
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
            holds: Default::default(),
            turn: AtomicU64::new(0),
            budget: RetryBudget::new(config.retry_budget_percent, config.retry_budget_min),
            probed: Mutex::new(None),
            freed: Arc::default(),
            resilience: first
                .map(|seat| seat.member.guard().config().clone())
                .unwrap_or_default(),
            models: config.models.clone(),
            settings: InForce::new(config),
            pools: Seat::relate(&mut tiers),
            members: tiers
                .iter()
                .flatten()
                .map(|seat| (seat.index, seat.member.clone()))
                .collect(),
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

    /// The room in which requests of a kind wait.
    pub(crate) fn room(&self, is_stream: bool) -> usize {
        let bounds_streams = || self.requests.bounds_streams() || self.calls.iter().any(Load::bounds_streams);
        usize::from(is_stream && bounds_streams())
    }

    /// How long those who wait in this room hold their slots.
    pub(crate) fn hold(&self, room: usize) -> Option<&Hold> {
        self.holds.get(room)
    }

    /// How long a request waits for room on a tier before it goes on to a costlier one: not at all with a latency budget.
    pub(crate) fn overflow_after(&self, request: &Request) -> Duration {
        let settings = self.settings.load();
        match request.wanted_by.is_some() || settings.config.latency_budget_ms.is_some() {
            true => Duration::ZERO,
            false => Duration::from_millis(settings.config.overflow_after_ms),
        }
    }

    /// The tier that a request goes to first.
    pub(crate) fn first_tier(&self, request: &Request) -> Tier {
        let complexity = &self.settings.load().config.complexity;
        complexity.as_ref().map_or(Tier::Primary, |by| by.tier(request))
    }

    /// The workers of one of its tiers.
    pub fn members(&self, tier: Tier) -> impl Iterator<Item = &Arc<Member>> {
        of_tier(&self.tiers, tier).iter().map(|seat| &seat.member)
    }

    /// Requests that the gate has let on and that are not answered yet.
    pub fn requests(&self) -> usize {
        self.requests.all()
    }

    /// The next turn, which all plans of one round of a request share.
    pub(crate) fn take_turn(&self) -> u64 {
        self.turn.fetch_add(1, Relaxed)
    }

    /// What a request asks of each of its plans.
    pub(crate) fn ask(&self, request: &Request) -> Ask {
        // The door fills in the usual model where the client names none.
        let named = request.original.field("model").filter(|named| *named != "null");
        Ask {
            is_stream: request.stream,
            tokens: Estimate::of(request),
            session: request.session.as_deref().map(|name| stable::hash(name.as_bytes())),
            first_tier: self.first_tier(request),
            names_model: named.is_some() && self.fit(&request.model) == Some(Fit::Exact),
            ..Ask::new(seed(request), 0)
        }
    }

    /// What comes first in the plan of a request that asks this, at this moment, if that takes no look at all workers.
    pub(crate) fn first(&self, ask: Ask, request: &Request, now: Instant) -> Option<First> {
        let settings = self.settings.load();
        let ask = self.ask_now(ask, &settings, request, now);
        let has_workers = |tier: &Tier| !of_tier(&self.tiers, *tier).is_empty();
        let tier = ask.in_order(Tier::ALL).into_iter().find(has_workers)?;
        let front = Front {
            tier,
            workers: self.seats_of(tier, &settings, &ask, now),
            is_only: self.members.len() == 1,
        };
        front.first(settings.config.balance, &ask)
    }

    /// The plan of a request that asks this, at this moment. Looking changes nothing.
    pub(crate) fn plan(&self, ask: Ask, request: &Request, now: Instant) -> Plan {
        let settings = self.settings.load();
        let ask = self.ask_now(ask, &settings, request, now);
        let views = Tier::ALL.map(|tier| self.seats_of(tier, &settings, &ask, now).views());
        plan(views.each_ref().map(Vec::as_slice), settings.config.balance, &ask)
    }

    /// The plan that a request would have at this moment.
    pub(crate) fn preview(&self, request: &Request, now: Instant) -> Plan {
        let ask = Ask {
            turn: self.turn.load(Relaxed),
            deadline_left: request.deadline.saturating_duration_since(now),
            ..self.ask(request)
        };
        self.plan(ask, request, now)
    }

    /// What a request asks at this moment.
    fn ask_now(&self, ask: Ask, settings: &Settings, request: &Request, now: Instant) -> Ask {
        Ask {
            latency_budget: settings.config.latency_budget(request, now),
            soft_left: self.calls.each_ref().map(|calls| calls.left(ask.is_stream)),
            ..ask
        }
    }

    fn seats_of<'a>(&'a self, tier: Tier, settings: &'a Settings, ask: &'a Ask, now: Instant) -> Seats<'a> {
        Seats {
            seats: of_tier::<Vec<Seat>>(&self.tiers, tier),
            weights: of_tier(&settings.weights, tier),
            ask,
            now,
        }
    }

    /// Counts a call on a tier, if its soft limit allows one more.
    pub(crate) fn enter(&self, tier: Tier, is_stream: bool) -> Option<Counted> {
        of_tier(&self.calls, tier).enter(is_stream)
    }

    /// The worker of this number.
    pub(crate) fn member(&self, index: usize) -> Option<&Arc<Member>> {
        self.members.get(&index)
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

    /// Finds out which routes share slots, with each other or with a third.
    pub(crate) fn relate(routes: &mut [Route]) {
        for index in 0..routes.len() {
            let (before, rest) = routes.split_at_mut(index);
            let Some(route) = rest.first() else { continue };
            let met = before.iter().filter(|other| other.meets(route));
            let met: Vec<_> = met.map(|other| other.freed.clone()).collect();
            for other in before {
                if met.iter().any(|freed| Arc::ptr_eq(freed, &other.freed)) {
                    other.freed = route.freed.clone();
                }
            }
        }
    }

    /// Whether a slot that this route gives back may be one for the other.
    pub(crate) fn shares(&self, other: &Route) -> bool {
        Arc::ptr_eq(&self.freed, &other.freed)
    }

    /// Whether a worker or a pool is of both.
    fn meets(&self, other: &Route) -> bool {
        let has_worker = |seat: &Seat| other.members.contains_key(&seat.index);
        let has_pool = |pool: &Slots| other.pools.iter().any(|known| known.is_same(pool));
        self.seats().any(has_worker) || self.pools.iter().any(has_pool)
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
