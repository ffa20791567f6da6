//! Cores: a thread each, with a runtime and a whole line of its own.
//!
//! The root future of a runtime only waits; everything else is a task. A loop of a stage that ends before its line was
//! closed is a bug that ends the program, never a silent dead stage.

use crate::OrchestratorError;
use orchestrator_core::{Ledger, Submit, Tasks};
use orchestrator_gateway::{CoreDoors, Life, Stage};
use orchestrator_pipeline::{Entry, Running};
use orchestrator_telemetry::Logs;
use std::{net::SocketAddr, sync::Arc, thread::JoinHandle, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

/// Builds a core's line on its runtime.
pub(crate) type Build = Box<dyn FnOnce(Tasks) -> Result<Running, OrchestratorError> + Send>;

/// The cores at work.
pub(crate) struct Cores {
    threads: Vec<JoinHandle<()>>,
    /// Written out when the program ends.
    logs: Logs,
    entries: Vec<Arc<Entry>>,
    ledger: Arc<Ledger>,
    failures: tokio::sync::Mutex<mpsc::Receiver<OrchestratorError>>,
    addresses: (SocketAddr, SocketAddr),
}

/// A core that has its line and waits for its doors.
struct Started {
    entry: Arc<Entry>,
    doors: oneshot::Sender<CoreDoors>,
}

// === impl Cores ===

impl Cores {
    /// Starts a core for each of `builds`; `open` makes the doors once all lines stand.
    pub(crate) fn start(
        builds: Vec<Build>,
        life: &Life,
        ledger: Arc<Ledger>,
        (addresses, logs): ((SocketAddr, SocketAddr), Logs),
        open: impl FnOnce(Vec<Arc<dyn Submit>>) -> Vec<CoreDoors>,
    ) -> Result<Self, OrchestratorError> {
        let (failed, failures) = mpsc::channel(builds.len().max(1));
        let mut threads = Vec::new();
        let mut started = Vec::new();
        for (number, build) in builds.into_iter().enumerate() {
            let (tell, told) = std::sync::mpsc::sync_channel(1);
            let (life, failed) = (life.clone(), failed.clone());
            let thread = std::thread::Builder::new().name(format!("core-{number}"));
            let thread = thread.spawn(move || core(build, life, tell, failed));
            threads.push(thread.map_err(|source| OrchestratorError::System {
                what: "a thread",
                source,
            })?);
            started.push(told.recv().unwrap_or(Err(OrchestratorError::CoreEnded))?);
        }
        let lines = started
            .iter()
            .map(|core: &Started| core.entry.clone() as Arc<dyn Submit>)
            .collect();
        let entries = started.iter().map(|core| core.entry.clone()).collect();
        for (core, doors) in started.into_iter().zip(open(lines)) {
            core.doors.send(doors).map_err(|_| OrchestratorError::CoreEnded)?;
        }
        Ok(Cores {
            threads,
            logs,
            entries,
            ledger,
            failures: tokio::sync::Mutex::new(failures),
            addresses,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses.0
    }

    /// Where operators connect.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.addresses.1
    }

    /// Waits for a core to fail.
    pub(crate) async fn failed(&self) -> OrchestratorError {
        self.failures
            .lock()
            .await
            .recv()
            .await
            .unwrap_or(OrchestratorError::CoreEnded)
    }

    /// Closes all lines: they take nothing new and finish what they have.
    pub(crate) fn close(&self) {
        self.entries.iter().for_each(|entry| entry.close());
    }

    /// Waits until no request is in flight: until clients have taken all that was answered, too.
    pub(crate) async fn idle(&self) {
        // The count is of the answers that somebody still hears, which no single place could be told of; a look every few
        // milliseconds, at the end of a life, costs nothing.
        while self.ledger.requests() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for the cores to say goodbye to their connections; they have been told that it is over.
    pub(crate) async fn end(&self) {
        while !self.threads.iter().all(JoinHandle::is_finished) {
            sleep(Duration::from_millis(5)).await;
        }
        self.logs.flush();
    }
}

/// How long a core gives its connections to end once it is over.
const FAREWELL: Duration = Duration::from_millis(1500);

/// The thread of a core.
fn core(
    build: Build,
    mut life: Life,
    tell: std::sync::mpsc::SyncSender<Result<Started, OrchestratorError>>,
    failed: mpsc::Sender<OrchestratorError>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => {
            drop(tell.send(Err(OrchestratorError::System {
                what: "a runtime",
                source,
            })));
            return;
        }
    };
    runtime.block_on(async move {
        let (lines, doors_tasks) = (Tasks::new(), Tasks::new());
        let Running { entry, drives } = match build(lines.clone()) {
            Ok(running) => running,
            Err(error) => return drop(tell.send(Err(error))),
        };
        let (doors, opened) = oneshot::channel();
        if tell.send(Ok(Started { entry, doors })).is_err() {
            return;
        }
        // Another core could not be started, and so the program does not.
        let Ok(doors) = opened.await else { return };
        doors.open(&doors_tasks);
        for (stage, drive) in drives {
            let (life, failed) = (life.clone(), failed.clone());
            doors_tasks.spawn(async move {
                let died = drive.await.is_err();
                if died || life.stage() < Stage::Draining {
                    drop(failed.send(OrchestratorError::StageEnded(stage.as_str())).await);
                }
            });
        }
        life.reached(Stage::Over).await;
        drop(tokio::time::timeout(FAREWELL, doors_tasks.idle()).await);
    });
    runtime.shutdown_background();
}
