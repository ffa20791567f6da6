//! Who is who: the only place that knows all parts by name.

use crate::{
    OrchestratorError,
    core::{Build, Cores},
    overview::Overview,
    settings::InForce,
    workers::{Workers, default_model, models},
};
use orchestrator_admin::{self as admin, Admin};
use orchestrator_assemble::{Assemble, Target};
use orchestrator_config::Config;
use orchestrator_core::{Blocking, Env, Ledger, LineMetrics, Live, Model, Request, Retriever, Tasks};
use orchestrator_dedup::Dedup;
use orchestrator_degradation::{Chain, Degradation, Step};
use orchestrator_gateway::{Director, Gateway, Listed, Parts as DoorParts, life};
use orchestrator_inference::Inference;
use orchestrator_pipeline::{Gate, Parts, Size, Sizes, start};
use orchestrator_post_process::PostProcess;
use orchestrator_rag::{Index, Rag};
use orchestrator_routing::Router;
use orchestrator_stream::Stream;
use orchestrator_telemetry::{Logs, Registry, log};
use std::{num::NonZeroUsize, sync::Arc, thread::available_parallelism};

/// The parts that all cores share, built.
pub(crate) struct Wiring {
    env: Env,
    registry: Registry,
    logs: Logs,
    ledger: Arc<Ledger>,
    workers: Workers,
    degradation: Arc<Degradation>,
    models: Vec<Listed>,
    rag: Arc<Rag>,
    index: Option<Arc<Index>>,
    blocking: Blocking,
    threads: usize,
}

// === impl Wiring ===

impl Wiring {
    /// Starts logs and metrics, and builds what all cores share.
    pub(crate) fn new(config: &Config) -> Result<Self, OrchestratorError> {
        let env = Env::system();
        let registry = Registry::new(env!("CARGO_PKG_VERSION"), env.unix_time())?;
        let clock = env.clone();
        let clock = Arc::new(move || clock.unix_time());
        let logs = log::start(&config.telemetry, log::Output::stderr(), clock, registry.metrics())?;
        log::panics(&logs);
        let answers = &config.pipeline.answers;
        let ledger = Ledger::new(
            answers.max_answer_bytes,
            answers.max_log_bytes,
            config.server.max_in_flight,
        );
        let cores = || available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = config.server.threads.unwrap_or_else(cores);
        let workers = Workers::build(config, threads, &env, &registry)?;
        let degradation = degradation(config, &workers, &registry)?;
        let rag_metrics = orchestrator_rag::Metrics::register(registry.metrics())?;
        let rag = config.pipeline.stages.rag.clone();
        let blocking = Blocking::new(threads);
        let index = Index::open(&rag, blocking.clone(), rag_metrics.clone())?;
        warn(config);
        Ok(Wiring {
            rag: Arc::new(Rag::new(
                rag,
                index
                    .clone()
                    .map(|index| workers.chaos.retriever(index as Arc<dyn Retriever>)),
                rag_metrics,
            )),
            index,
            blocking,
            env,
            registry,
            logs,
            ledger,
            workers,
            degradation,
            models: models(config),
            threads,
        })
    }

    /// Binds the listeners, starts a line on each core, and opens the doors.
    pub(crate) fn start(self, config: &Config) -> Result<(Cores, Director), OrchestratorError> {
        let gateway = Gateway::bind(config.server.listen, config.server.admin_listen)?;
        let addresses = (
            gateway.address().unwrap_or(config.server.listen),
            gateway.admin_address().unwrap_or(config.server.admin_listen),
        );
        if let Some(index) = self.index.clone() {
            drop(Tasks::new().spawn(index.follow()));
        }
        let (director, life) = life();
        let (builds, line) = self.builds(config)?;
        let admin = self.admin(config, line);
        let chaos = self.workers.chaos.clone();
        let doors = DoorParts {
            config: Arc::new(config.server.clone()),
            env: self.env.clone(),
            life: life.clone(),
            access: self.logs.access(),
            metrics: orchestrator_gateway::Metrics::register(self.registry.metrics())?,
            registry: self.registry.clone(),
            admin_token: admin_token(config)?.into(),
            control: Arc::new(move |request| admin.answer(&request)),
            chaos: Arc::new(move |words| chaos.check(words)),
            models: self.models.clone(),
            default_model: default_model(config),
        };
        let open = |lines| gateway.open(doors, lines);
        let cores = Cores::start(builds, &life, self.ledger, (addresses, self.logs), open)?;
        Ok((cores, director))
    }

    /// What assembly knows of the models that read its prompts.
    fn target(&self, config: &Config) -> Target {
        Target {
            model: Some(self.workers.model_names(config)),
            max_tokens: config.pipeline.stages.inference.max_tokens,
        }
    }

    fn admin(&self, config: &Config, line: Overview) -> Admin {
        Admin::new(admin::Parts {
            routes: self.workers.routes.clone(),
            pools: self.workers.pools.clone(),
            settings: Arc::new(InForce::new(config, self.workers.clone(), line.gate.clone())),
            line: Arc::new(line),
            degradation: self.degradation.clone(),
            chaos: self.workers.chaos.clone(),
            env: self.env.clone(),
        })
    }

    /// What builds a line on each core, and what there is to see of them.
    fn builds(&self, config: &Config) -> Result<(Vec<Build>, Overview), OrchestratorError> {
        let metrics = self.registry.metrics();
        let stages = &config.pipeline.stages;
        let line_metrics = LineMetrics::register(metrics)?;
        let gate_metrics = orchestrator_pipeline::Metrics::register(metrics, self.ledger.clone())?;
        let dedup_metrics = orchestrator_dedup::Metrics::register(metrics)?;
        let dedup = Live::fixed(config.pipeline.deduplication.clone());
        let dedup = Dedup::new(dedup, self.ledger.clone(), dedup_metrics, self.blocking.clone());
        let filters = orchestrator_post_process::Metrics::register(metrics)?;
        let shared = Shared {
            dedup: Arc::new(dedup),
            gate: Gate::new(
                self.workers.routes.clone(),
                Live::fixed(config.pipeline.lanes.clone()),
                gate_metrics.clone(),
            ),
            rag: self.rag.clone(),
            assemble: Arc::new(Assemble::build(
                &stages.assemble,
                self.target(config),
                self.blocking.clone(),
            )?),
            post_process: Arc::new(PostProcess::build(&stages.post_process, &filters)?),
        };
        let overview = Overview::new(
            config,
            (sizes(config), self.threads),
            shared.gate.clone(),
            (line_metrics.clone(), self.ledger.clone()),
        );
        let line = |core| {
            let (shared, workers, ledger, sizes) =
                (shared.clone(), self.workers.clone(), self.ledger.clone(), sizes(config));
            let degradation = self.degradation.clone();
            let metrics = (line_metrics.clone(), gate_metrics.clone());
            let build = move |tasks: Tasks| {
                let router = Arc::new(workers.for_core(core, &|name| std::env::var(name).ok())?);
                if core == 0 {
                    workers.watch_health(&router);
                }
                Ok(start(
                    shared.parts(Inference::new(model(router, degradation))),
                    sizes,
                    ledger,
                    tasks,
                    metrics,
                ))
            };
            Box::new(build) as Build
        };
        Ok(((0..self.threads).map(line).collect(), overview))
    }
}

/// What all cores share of what stands in for the workers of those routes that requests take.
fn degradation(config: &Config, workers: &Workers, registry: &Registry) -> Result<Arc<Degradation>, OrchestratorError> {
    let metrics = orchestrator_degradation::Metrics::register(registry.metrics())?;
    let routes = workers.routes.clone();
    let all = routes.all().iter().enumerate();
    let taken = all.filter(|(_, route)| !route.config().models.is_empty());
    let (numbers, names): (Vec<_>, Vec<_>) = taken.map(|(number, route)| (number, route.name().into())).unzip();
    let route_of = Arc::new(move |request: &Request| numbers.binary_search(&routes.number(request)?).ok());
    Ok(Degradation::new(config.degradation.clone(), names, route_of, &metrics))
}

/// The workers of all routes, with what stands in for them if anything does.
fn model(router: Arc<Router>, degradation: Arc<Degradation>) -> Arc<dyn Model> {
    if !degradation.config().is_on() {
        return router;
    }
    let reduced = router.only(Step::Reduced.as_str());
    Arc::new(Chain::new(degradation, router, reduced))
}

/// The stages that serve the lines of all cores.
#[derive(Clone)]
struct Shared {
    dedup: Arc<Dedup>,
    gate: Gate,
    rag: Arc<Rag>,
    assemble: Arc<Assemble>,
    post_process: Arc<PostProcess>,
}

// === impl Shared ===

impl Shared {
    fn parts(self, inference: Inference) -> Parts {
        let Shared {
            dedup,
            gate,
            rag,
            assemble,
            post_process,
        } = self;
        Parts {
            dedup,
            gate,
            rag,
            assemble,
            inference: Arc::new(inference),
            post_process,
            stream: Arc::new(Stream),
        }
    }
}

fn sizes(config: &Config) -> Sizes {
    let stages = &config.pipeline.stages;
    let size = |width, capacity| Size {
        width: Live::fixed(width),
        capacity,
    };
    Sizes {
        dedup: size(stages.dedup.width, stages.dedup.capacity),
        gate: size(config.server.max_in_flight, stages.dedup.capacity),
        rag: size(stages.rag.width, stages.rag.capacity),
        assemble: size(stages.assemble.width, stages.assemble.capacity),
        inference: size(stages.inference.width, stages.inference.capacity),
        post_process: size(stages.post_process.width, stages.post_process.capacity),
        stream: size(stages.stream.width, stages.stream.capacity),
    }
}

/// A token that was there when the document was checked may be gone: then the doors stay shut rather than open to all.
pub(crate) fn admin_token(config: &Config) -> Result<String, OrchestratorError> {
    let token = config.server.admin_token.resolve(|name| std::env::var(name).ok());
    token.map_err(OrchestratorError::AdminToken)
}

/// What an operator should know before the first request.
fn warn(config: &Config) {
    if !config.server.listen.ip().is_loopback() {
        tracing::warn!(listen = %config.server.listen, "everybody who reaches this address may ask: no key is asked for");
    }
    let (chaos, profile) = (&config.chaos, config.profile.as_str());
    if chaos.enabled {
        tracing::warn!(
            profile,
            seed = chaos.seed,
            "chaos is on: faults are injected on purpose"
        );
    }
    if chaos.allow_header {
        tracing::warn!(profile, "clients may have faults injected into their own requests");
    }
    let rag = &config.pipeline.stages.rag;
    if rag.enabled && rag.folder.is_none() {
        tracing::warn!("retrieval is on but names no `folder`: requests go on without passages");
    }
}
