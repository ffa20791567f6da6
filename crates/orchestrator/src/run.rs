//! The life of the program on one screen: build, serve, drain.

use crate::{OrchestratorError, core::Cores, files, wiring::Wiring};
use orchestrator_config::Loaded;
use orchestrator_gateway::{Director, Stage};
use std::time::Duration;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout},
};

/// Serves what the configuration declares until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// What keeps the program from starting; a bug that ended a stage; or, after a signal, that requests were dropped.
pub fn run(Loaded { config, warnings }: Loaded) -> Result<(), OrchestratorError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| OrchestratorError::System {
        what: "a runtime",
        source,
    })?;
    let ended = runtime.block_on(async {
        let mut signals = Signals::new()?;
        let wiring = Wiring::new(&config)?;
        for warning in warnings {
            tracing::warn!(path = %warning.path, line = warning.place.map(|place| place.line), "{}", warning.message);
        }
        files::raise_limit(config.server.max_connections);
        let shutdown = config.shutdown.clone();
        let (cores, director) = wiring.start(&config)?;
        director.enter(Stage::Ready);
        tracing::info!(listen = %cores.address(), admin = %cores.admin_address(), cores = cores.len(), "ready");
        tokio::select! {
            () = signals.next() => {}
            error = cores.failed() => return Err(error),
        }
        tracing::info!("leaving: SIGTERM or SIGINT");
        tokio::select! {
            drained = drain(&cores, &director, (shutdown.pre_stop(), shutdown.drain())) => drained,
            () = signals.next() => Err(OrchestratorError::Interrupted),
        }
    });
    // An index that is being built is for nobody now.
    runtime.shutdown_background();
    ended
}

/// Still takes requests for `pre_stop`; then finishes what runs within `grace`, and drops what is left.
async fn drain(
    cores: &Cores,
    director: &Director,
    (pre_stop, grace): (Duration, Duration),
) -> Result<(), OrchestratorError> {
    director.enter(Stage::Leaving);
    tokio::time::sleep(pre_stop).await;
    director.enter(Stage::Draining);
    cores.close();
    let began = Instant::now();
    let drained = timeout(grace, cores.idle()).await.is_ok();
    director.enter(Stage::Over);
    cores.end().await;
    tracing::info!(
        drained,
        took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        "over"
    );
    if drained {
        Ok(())
    } else {
        Err(OrchestratorError::Dropped)
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

// === impl Signals ===

impl Signals {
    fn new() -> Result<Self, OrchestratorError> {
        let listen = |kind| {
            signal(kind).map_err(|source| OrchestratorError::System {
                what: "a signal handler",
                source,
            })
        };
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
