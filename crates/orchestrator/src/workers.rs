//! The workers, what stands around their calls, and the routes over them.

use crate::OrchestratorError;
use orchestrator_assemble::NameOf;
use orchestrator_config::Config;
use orchestrator_core::{Env, Model, Tasks, Text};
use orchestrator_gateway::Listed;
use orchestrator_inference::{Health, PoolName, WorkerSpec};
use orchestrator_resilience::{
    Guard, Slots,
    chaos::{self, Patience, Switch},
};
use orchestrator_routing::{Member, Probing, Router, Routes};
use orchestrator_telemetry::Registry;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// What all cores share of the workers, and what a core needs to call them.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    specs: Vec<WorkerSpec>,
    pub(crate) routes: Arc<Routes>,
    /// What befalls their calls on purpose.
    pub(crate) chaos: Switch,
    env: Env,
}

// === impl Workers ===

impl Workers {
    /// The workers that routes name, behind their guards, and the routes. A slot that comes free finds a request on its way
    /// on each core.
    pub(crate) fn build(
        config: &Config,
        cores: usize,
        env: &Env,
        registry: &Registry,
    ) -> Result<Self, OrchestratorError> {
        let calls = orchestrator_inference::Metrics::register(registry.metrics())?;
        let guards = orchestrator_resilience::Metrics::register(registry.metrics())?;
        let routing = orchestrator_routing::Metrics::register(registry.metrics())?;
        let [fast, slow] = [config.pools.fast, config.pools.slow].map(Slots::new);
        let (mut specs, mut members) = (Vec::new(), Vec::new());
        for (name, worker) in config.workers_in_use() {
            let resilience = worker.resilience.over(&config.pipeline.resilience);
            let rng = env.random(&format!("breaker of {name}"));
            let guard = Guard::new(name.as_str().into(), resilience, worker.max_concurrent, rng, &guards);
            let pool = worker.pool.map(|pool| match pool {
                PoolName::Fast => fast.clone(),
                PoolName::Slow => slow.clone(),
            });
            members.push(Arc::new(Member::new(guard, pool).probed_by(probing(&worker.health))));
            let world = (env.clone(), calls.clone());
            specs.push(WorkerSpec::new(&name, worker, &config.pipeline.stages.inference, world));
        }
        let routes = config.routes();
        let routes = routes.iter().map(|(name, route)| (name.as_str(), route.clone()));
        Ok(Workers {
            routes: Routes::build(routes, &members, cores, &routing)?,
            chaos: chaos(config, registry)?,
            specs,
            env: env.clone(),
        })
    }

    /// The name at its worker of the model that a request is for: at the one that its route would rather call.
    pub(crate) fn model_names(&self, config: &Config) -> Arc<NameOf> {
        let workers = config.workers_in_use().into_iter();
        let names = workers.filter_map(|(worker, config)| Some((worker, Text::from(config.model?))));
        let (names, routes): (BTreeMap<String, Text>, _) = (names.collect(), self.routes.clone());
        Arc::new(move |request| names.get(&**routes.first_worker(request)?).cloned())
    }

    /// The routes for one core, with connections of its own. `lookup` reads environment variables.
    pub(crate) fn for_core(
        &self,
        core: usize,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Router, OrchestratorError> {
        let model = |spec: &WorkerSpec| {
            let model = Arc::new(spec.for_core(lookup)?) as Arc<dyn Model>;
            let (first_token, idle) = spec.patience();
            Ok(self.chaos.model(spec.name(), Patience { first_token, idle }, model))
        };
        let models = self.specs.iter().map(model).collect::<Result<_, OrchestratorError>>()?;
        let rng = self.env.random(&format!("retries on core {core}"));
        Ok(Router::new(self.routes.clone(), models, rng))
    }

    /// Probes all workers through the connections of this router's core, for as long as its runtime runs: nobody waits for
    /// it to end.
    pub(crate) fn watch_health(&self, router: &Router) {
        drop(Tasks::new().spawn(router.watch_health(self.env.random("health"))));
    }
}

/// The switch of the faults in calls of these workers, and in searches.
fn chaos(config: &Config, registry: &Registry) -> Result<Switch, OrchestratorError> {
    let metrics = chaos::Metrics::register(registry.metrics())?;
    let workers = config.workers_in_use();
    let workers = workers.keys().map(|name| Arc::from(name.as_str()));
    let is_allowed = config.may_inject_faults();
    Ok(Switch::new(&config.chaos, is_allowed, workers, metrics))
}

fn probing(health: &Health) -> Probing {
    Probing {
        interval: Duration::from_secs(health.interval_s),
        timeout: Duration::from_millis(health.timeout_ms),
        down_after: health.down_after,
        up_after: health.up_after,
    }
}

/// The models that clients may ask for: those that routes and workers name, else the workers by their own names.
pub(crate) fn models(config: &Config) -> Vec<Listed> {
    let workers = config.workers_in_use();
    let listed = |id: &str, provider: &str| Listed {
        id: id.to_owned(),
        owned_by: provider.to_owned(),
    };
    let mut models: Vec<Listed> = Vec::new();
    for route in config.routes().values() {
        let provider = route
            .workers()
            .find_map(|name| workers.get(name))
            .map(|worker| worker.provider);
        let provider = provider.map_or("orchestrator", |provider| provider.as_str());
        let exact = route.models.iter().filter(|model| !model.ends_with('*'));
        models.extend(exact.map(|model| listed(model, provider)));
        if route.models.iter().any(|model| model == "*") {
            let usual = config.pipeline.stages.inference.model.iter();
            models.extend(usual.map(|model| listed(model, provider)));
            let workers = route.workers().filter_map(|name| workers.get(name));
            models
                .extend(workers.filter_map(|worker| Some(listed(worker.model.as_deref()?, worker.provider.as_str()))));
        }
    }
    if models.is_empty() {
        models.extend(
            workers
                .iter()
                .map(|(name, worker)| listed(name, worker.provider.as_str())),
        );
    }
    let mut seen = BTreeSet::new();
    models.retain(|model| seen.insert(model.id.clone()));
    models
}
