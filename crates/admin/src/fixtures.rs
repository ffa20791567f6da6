//! For tests: a control plane over real routes and guards, and what an operator hears from it.

mod stands;

use crate::{Admin, Parts, problem::Problem};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use orchestrator_core::{Code, Failure};
use orchestrator_degradation::{self as degradation, Degradation};
use orchestrator_resilience::{Config, Guard, Pass, chaos};
use orchestrator_routing::{Member, PoolSlots, Pools, RouteConfig, Routes};
use orchestrator_testkit::world;
use parking_lot::Mutex;
use prometheus::Registry;
use serde_json::Value;
use stands::{Keeper, Still};
use std::{sync::Arc, time::Duration};

/// A control plane and what stands behind it. Its clock begins at 2026-01-01 00:00:00 UTC.
pub(crate) struct Bench {
    pub(crate) admin: Admin,
    pub(crate) routes: Arc<Routes>,
    pub(crate) chaos: chaos::Switch,
    pub(crate) members: Vec<Arc<Member>>,
    pub(crate) degradation: Arc<Degradation>,
    pub(crate) keeper: Arc<Keeper>,
}

/// The workers of [`Bench::new`], in order.
const WORKERS: [&str; 4] = ["fast", "strong", "local", "eu/llama 3"];

// === impl Bench ===

impl Bench {
    /// Four workers of two slots each whose breakers open after two failures in a row. The first stands in a pool of one slot.
    pub(crate) fn new() -> Self {
        Bench::over(usual())
    }

    /// The same with these routes.
    pub(crate) fn over<'a>(routes: impl IntoIterator<Item = (&'a str, RouteConfig)>) -> Self {
        Bench::degrading(routes, degradation::Config::default())
    }

    /// The same with this degradation, of which all requests take the first route.
    pub(crate) fn degrading<'a>(
        routes: impl IntoIterator<Item = (&'a str, RouteConfig)>,
        degradation: degradation::Config,
    ) -> Self {
        Bench::build(routes, degradation, switch(&chaos::Config::default(), true))
    }

    /// The same as [`Bench::new`] with these faults, if they are allowed.
    pub(crate) fn injecting(config: &chaos::Config, is_allowed: bool) -> Self {
        Bench::build(usual(), degradation::Config::default(), switch(config, is_allowed))
    }

    fn build<'a>(
        routes: impl IntoIterator<Item = (&'a str, RouteConfig)>,
        degradation: degradation::Config,
        chaos: chaos::Switch,
    ) -> Self {
        let (registry, env) = (Registry::new(), world(1));
        let guards = orchestrator_resilience::Metrics::register(&registry).unwrap();
        let routing = orchestrator_routing::Metrics::register(&registry).unwrap();
        let config = Config {
            circuit_breaker_threshold: 2,
            ..Config::default()
        };
        let pools = PoolSlots::new(&Pools {
            fast: 1,
            ..Pools::default()
        });
        let member = |name: &str| {
            let guard = Guard::new(name.into(), config.clone(), 2, env.random(name), &guards);
            let pool = (name == "fast").then(|| pools.fast.clone());
            Arc::new(Member::new(guard, pool))
        };
        let members: Vec<_> = WORKERS.into_iter().map(member).collect();
        let routes = Routes::build(routes, &members, 0, &routing).unwrap();
        let names = routes.all().iter().map(|route| route.name().into()).collect();
        let metrics = orchestrator_degradation::Metrics::register(&registry).unwrap();
        let degradation = Degradation::new(degradation, names, Arc::new(|_| Some(0)), &metrics);
        let keeper = Arc::new(Keeper {
            routes: routes.clone(),
            members: members.clone(),
            slots: pools.clone(),
            asked: Mutex::default(),
        });
        let parts = Parts {
            routes: routes.clone(),
            pools,
            line: Arc::new(Still),
            settings: keeper.clone(),
            degradation: degradation.clone(),
            chaos: chaos.clone(),
            env,
        };
        Bench {
            admin: Admin::new(parts),
            routes,
            chaos,
            members,
            degradation,
            keeper,
        }
    }

    /// What stands around a worker's calls.
    pub(crate) fn guard(&self, worker: &str) -> &Guard {
        let mut members = self.members.iter();
        members.find(|member| **member.name() == *worker).unwrap().guard()
    }

    /// Lets so many calls of a worker fail.
    pub(crate) fn fail(&self, worker: &str, calls: usize) {
        for _ in 0..calls {
            let failure = Failure::new(Code::UpstreamError, "no");
            self.guard(worker).try_admit(Pass::Usual).unwrap().failed(failure);
        }
    }

    pub(crate) fn ask(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Response<Bytes> {
        let request = Request::builder().method(method).uri(path);
        self.admin.answer(&request.body(body.into()).unwrap())
    }

    /// What an operator reads below `/api/v1/`.
    pub(crate) fn get(&self, path: &str) -> String {
        shown(&self.ask(Method::GET, &format!("/api/v1/{path}"), ""))
    }

    /// What an operator hears who does something with a breaker, such as `fast/reset`.
    pub(crate) fn post(&self, path: &str, body: &str) -> String {
        let path = format!("/api/v1/circuit-breakers/{path}");
        shown(&self.ask(Method::POST, &path, body.to_owned()))
    }

    /// What an operator hears who changes something, such as `routes/default`.
    pub(crate) fn patch(&self, path: &str, body: &str) -> String {
        shown(&self.ask(Method::PATCH, &format!("/api/v1/{path}"), body.to_owned()))
    }

    /// States and causes of all breakers in short.
    pub(crate) fn states(&self) -> String {
        let reply = self.ask(Method::GET, "/api/v1/circuit-breakers", "");
        let breakers: Vec<Value> = serde_json::from_slice(reply.body()).unwrap();
        let brief = |breaker: &Value| {
            let [name, state, cause] = ["name", "state", "cause"].map(|member| breaker[member].as_str());
            format!("{} {} {}", name.unwrap(), state.unwrap(), cause.unwrap_or("-"))
        };
        breakers.iter().map(brief).collect::<Vec<_>>().join(", ")
    }
}

fn switch(config: &chaos::Config, is_allowed: bool) -> chaos::Switch {
    let metrics = chaos::Metrics::register(&Registry::new()).unwrap();
    chaos::Switch::new(config, is_allowed, WORKERS.map(Arc::from), metrics)
}

fn usual() -> [(&'static str, RouteConfig); 2] {
    [("default", all()), ("code", code())]
}

/// A route with workers on all tiers.
fn all() -> RouteConfig {
    RouteConfig {
        primary: vec!["fast".into()],
        secondary: vec!["strong".into(), "eu/llama 3".into()],
        backup: vec!["local".into()],
        weights: [("strong".into(), 3)].into(),
        soft_limit: Some(40),
        ..RouteConfig::default()
    }
}

/// A route of its own for some models.
fn code() -> RouteConfig {
    RouteConfig {
        models: vec!["code-*".into(), "review".into()],
        primary: vec!["local".into(), "fast".into()],
        balance: orchestrator_routing::Balance::RoundRobin,
        retry_budget_percent: 50,
        retry_budget_min: 7,
        ..RouteConfig::default()
    }
}

/// The body as indented JSON, after the status where that is no 200. Each answer says what it is and that it is of now.
pub(crate) fn shown(reply: &Response<Bytes>) -> String {
    let (status, headers) = (reply.status(), reply.headers());
    let (begins, kind) = match status {
        StatusCode::OK => (String::new(), "application/json"),
        other => (format!("{other}\n"), "application/problem+json"),
    };
    assert_eq!(headers[header::CONTENT_TYPE], kind);
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    let body: Value = serde_json::from_slice(reply.body()).unwrap();
    format!("{begins}{body:#}")
}

/// Status and words of a refusal.
pub(crate) fn words<T: std::fmt::Debug>(refused: Result<T, Problem>) -> String {
    let reply = refused.unwrap_err().reply();
    let body: Value = serde_json::from_slice(reply.body()).unwrap();
    assert_eq!(body["status"], reply.status().as_u16());
    format!("{} {}", body["status"], body["detail"].as_str().unwrap())
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Runs to the end on a clock of its own that goes on only when nothing else can.
pub(crate) fn paused<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}
