//! All routes, and which of them a request takes. Cores share them; the gate asks them for room.

use crate::{
    Error, Fit, Member, Metrics, RouteConfig,
    route::{Route, Seat},
    told::Told,
};
use orchestrator_core::{Admission, Capacity, Code, Credit, Failure, Request};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use tokio::{sync::Notify, time::Instant};

/// The routes.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Arc<Route>>,
    rooms: Vec<Room>,
    /// Requests of a route that may be on their way to its workers beyond their free slots.
    head_start: usize,
    freed: Notify,
}

/// Those of a route who wait together. Where streams have limits of their own they wait apart.
#[derive(Clone, Copy, Debug)]
struct Room {
    route: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    Whole,
    Stream,
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
        let mut built: Vec<Arc<Route>> = Vec::new();
        for (name, config) in routes {
            check_models(name, &config, &built)?;
            let tiers = seats(name, &config, members)?;
            built.push(Arc::new(Route::new(name, config, tiers, metrics.route(name))));
        }
        let routes = Arc::new(Routes {
            rooms: rooms(&built),
            routes: built,
            head_start,
            freed: Notify::new(),
        });
        metrics.watch(&routes);
        Ok(routes)
    }

    /// The route of a request: the one with the closest pattern, the first of equals.
    pub(crate) fn of(&self, request: &Request) -> Result<(usize, &Arc<Route>), Failure> {
        let mut best: Option<(Fit, usize, &Arc<Route>)> = None;
        for (index, route) in self.routes.iter().enumerate() {
            let Some(fit) = route.config.fit(&request.model) else {
                continue;
            };
            if best.is_none_or(|(known, ..)| fit > known) {
                best = Some((fit, index, route));
            }
        }
        let unknown =
            || Failure::new(Code::ModelNotFound, "No worker serves the model that was asked for.").at("model");
        best.map(|(_, index, route)| (index, route)).ok_or_else(unknown)
    }

    /// The worker that a request's route would rather call than any other.
    pub fn first_worker(&self, request: &Request) -> Option<&Arc<str>> {
        let (_, route) = self.of(request).ok()?;
        route.seats().next().map(|seat| seat.member.name())
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

    /// A call of some route is over.
    pub(crate) fn freed(&self) -> &Notify {
        &self.freed
    }
}

impl Capacity for Routes {
    fn rooms(&self) -> usize {
        self.rooms.len()
    }

    fn room(&self, request: &Request) -> Result<usize, Failure> {
        let (route, _) = self.of(request)?;
        let is_theirs = |room: &Room| room.route == route && room.kind.takes(request.stream);
        let room = self.rooms.iter().position(is_theirs);
        room.ok_or_else(|| Failure::new(Code::Internal, "The route has no waiting room."))
    }

    fn admit(&self, room: usize) -> Admission {
        let Some((route, kind)) = self.at(room) else {
            return Admission::Refused;
        };
        let is_stream = kind == Kind::Stream;
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

    fn slots(&self, room: usize) -> usize {
        let slots = |(route, kind): (&Arc<Route>, Kind)| route.slots(kind == Kind::Stream, Instant::now());
        self.at(room).map_or(0, slots)
    }

    fn plan(&self, request: &Request) -> Result<Value, Failure> {
        let (_, route) = self.of(request)?;
        let unwritable = |error| Failure::new(Code::Internal, "The plan cannot be told.").with_source(error);
        serde_json::to_value(Told::of(route, request)).map_err(unwritable)
    }
}

impl Routes {
    fn at(&self, room: usize) -> Option<(&Arc<Route>, Kind)> {
        let room = self.rooms.get(room)?;
        Some((self.routes.get(room.route)?, room.kind))
    }
}

// === impl Kind ===

impl Kind {
    fn takes(self, is_stream: bool) -> bool {
        match self {
            Kind::Any => true,
            Kind::Whole => !is_stream,
            Kind::Stream => is_stream,
        }
    }
}

/// No two routes may claim the same pattern.
fn check_models(name: &str, config: &RouteConfig, others: &[Arc<Route>]) -> Result<(), Error> {
    for other in others {
        let same = config.models.iter().find(|model| other.config.models.contains(model));
        if let Some(model) = same {
            return Err(Error::Ambiguous {
                first: other.name.to_string(),
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
            weight: config.weight(worker),
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

fn rooms(routes: &[Arc<Route>]) -> Vec<Room> {
    let kinds = |route: &Arc<Route>| -> &[Kind] {
        match (route.config.stream_soft_limit, route.config.stream_hard_limit) {
            (None, None) => &[Kind::Any],
            _ => &[Kind::Whole, Kind::Stream],
        }
    };
    let routes = routes.iter().enumerate();
    routes
        .flat_map(|(route, at)| kinds(at).iter().map(move |&kind| Room { route, kind }))
        .collect()
}

#[cfg(test)]
mod tests;
