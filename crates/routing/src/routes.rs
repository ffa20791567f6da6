//! All routes, and which of them a request takes. Cores share them; the gate asks them for room.

use crate::{
    Error, Fit, Member, Metrics, RouteConfig,
    hold::Hold,
    route::{ROOMS, Route, Seat},
    told::Told,
};
use orchestrator_core::{Admission, Capacity, Code, Credit, Failure, Request};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The routes.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Arc<Route>>,
    /// Requests of a route that may be on their way to its workers beyond their free slots.
    head_start: usize,
    metrics: Metrics,
}

// === impl Routes ===

impl Routes {
    /// The routes of these names over `members`. `head_start` requests of a route are let on for slots that are not free
    /// yet, so that a slot which comes free finds its next request on the way. No fewer than threads that ask for room at
    /// once: they see each other's question as a request on its way, and whoever is refused shall be able to count on one
    /// that really is.
    ///
    /// # Errors
    /// A route without workers or with one that there is not; two routes for the same models.
    pub fn build<'a>(
        routes: impl IntoIterator<Item = (&'a str, RouteConfig)>,
        members: &[Arc<Member>],
        head_start: usize,
        metrics: &Metrics,
    ) -> Result<Arc<Self>, Error> {
        let mut built: Vec<Route> = Vec::new();
        for (name, config) in routes {
            check_models(name, &config, &built)?;
            let tiers = seats(name, &config, members)?;
            built.push(Route::new(name, config, tiers, metrics.route(name)));
        }
        Route::relate(&mut built);
        let routes = Arc::new(Routes {
            routes: built.into_iter().map(Arc::new).collect(),
            head_start,
            metrics: metrics.clone(),
        });
        metrics.watch(&routes);
        Ok(routes)
    }

    /// The route of a request: the one with the closest pattern, the first of equals.
    pub(crate) fn of(&self, request: &Request) -> Result<(usize, &Arc<Route>), Failure> {
        let mut best: Option<(Fit, usize, &Arc<Route>)> = None;
        for (index, route) in self.routes.iter().enumerate() {
            let Some(fit) = route.fit(&request.model) else {
                continue;
            };
            if best.is_none_or(|(known, ..)| fit > known) {
                best = Some((fit, index, route));
            }
        }
        best.map(|(_, index, route)| (index, route)).ok_or_else(unknown_model)
    }

    /// The worker that a request's route would rather call than any other.
    pub fn first_worker(&self, request: &Request) -> Option<&Arc<str>> {
        let (_, route) = self.of(request).ok()?;
        let seats = route.seats().map(|seat| &seat.member);
        let first = route.members(route.first_tier(request)).chain(seats).next();
        first.map(|member| member.name())
    }

    /// The number of a request's route among all; `None` for one that nobody serves.
    pub fn number(&self, request: &Request) -> Option<usize> {
        self.of(request).ok().map(|(number, _)| number)
    }

    /// The route of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| *route.name == *name)
    }

    /// Every route, in the order of the document.
    pub fn all(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Every worker that a route calls, by its number.
    pub(crate) fn members(&self) -> BTreeMap<usize, Arc<Member>> {
        let seats = self.routes.iter().flat_map(|route| route.seats());
        seats.map(|seat| (seat.index, seat.member.clone())).collect()
    }

    /// Calls those who wait for a call to be over, since there may be room for them without: a limit was raised.
    pub fn look_again(&self) {
        self.routes.iter().for_each(|route| route.freed.notify_waiters());
    }
}

impl Capacity for Routes {
    fn rooms(&self) -> usize {
        self.routes.len().saturating_mul(ROOMS)
    }

    fn room(&self, request: &Request) -> Result<usize, Failure> {
        let (index, route) = self.of(request).inspect_err(|_| self.metrics.unknown_model())?;
        let room = route.room(request.stream);
        Ok(index.saturating_mul(ROOMS).saturating_add(room))
    }

    fn admit(&self, room: usize) -> Admission {
        let Some((route, is_stream)) = self.at(room) else {
            return Admission::Refused;
        };
        let Some(counted) = route.requests.enter(is_stream) else {
            return Admission::Refused;
        };
        // Those on their way, this one included, that no head start covers.
        let on_the_way = route.requests.all().saturating_sub(route.running());
        let needed = on_the_way.saturating_sub(self.head_start);
        let has_room = needed == 0
            || route
                .free(is_stream, needed, Instant::now())
                .is_none_or(|free| free >= needed);
        match has_room {
            true => Admission::Granted(Credit::new(counted)),
            false => Admission::Full,
        }
    }

    fn interval(&self, room: usize) -> Duration {
        let Some((route, is_stream)) = self.at(room) else {
            return Duration::ZERO;
        };
        let mean = route.hold(room % ROOMS).map_or(Duration::ZERO, Hold::mean);
        let slots = route.slots(is_stream, Instant::now()).max(1);
        mean.div_f64(slots as f64)
    }

    fn shares(&self, room: usize, other: usize) -> bool {
        let routes = self.at(room).zip(self.at(other));
        routes.is_some_and(|((route, _), (other, _))| route.shares(other))
    }

    fn plan(&self, request: &Request) -> Result<Value, Failure> {
        let (_, route) = self.of(request)?;
        let unwritable = |error| Failure::new(Code::Internal, "The plan cannot be told.").with_source(error);
        serde_json::to_value(Told::of(route, request)).map_err(unwritable)
    }
}

impl Routes {
    /// The route of a room, and whether it is that of streams alone.
    fn at(&self, room: usize) -> Option<(&Arc<Route>, bool)> {
        let route = self.routes.get(room / ROOMS)?;
        Some((route, room % ROOMS == 1))
    }
}

/// What is told of a request that no route serves.
pub(crate) fn unknown_model() -> Failure {
    Failure::new(Code::ModelNotFound, "No worker serves the model that was asked for.").at("model")
}

/// No two routes may claim the same pattern.
fn check_models(name: &str, config: &RouteConfig, others: &[Route]) -> Result<(), Error> {
    for other in others {
        if let Some(model) = other.shared_model(&config.models) {
            return Err(Error::Ambiguous {
                first: other.name().to_owned(),
                second: name.to_owned(),
                model: model.clone(),
            });
        }
    }
    Ok(())
}

/// The workers of a route, by tier.
fn seats(name: &str, config: &RouteConfig, members: &[Arc<Member>]) -> Result<[Vec<Seat>; 3], Error> {
    let seat = |worker: &String| {
        let mut known = members.iter().enumerate();
        let (index, member) =
            known
                .find(|(_, member)| **member.name() == **worker)
                .ok_or_else(|| Error::UnknownWorker {
                    route: name.to_owned(),
                    worker: worker.clone(),
                })?;
        Ok(Seat {
            index,
            key: member.key(),
            member: member.clone(),
            pool: None,
            before: [false; 3],
        })
    };
    let tier = |workers: &[String]| workers.iter().map(seat).collect::<Result<Vec<_>, Error>>();
    let tiers = [tier(&config.primary)?, tier(&config.secondary)?, tier(&config.backup)?];
    if tiers.iter().all(Vec::is_empty) {
        return Err(Error::NoWorker { route: name.to_owned() });
    }
    Ok(tiers)
}

#[cfg(test)]
mod tests;
