//! Answers operators: a path names what is read or steered, and it is done at once.
//!
//! Nothing is waited for, and only POST and DELETE change anything. Who may ask was decided before, at the door.

use crate::{
    balancing::Balancing,
    body,
    breaker::{Breaker, Change},
    chaos::{self, Chaos},
    problem::{Problem, reply},
    resource::Resource,
    retry::Retry,
    route::Route,
    worker::Worker,
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use orchestrator_core::{Env, Tier, near};
use orchestrator_resilience::{Guard, chaos::Switch};
use orchestrator_routing::{Member, Routes};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::Instant;

/// The control plane. Cores share it.
#[derive(Debug)]
pub struct Admin {
    routes: Arc<Routes>,
    /// The workers of all routes, by name.
    workers: BTreeMap<Arc<str>, Arc<Member>>,
    chaos: Switch,
    env: Env,
}

type Answer = Result<Response<Bytes>, Problem>;

// === impl Admin ===

impl Admin {
    /// The control plane of these routes, and of the faults in their calls; `env` tells operators the time.
    pub fn new(routes: Arc<Routes>, chaos: Switch, env: Env) -> Self {
        let tiers = routes
            .all()
            .iter()
            .flat_map(|route| Tier::ALL.map(|tier| route.members(tier)));
        let members = tiers.flatten().map(|member| (member.name().clone(), member.clone()));
        Admin {
            workers: members.collect(),
            routes,
            chaos,
            env,
        }
    }

    /// Answers a request whose path begins with `/api/v1/`. HEAD is answered as GET, with a body for the door to leave out.
    pub fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let answer = Resource::of(request.uri().path()).and_then(|resource| {
            resource.check(request.method())?;
            self.serve(&resource, request)
        });
        answer.unwrap_or_else(|problem| problem.reply())
    }

    fn serve(&self, resource: &Resource, request: &Request<Bytes>) -> Answer {
        let body = request.body();
        let (now, routes) = (Instant::now(), self.routes.all());
        match resource {
            Resource::Breakers => {
                let guards = self.workers.values().map(|member| member.guard());
                told(&guards.map(|guard| Breaker::of(guard, now)).collect::<Vec<_>>())
            }
            Resource::Breaker(worker) => told(&Breaker::of(self.guard(worker)?, now)),
            Resource::History(worker) => told(&Change::all(self.guard(worker)?, &self.env, now)),
            Resource::Reset(worker) => self.reset(self.guard(worker)?, body),
            Resource::ForceOpen(worker) => self.force_open(self.guard(worker)?, body),
            Resource::Workers => told(&Worker::all(self.workers.values(), routes, now)),
            Resource::Routes => told(&routes.iter().map(|route| Route::from(&**route)).collect::<Vec<_>>()),
            Resource::Retry => told(&routes.iter().map(|route| Retry::of(route, now)).collect::<Vec<_>>()),
            Resource::LoadBalancing => told(&routes.iter().map(|route| Balancing::from(&**route)).collect::<Vec<_>>()),
            Resource::Chaos => self.chaos(request.method(), body),
        }
    }

    fn chaos(&self, method: &Method, body: &Bytes) -> Answer {
        match *method {
            Method::POST => chaos::order(&self.chaos, body)?,
            Method::DELETE => chaos::end(&self.chaos, body)?,
            _ => {}
        }
        told(&Chaos::of(&self.chaos, &self.env))
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
        let member = self.workers.get(worker).ok_or_else(|| {
            let near = near(worker, self.workers.keys().map(|name| &**name));
            Problem::not_found("No route has a worker of this name.", near)
        })?;
        Ok(member.guard())
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
