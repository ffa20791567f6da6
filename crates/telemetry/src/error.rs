//! What can go wrong when telemetry is started.

use std::io;

/// Why telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `telemetry.level` is no level and no list of directives.
    #[error(
        "telemetry.level: `{found}` is neither error, warn, info, debug, trace or off nor a list like \
         `info,orchestrator_dedup=debug`: {reason}"
    )]
    Level {
        /// The text of the configuration.
        found: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The thread that writes the log could not be started.
    #[error("the thread that writes the log cannot be started: {0}")]
    Thread(#[source] io::Error),
    /// Logs were started before in this process.
    #[error("logs were started before in this process")]
    AlreadyStarted,
    /// A metric could not be registered.
    #[error("a metric cannot be registered: {0}")]
    Metric(#[from] prometheus::Error),
}

#[cfg(test)]
mod tests;
