//! The workers, what stands around their calls, and the routes over them.

use crate::OrchestratorError;
use orchestrator_assemble::NameOf;
use orchestrator_config::Config;
use orchestrator_core::{Env, Model, Tasks, Text};
use orchestrator_gateway::Listed;
use orchestrator_inference::{Health, PoolName, WorkerSpec};
use orchestrator_resilience::{
    Guard,
    chaos::{self, Patience, Switch},
};
use orchestrator_routing::{Fit, Member, PoolSlots, Probing, Router, Routes};
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
    /// In the order of their specs.
    members: Vec<Arc<Member>>,
    pub(crate) pools: PoolSlots,
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
        let pools = PoolSlots::new(&config.pools);
        let (mut specs, mut members) = (Vec::new(), Vec::new());
        for (name, worker) in config.workers_in_use() {
            let resilience = worker.resilience.over(&config.pipeline.resilience);
            let rng = env.random(&format!("breaker of {name}"));
            let guard = Guard::new(name.as_str().into(), resilience, worker.max_concurrent, rng, &guards);
            let pool = worker.pool.map(|pool| match pool {
                PoolName::Fast => pools.fast.clone(),
                PoolName::Slow => pools.slow.clone(),
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
            members,
            pools,
            env: env.clone(),
        })
    }

    /// Obeys from the next request on what of this configuration may change at work: limits, balance, weights and budgets.
    /// Those who wait for what this makes room for go on.
    pub(crate) fn obey(&self, config: &Config) {
        self.pools.change(&config.pools);
        for member in &self.members {
            if let Some(worker) = config.workers.get(&**member.name()) {
                member.guard().set_max_concurrent(worker.max_concurrent);
            }
        }
        for route in self.routes.all() {
            if let Some(config) = config.routes.get(route.name()) {
                route.change(config.clone());
            }
        }
        self.routes.look_again();
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

/// The models that clients may ask for: those that routes name, the stage's, and where a route serves all models those of
/// its workers. Where none has a name there, the workers stand for them by their own.
pub(crate) fn models(config: &Config) -> Vec<Listed> {
    let workers = config.workers_in_use();
    let listed = |id: &str, provider: &str| Listed {
        id: id.to_owned(),
        owned_by: provider.to_owned(),
    };
    let (mut models, mut stand_ins) = (Vec::new(), Vec::new());
    for route in config.routes().values() {
        let workers = || route.workers().filter_map(|name| Some((name, workers.get(name)?)));
        let provider = workers().map(|(_, worker)| worker.provider.as_str()).next();
        let provider = provider.unwrap_or("orchestrator");
        let exact = route.models.iter().filter(|model| !model.ends_with('*'));
        models.extend(exact.map(|model| listed(model, provider)));
        let usual = config.pipeline.stages.inference.model.iter();
        let usual = usual.filter(|model| Fit::best(&route.models, model).is_some());
        models.extend(usual.map(|model| listed(model, provider)));
        if route.models.iter().any(|model| model == "*") {
            for (name, worker) in workers() {
                let provider = worker.provider.as_str();
                models.extend(worker.model.as_deref().map(|model| listed(model, provider)));
                stand_ins.push(listed(name, provider));
            }
        }
    }
    if models.is_empty() {
        models = stand_ins;
    }
    let mut seen = BTreeSet::new();
    models.retain(|model| seen.insert(model.id.clone()));
    models
}

/// The model of a request that names none: the stage's, else the first that is listed.
pub(crate) fn default_model(config: &Config) -> Option<Text> {
    let stated = config.pipeline.stages.inference.model.as_deref().map(Text::from);
    stated.or_else(|| models(config).first().map(|model| model.id.as_str().into()))
}
