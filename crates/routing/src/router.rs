//! The routes as one core calls them: a model made of models.

use crate::{Routes, course::Course, health::Watch, route::Route};
use async_trait::async_trait;
use orchestrator_core::{Cx, Failure, Model, Prompt, Reply};
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng};
use std::{fmt, future::Future, sync::Arc};
use tokio::task::JoinSet;

/// Calls the workers of a request's route until one answers.
pub struct Router {
    pub(crate) routes: Arc<Routes>,
    /// In the order of the members that the routes were built over.
    models: Vec<Arc<dyn Model>>,
    /// Draws the pauses between calls.
    pub(crate) rng: Mutex<StdRng>,
}

/// One of its routes, for requests that do not choose by their model.
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

    /// The route of this name as a model, whatever model a request asks for.
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
        Course::new(self, route, cx, prompt).run().await
    }
}

// === impl Only ===

#[async_trait]
impl Model for Only {
    async fn call(&self, cx: &Cx, prompt: &Prompt) -> Result<Reply, Failure> {
        Course::new(&self.router, &self.route, cx, prompt).run().await
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
