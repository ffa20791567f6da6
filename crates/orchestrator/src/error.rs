//! The one error on top, with the exit code that goes with it.

use orchestrator_config::Findings;
use std::path::PathBuf;

/// Why the program ended, or did not start.
#[derive(Debug, thiserror::Error)]
pub enum OrchestratorError {
    /// The configuration cannot be run.
    #[error("{0}")]
    Config(#[from] Findings),
    /// The doors cannot be opened.
    #[error("error: {0}")]
    Gateway(#[from] orchestrator_gateway::Error),
    /// A worker cannot be built.
    #[error("error: {0}")]
    Inference(#[from] orchestrator_inference::Error),
    /// The routes cannot be built.
    #[error("error: {0}")]
    Routing(#[from] orchestrator_routing::Error),
    /// The template cannot be read.
    #[error("error: pipeline.stages.assemble: {0}")]
    Assemble(#[from] orchestrator_assemble::Error),
    /// The documents cannot be searched.
    #[error("error: pipeline.stages.rag: {0}")]
    Rag(#[from] orchestrator_rag::Error),
    /// The filters cannot be built.
    #[error("error: {0}")]
    PostProcess(#[from] orchestrator_post_process::Error),
    /// The token of the operators' doors cannot be had.
    #[error("error: server.admin_token: {0}")]
    AdminToken(String),
    /// Logs or metrics cannot be started.
    #[error("error: {0}")]
    Telemetry(#[from] orchestrator_telemetry::Error),
    /// A metric stands twice: a bug.
    #[error("error: metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// What should be explained is no request.
    #[error("error: {}: {source}", file.display())]
    Request {
        /// Where it stands.
        file: PathBuf,
        /// Why it is none.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system refused a thread, a runtime or a signal handler.
    #[error("error: the system refused {what}: {source}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The loop of a stage ended while its line was at work: a bug.
    #[error("error: the stage {0} of a line ended by itself; this is a bug")]
    StageEnded(&'static str),
    /// A core ended while the program was at work: a bug.
    #[error("error: a core ended by itself; this is a bug")]
    CoreEnded,
    /// The time to drain was not enough for what was running.
    #[error("error: requests were dropped at the end of the grace period")]
    Dropped,
    /// A second signal.
    #[error("error: ended by a second signal")]
    Interrupted,
}

// === impl OrchestratorError ===

impl OrchestratorError {
    /// The exit code: 78 for a configuration that cannot be run, so that a service manager does not try again; 1 for
    /// anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            OrchestratorError::Config(_)
            | OrchestratorError::Assemble(_)
            | OrchestratorError::AdminToken(_)
            | OrchestratorError::Routing(_)
            | OrchestratorError::Rag(orchestrator_rag::Error::Folder { .. })
            | OrchestratorError::PostProcess(_) => 78,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests;
