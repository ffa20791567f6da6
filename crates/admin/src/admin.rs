//! Answers operators: a path names what is read or steered, and it is done at once.
//!
//! Nothing is waited for, and only POST, PATCH and DELETE change anything. Who may ask was decided before, at the door.

use crate::{
    balancing::Balancing,
    body,
    breaker::{Breaker, Change},
    chaos::{self, Chaos},
    degradation::{Shown, Stats, Tried},
    edit::edit,
    line::Line,
    pool::Pools,
    problem::{Problem, reply},
    resource::Resource,
    retry::Retry,
    route::Route,
    settings::Settings,
    worker::Worker,
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use orchestrator_core::{Env, Tier, near};
use orchestrator_degradation::Degradation;
use orchestrator_resilience::{Guard, chaos::Switch};
use orchestrator_routing::{self as routing, Member, PoolSlots, Routes};
use serde::Serialize;
use std::{collections::BTreeMap, fmt, sync::Arc};
use tokio::time::Instant;

/// The control plane. Cores share it.
pub struct Admin {
    parts: Parts,
    /// The workers of all routes, by name.
    workers: BTreeMap<Arc<str>, Arc<Member>>,
}

/// What operators read and steer.
pub struct Parts {
    /// Routes, and the workers that they call.
    pub routes: Arc<Routes>,
    /// Slots that workers share.
    pub pools: PoolSlots,
    /// The line of stages.
    pub line: Arc<dyn Line>,
    /// What may be changed at work.
    pub settings: Arc<dyn Settings>,
    /// What stands in for workers.
    pub degradation: Arc<Degradation>,
    /// Faults that befall calls on purpose.
    pub chaos: Switch,
    /// Tells the time of day.
    pub env: Env,
}

type Answer = Result<Response<Bytes>, Problem>;

// === impl Admin ===

impl Admin {
    /// The control plane of these parts.
    pub fn new(parts: Parts) -> Self {
        let tiers = parts
            .routes
            .all()
            .iter()
            .flat_map(|route| Tier::ALL.map(|tier| route.members(tier)));
        let members = tiers.flatten().map(|member| (member.name().clone(), member.clone()));
        Admin {
            workers: members.collect(),
            parts,
        }
    }

    /// Answers a request whose path begins with `/api/v1/`. HEAD is answered as GET, with a body for the door to leave out.
    pub fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let answer = Resource::of(request.uri().path()).and_then(|resource| {
            resource.check(request.method())?;
            if request.method() == Method::PATCH {
                return self.edit(&resource, request);
            }
            self.serve(&resource, request)
        });
        answer.unwrap_or_else(|problem| problem.reply())
    }

    fn serve(&self, resource: &Resource, request: &Request<Bytes>) -> Answer {
        let body = request.body();
        let (now, routes) = (Instant::now(), self.parts.routes.all());
        match resource {
            Resource::Breakers => {
                let guards = self.workers.values().map(|member| member.guard());
                told(&guards.map(|guard| Breaker::of(guard, now)).collect::<Vec<_>>())
            }
            Resource::Breaker(worker) => told(&Breaker::of(self.guard(worker)?, now)),
            Resource::History(worker) => told(&Change::all(self.guard(worker)?, &self.parts.env, now)),
            Resource::Reset(worker) => self.reset(self.guard(worker)?, body),
            Resource::ForceOpen(worker) => self.force_open(self.guard(worker)?, body),
            Resource::Workers => told(&Worker::all(self.workers.values(), routes, now)),
            Resource::Worker(worker) => told(&Worker::one(self.member(worker)?, routes, now)),
            Resource::Routes => told(&routes.iter().map(|route| Route::from(&**route)).collect::<Vec<_>>()),
            Resource::Route(route) => told(&Route::from(self.route(route)?)),
            Resource::Retry => told(&routes.iter().map(|route| Retry::of(route, now)).collect::<Vec<_>>()),
            Resource::RetryOf(route) => told(&Retry::of(self.route(route)?, now)),
            Resource::Degradation => told(&Shown::of(&self.parts.degradation, &self.parts.env, now)),
            Resource::DegradationStats => told(&Stats::of(&self.parts.degradation)),
            Resource::DegradationTest => {
                body::nothing(body)?;
                told(&Tried::of(&self.parts.degradation, &self.parts.routes, now))
            }
            Resource::LoadBalancing => told(&routes.iter().map(|route| Balancing::from(&**route)).collect::<Vec<_>>()),
            Resource::LoadBalancingOf(route) => told(&Balancing::from(self.route(route)?)),
            Resource::Pools => told(&Pools::from(&self.parts.pools)),
            Resource::Pipeline => told(&self.parts.line.look()),
            Resource::Chaos => self.chaos(request.method(), body),
        }
    }

    /// Changes the settings that a resource shows, and shows it as it is then. What is not there is not edited.
    fn edit(&self, resource: &Resource, request: &Request<Bytes>) -> Answer {
        self.serve(resource, request)?;
        edit(&*self.parts.settings, resource, request.body())?;
        self.serve(resource, request)
    }

    fn chaos(&self, method: &Method, body: &Bytes) -> Answer {
        match *method {
            Method::POST => chaos::order(&self.parts.chaos, body)?,
            Method::DELETE => chaos::end(&self.parts.chaos, body)?,
            _ => {}
        }
        told(&Chaos::of(&self.parts.chaos, &self.parts.env))
    }

    fn reset(&self, guard: &Guard, body: &Bytes) -> Answer {
        body::nothing(body)?;
        guard.reset();
        tracing::info!(worker = guard.worker(), "an operator has reset the breaker");
        told(&Breaker::of(guard, Instant::now()))
    }

    fn force_open(&self, guard: &Guard, body: &Bytes) -> Answer {
        let held = body::hold(body)?;
        guard.force_open(held);
        let for_s = held.as_secs();
        tracing::info!(worker = guard.worker(), for_s, "an operator has opened the breaker");
        told(&Breaker::of(guard, Instant::now()))
    }

    fn guard(&self, worker: &str) -> Result<&Guard, Problem> {
        Ok(self.member(worker)?.guard())
    }

    fn member(&self, worker: &str) -> Result<&Arc<Member>, Problem> {
        self.workers.get(worker).ok_or_else(|| {
            let near = near(worker, self.workers.keys().map(|name| &**name));
            Problem::not_found("No route has a worker of this name.", near)
        })
    }

    fn route(&self, name: &str) -> Result<&routing::Route, Problem> {
        let routes = self.parts.routes.all();
        let route = routes.iter().find(|route| route.name() == name).ok_or_else(|| {
            let near = near(name, routes.iter().map(|route| route.name()));
            Problem::not_found("No route has this name.", near)
        })?;
        Ok(route)
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

// === impl Parts ===

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

/// What was asked for, as JSON.
fn told(what: &impl Serialize) -> Answer {
    let unwritable = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The answer cannot be written.");
    let body = serde_json::to_vec(what).map_err(unwritable)?;
    Ok(reply(StatusCode::OK, "application/json", body))
}

#[cfg(test)]
mod tests;
