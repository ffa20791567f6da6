//! Logs: one line an event, written by a thread of their own, so that no core ever waits for a terminal, a pipe or a disk.
//!
//! [`start`] installs them for the whole process; [`AccessLog`] writes a line a request without going through `tracing`.

mod access;
mod config;
mod layer;
mod line;
mod panics;
mod sink;

pub use access::{AccessLine, AccessLog};
pub use config::{Config, Format};
pub use panics::panics;
pub use sink::Output;

use crate::Error;
use layer::LogLayer;
use line::Style;
use prometheus::{IntCounter, Registry};
use sink::Sink;
use std::{fmt, sync::Arc, time::Duration};
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;

/// Tells the time since 1970 that lines bear.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Logs that run. Dropping it writes what is left, waits for that at most two seconds, and ends them.
pub struct Logs {
    source: Source,
    writes_access: bool,
}

/// How a line is made and where it goes.
#[derive(Clone)]
pub(crate) struct Source {
    sink: Sink,
    style: Style,
    clock: Clock,
}

/// Starts logs as `config` says for the whole process; lines go to `output` and bear the time of `clock`. Registers
/// `orchestrator_log_lines_dropped_total`. Can succeed once in a process.
pub fn start(config: &Config, output: Output, clock: Clock, registry: &Registry) -> Result<Logs, Error> {
    let (logs, subscriber) = open(config, output, clock, registry)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::AlreadyStarted)?;
    Ok(logs)
}

/// Logs, and the subscriber through which events reach them.
fn open(
    config: &Config,
    output: Output,
    clock: Clock,
    registry: &Registry,
) -> Result<(Logs, impl Subscriber + Send + Sync + use<>), Error> {
    let filter = config.filter()?;
    let style = config.style(output.is_terminal());
    let dropped = IntCounter::new(
        "orchestrator_log_lines_dropped_total",
        "Log lines that were lost because they came faster than they could be written",
    )?;
    registry.register(Box::new(dropped.clone()))?;
    let sink = Sink::open(output, config.buffer_bytes, dropped)?;
    let source = Source { sink, style, clock };
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(LogLayer::new(source.clone()));
    let logs = Logs {
        source,
        writes_access: config.access_log,
    };
    Ok((logs, subscriber))
}

// === impl Logs ===

impl Logs {
    /// Where a line is written for each request; it writes nothing when the configuration says so.
    pub fn access(&self) -> AccessLog {
        AccessLog::new(self.writes_access.then(|| self.source.clone()))
    }

    /// Waits until all lines so far are written, at most two seconds. Blocks its thread: for the end of the process.
    pub fn flush(&self) {
        self.source.sink.flush();
    }
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").finish_non_exhaustive()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.source.sink.close();
    }
}

#[cfg(test)]
mod tests;
