//! What all cores share of degradation: kept answers, rules and episodes.

use crate::{
    Cause, Config, Episode, Metrics, RuleConfig, Step, Touched,
    cache::{Cache, Kept},
    episode::Episodes,
    rule::{Heard, Watch},
};
use orchestrator_core::{Degraded, Fingerprint, Request, Reuse};
use parking_lot::{Mutex, MutexGuard};
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The number of the route that a request takes.
pub type RouteOf = dyn Fn(&Request) -> Option<usize> + Send + Sync;

/// Degradation, of all routes.
pub struct Degradation {
    config: Config,
    routes: Vec<Arc<str>>,
    route_of: Arc<RouteOf>,
    cache: Mutex<Cache>,
    state: Mutex<State>,
    metrics: Metrics,
}

struct State {
    /// By route, and for each in the order of the rules.
    watches: Vec<Vec<Watch>>,
    episodes: Episodes,
    total: Touched,
}

/// How a rule stands for a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The route.
    pub route: Arc<str>,
    /// The rule.
    pub rule: RuleConfig,
    /// Since when it holds, if it does.
    pub since: Option<Instant>,
    /// The part of requests that failed lately.
    pub failure_rate: f64,
    /// The part of streams whose first token took longer than the rule allows, lately; 0 where it allows any.
    pub slow_rate: f64,
}

// === impl Degradation ===

impl Degradation {
    /// Degradation for the routes of these names; `route_of` says which of them a request takes.
    pub fn new(config: Config, routes: Vec<Arc<str>>, route_of: Arc<RouteOf>, metrics: &Metrics) -> Arc<Self> {
        let watches = || config.rules.iter().cloned().map(Watch::new).collect();
        let shared = Arc::new(Degradation {
            state: Mutex::new(State {
                watches: routes.iter().map(|_| watches()).collect(),
                episodes: Episodes::new(Duration::from_secs(config.quiet_s)),
                total: Touched::default(),
            }),
            cache: Mutex::new(Cache::new(config.cache)),
            config,
            routes,
            route_of,
            metrics: metrics.clone(),
        });
        metrics.watch(&shared);
        shared
    }

    /// What was declared.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All episodes that are remembered, the latest begun first.
    pub fn episodes(&self, now: Instant) -> Vec<Episode> {
        self.settled(now).episodes.all(now)
    }

    /// How each rule stands for each route.
    pub fn standings(&self, now: Instant) -> Vec<Standing> {
        let state = self.settled(now);
        let of = |(route, watch): (&Arc<str>, &Watch)| {
            let (failure_rate, slow_rate) = watch.rates(now);
            Standing {
                route: route.clone(),
                rule: watch.rule().clone(),
                since: watch.holds(now),
                failure_rate,
                slow_rate,
            }
        };
        let routes = self.routes.iter().zip(&state.watches);
        let watches = routes.flat_map(|(route, watches)| watches.iter().map(move |watch| (route, watch)));
        watches.map(of).collect()
    }

    /// All requests since the start that the workers of their route did not answer.
    pub fn total(&self) -> Touched {
        self.state.lock().total
    }

    /// Answers that are kept, and the bytes that they and those that are still heard take.
    pub fn kept(&self) -> (usize, usize) {
        self.cache.lock().size()
    }

    pub(crate) fn find(&self, request: &Request, now: Instant) -> Option<(Kept, Degraded)> {
        let what = request.fingerprint.filter(|_| request.reuse == Reuse::Allowed)?;
        self.cache.lock().find(&what, now)
    }

    /// Keeps an answer for which so many bytes were set apart.
    pub(crate) fn keep(&self, what: Fingerprint, kept: Kept, apart: usize) {
        let mut cache = self.cache.lock();
        cache.take_back(apart);
        cache.keep(what, kept);
    }

    /// Sets bytes apart for an answer that is not whole yet, if there is room.
    pub(crate) fn set_apart(&self, bytes: usize) -> bool {
        self.cache.lock().set_apart(bytes)
    }

    /// Takes bytes back that were set apart.
    pub(crate) fn take_back(&self, bytes: usize) {
        self.cache.lock().take_back(bytes);
    }

    pub(crate) fn route(&self, request: &Request) -> Option<usize> {
        (self.route_of)(request)
    }

    /// The rule by which a step answers this request before the workers are asked.
    pub(crate) fn rule(&self, route: usize, now: Instant) -> Option<(Arc<str>, Step)> {
        if self.config.rules.is_empty() {
            return None;
        }
        let mut state = self.state.lock();
        self.settle(&mut state, route, now);
        let mut watches = state.watches.get_mut(route)?.iter_mut();
        let watch = watches.find(|watch| watch.holds(now).is_some())?;
        let rule = (watch.rule().name.as_str().into(), watch.rule().mode);
        (!watch.may_probe(now)).then_some(rule)
    }

    /// The workers of a route are done with a request.
    pub(crate) fn heard(&self, route: usize, heard: Heard, now: Instant) {
        let Some(name) = self.routes.get(route).filter(|_| !self.config.rules.is_empty()) else {
            return;
        };
        let mut state = self.state.lock();
        self.settle(&mut state, route, now);
        let State { watches, episodes, .. } = &mut *state;
        for watch in watches.get_mut(route).into_iter().flatten() {
            if watch.heard(heard, now) {
                let (rule, mode) = (watch.rule().name.as_str(), watch.rule().mode.as_str());
                tracing::warn!(route = &**name, rule, mode, "a rule of degradation holds");
                episodes.begin(name, rule.into(), now);
            }
        }
    }

    /// A request was answered by something else than its workers; `None`: by nothing.
    pub(crate) fn touched(&self, route: usize, cause: &Cause, by: Option<Degraded>, now: Instant) {
        let Some(name) = self.routes.get(route) else { return };
        self.metrics.count(name, by);
        let mut state = self.state.lock();
        state.total.count(by);
        if state.episodes.touch(name, cause, by, now) {
            tracing::warn!(route = &**name, %cause, "requests of a route are answered by something else than its workers");
        }
    }

    /// The state after the ends of all rules that hold no more, so that whoever looks sees them without traffic, too.
    fn settled(&self, now: Instant) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        (0..self.routes.len()).for_each(|route| self.settle(&mut state, route, now));
        state
    }

    /// Ends the episodes of those rules of a route that hold no more.
    fn settle(&self, state: &mut State, route: usize, now: Instant) {
        let State { watches, episodes, .. } = state;
        let Some(name) = self.routes.get(route) else { return };
        for watch in watches.get_mut(route).into_iter().flatten() {
            if let Some(at) = watch.settle(now) {
                let rule = watch.rule().name.as_str();
                tracing::info!(route = &**name, rule, "a rule of degradation holds no more");
                episodes.end(name, rule, at);
            }
        }
    }
}

impl fmt::Debug for Degradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Degradation")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
