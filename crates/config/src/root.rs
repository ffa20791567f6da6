//! The root of the configuration: a struct of the sections that the parts define beside the code that obeys them.

use crate::Profile;
use indexmap::IndexMap;
use orchestrator_degradation::Step;
use orchestrator_inference::{ProviderName, WorkerConfig};
use orchestrator_pipeline::{AnswersConfig, LanesConfig, StageConfig};
use orchestrator_routing::{Pools, RouteConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What the program runs for; by default `prod` when `ENV` is `prod` or `production`, `ci` when `CI` is set, else `dev`.
    pub profile: Profile,
    /// The line of stages.
    pub pipeline: PipelineConfig,
    /// The listeners and their limits.
    pub server: orchestrator_gateway::Config,
    /// Workers by name.
    pub workers: IndexMap<String, WorkerConfig>,
    /// Routes by name: which requests may go to which workers. Without any, all go to the worker of the stage.
    pub routes: IndexMap<String, RouteConfig>,
    /// How many calls the workers of a class make at once, together.
    pub pools: Pools,
    /// What answers when no worker of a route can, and when it does so before they are asked.
    pub degradation: orchestrator_degradation::Config,
    /// Logs.
    pub telemetry: orchestrator_telemetry::Config,
    /// Faults that are injected on purpose.
    pub chaos: orchestrator_resilience::chaos::Config,
    /// How the program goes down.
    pub shutdown: ShutdownConfig,
}

/// The line of stages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineConfig {
    /// A name for people.
    pub name: String,
    /// A version for people.
    pub version: String,
    /// The stages.
    pub stages: Stages,
    /// The gate: where requests wait for a worker.
    pub lanes: LanesConfig,
    /// Retries and breakers.
    pub resilience: orchestrator_resilience::Config,
    /// Which requests share an answer.
    pub deduplication: orchestrator_dedup::Config,
    /// How much answers may hold.
    pub answers: AnswersConfig,
}

/// The stages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stages {
    /// Fingerprint, coalesce, replay; what it shares stands in `[pipeline.deduplication]`.
    pub dedup: StageConfig,
    /// Retrieve passages.
    pub rag: orchestrator_rag::Config,
    /// Make the prompt.
    pub assemble: orchestrator_assemble::Config,
    /// Call a worker.
    pub inference: orchestrator_inference::Config,
    /// Filter what models say.
    pub post_process: orchestrator_post_process::Config,
    /// Drive replies into answers.
    pub stream: orchestrator_stream::Config,
}

/// How the program goes down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ShutdownConfig {
    /// How long new requests are still taken after the signal, in milliseconds, while load balancers learn of it.
    #[schemars(range(min = 0, max = 3_600_000))]
    pub pre_stop_ms: u64,
    /// When what still runs is dropped, in milliseconds from the signal.
    #[schemars(range(min = 1, max = 86_400_000))]
    pub grace_ms: u64,
}

// === impl Config ===

impl Config {
    /// What runs without a document: the echo worker, everything else as it is by default.
    pub fn dev() -> Self {
        Config::default()
    }

    /// Whether faults may be injected on purpose.
    pub fn may_inject_faults(&self) -> bool {
        self.profile != Profile::Prod || self.chaos.allow_in_prod
    }

    /// The configuration with all that it implies: the workers that routes name and no others, and the routes.
    #[must_use]
    pub fn in_full(&self) -> Config {
        Config {
            workers: self.workers_in_use(),
            routes: self.routes(),
            ..self.clone()
        }
    }

    /// The routes; where the document has none that requests take, the first is one for every model to the worker of the
    /// stage. That of the reduced mode, which no request asks for, is the last if it is not declared.
    pub fn routes(&self) -> IndexMap<String, RouteConfig> {
        let mut routes = self.routes.clone();
        if self.implies_a_route() {
            let all = RouteConfig {
                primary: vec![self.pipeline.stages.inference.worker.clone()],
                ..RouteConfig::default()
            };
            routes.shift_insert(0, "default".to_owned(), all);
        }
        if self.degradation.has(Step::Reduced) {
            let reduced = RouteConfig {
                models: Vec::new(),
                primary: self.degradation.reduced.workers.clone(),
                ..RouteConfig::default()
            };
            routes.entry(Step::Reduced.as_str().to_owned()).or_insert(reduced);
        }
        routes
    }

    /// Whether the document has no route that requests take.
    pub(crate) fn implies_a_route(&self) -> bool {
        self.routes.keys().all(|name| self.is_reduced(name))
    }

    /// Whether the route of this name is that of the reduced mode.
    pub(crate) fn is_reduced(&self, route: &str) -> bool {
        route == Step::Reduced.as_str() && self.degradation.has(Step::Reduced)
    }

    /// The worker of this name: a section of the document, or a provider with its usual environment variables.
    pub fn worker(&self, name: &str) -> Option<WorkerConfig> {
        let declared = self.workers.get(name).cloned();
        declared.or_else(|| ProviderName::parse(name).map(WorkerConfig::usual))
    }

    /// The workers that routes name, each once, as far as there are such.
    pub fn workers_in_use(&self) -> IndexMap<String, WorkerConfig> {
        let routes = self.routes();
        let names = routes.values().flat_map(RouteConfig::workers);
        names
            .filter_map(|name| Some((name.clone(), self.worker(name)?)))
            .collect()
    }
}

// === impl ShutdownConfig ===

impl Default for ShutdownConfig {
    fn default() -> Self {
        ShutdownConfig {
            pre_stop_ms: 5_000,
            grace_ms: 25_000,
        }
    }
}

impl ShutdownConfig {
    /// How long new requests are still taken.
    pub fn pre_stop(&self) -> Duration {
        Duration::from_millis(self.pre_stop_ms)
    }

    /// What is left of the grace period once no new request is taken.
    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.grace_ms.saturating_sub(self.pre_stop_ms))
    }
}

#[cfg(test)]
mod tests;
