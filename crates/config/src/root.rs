//! The root of the configuration: a struct of the sections that the parts define beside the code that obeys them.

use indexmap::IndexMap;
use orchestrator_inference::{ProviderName, WorkerConfig};
use orchestrator_pipeline::{AnswersConfig, LanesConfig, StageConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The line of stages.
    pub pipeline: PipelineConfig,
    /// The listeners and their limits.
    pub server: orchestrator_gateway::Config,
    /// Workers by name.
    pub workers: IndexMap<String, WorkerConfig>,
    /// Logs.
    pub telemetry: orchestrator_telemetry::Config,
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

    /// The worker that answers: a section of the document, or a provider with its usual environment variables.
    pub fn worker(&self) -> Option<(&str, WorkerConfig)> {
        let name = self.pipeline.stages.inference.worker.as_str();
        let declared = self.workers.get(name).cloned();
        let worker = declared.or_else(|| ProviderName::parse(name).map(WorkerConfig::usual))?;
        Some((name, worker))
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
