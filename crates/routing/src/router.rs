//! The routes as one core calls them: a model made of models.

use crate::{Routes, course::Course, health::Watch, load::Counted, route::Route};
use async_trait::async_trait;
use futures_util::StreamExt;
use orchestrator_core::{Code, Cx, Failure, Model, Prompt, Reply};
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng};
use std::{
    fmt,
    future::{Future, ready},
    sync::Arc,
};
use tokio::task::JoinSet;

/// Calls the workers of a request's route until one answers.
pub struct Router {
    pub(crate) routes: Arc<Routes>,
    /// In the order of the members that the routes were built over.
    models: Vec<Arc<dyn Model>>,
    /// Draws the pauses between calls.
    pub(crate) rng: Mutex<StdRng>,
}

/// One of its routes, for requests that were let on to another.
#[derive(Debug)]
struct Only {
    router: Arc<Router>,
    route: Arc<Route>,
}

// === impl Router ===

impl Router {
    /// The routes over these models, in the order of their members: each makes one call and leaves guard and retries to us.
    pub fn new(routes: Arc<Routes>, models: Vec<Arc<dyn Model>>, rng: StdRng) -> Self {
        Router {
            routes,
            models,
            rng: Mutex::new(rng),
        }
    }

    /// Probes the workers, each in a task of its own, until it is dropped. One core does it for all. Must run on a runtime.
    pub fn watch_health(&self, mut rng: StdRng) -> impl Future<Output = ()> + Send + 'static {
        let members = self.routes.members().into_iter();
        let watches: Vec<Watch> = members
            .filter_map(|(index, member)| {
                let model = self.model(index)?.clone();
                Some(Watch::new(member, model, StdRng::from_rng(&mut rng)))
            })
            .collect();
        async move {
            let mut tasks: JoinSet<()> = watches.into_iter().map(Watch::run).collect();
            while tasks.join_next().await.is_some() {}
        }
    }

    /// The route of this name as a model, whatever model a request asks for. Nobody waits at the gate for it, so a request that
    /// its hard limit does not allow is refused here; one that it answers is no longer on its way to the route that it was
    /// let on to.
    pub fn only(self: &Arc<Self>, name: &str) -> Option<Arc<dyn Model>> {
        let route = self.routes.named(name)?.clone();
        let router = self.clone();
        Some(Arc::new(Only { router, route }))
    }

    pub(crate) fn model(&self, member: usize) -> Option<&Arc<dyn Model>> {
        self.models.get(member)
    }
}

#[async_trait]
impl Model for Router {
    async fn call(&self, cx: &Cx, prompt: &Prompt) -> Result<Reply, Failure> {
        let (_, route) = self.routes.of(&prompt.request)?;
        let called = Course::new(self, route, (cx, cx.admitted()), prompt).run().await;
        // Whoever answers now, it is none of these workers.
        if let (Err(_), Some(admitted)) = (&called, cx.admitted()) {
            admitted.give_back();
        }
        called
    }
}

// === impl Only ===

#[async_trait]
impl Model for Only {
    async fn call(&self, cx: &Cx, prompt: &Prompt) -> Result<Reply, Failure> {
        let counted = self.route.requests.enter(prompt.request.stream).ok_or_else(full)?;
        let reply = Course::new(&self.router, &self.route, (cx, None), prompt).run().await?;
        if let Some(admitted) = cx.admitted() {
            admitted.give_back();
        }
        Ok(counted.ride(reply))
    }
}

fn full() -> Failure {
    Failure::new(Code::Overloaded, "As many requests of this route run as may.")
}

impl Counted {
    /// Counts until the reply is dropped.
    fn ride(self, reply: Reply) -> Reply {
        let pass = |_: &mut Counted, batch| ready(Some(batch));
        Reply {
            head: reply.head,
            events: reply.events.scan(self, pass).boxed(),
        }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
