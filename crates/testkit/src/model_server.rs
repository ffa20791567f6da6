//! A model server over real HTTP/1.1 that follows scripts, byte for byte, and counts what was asked of it.
//!
//! It speaks OpenAI's Chat Completions (`POST .../chat/completions`), Anthropic's Messages (`POST .../messages`) and
//! Ollama's chat (`POST .../api/chat`), each as JSON and as a stream, and lists its models (`GET .../models`,
//! `GET /api/tags`). It is written on bare sockets, so that a script has a say over every byte and a burst of tokens
//! costs one write: it shares the machine with what it measures.
//!
//! Which script a call follows: the header `x-script`, else the marker [`Script::marker`] in the last message, else a
//! model's name `script:{...}`, else the script set for the model's name, else the one set for all. A call's *tag* is
//! the text of its last message without the marker; the counts are kept by it, and the n-th call of a tag follows the
//! n-th part of a script ([`Script::then`]).
//!
//! From outside: `GET /__stats` tells the counts, `POST /__script` (`?model=NAME` for one model) sets a script,
//! `POST /__reset` forgets counts and scripts.

mod control;
mod http;
mod play;
mod render;
mod script;
mod serve;
mod stats;

pub use http::Received;
pub use script::{Framing, Script};
pub use stats::{Counts, Stats};

use orchestrator_core::Tasks;
use parking_lot::Mutex;
use stats::Tally;
use std::{
    collections::{HashMap, VecDeque},
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::oneshot;

/// The requests that are kept to look at.
const KEPT_REQUESTS: usize = 256;
/// The longest that a test waits for the server's counts.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running model server. It runs on a thread of its own, so tests may stand on any runtime or on none; dropped, it
/// closes its port and all its connections.
pub struct ModelServer {
    addr: SocketAddr,
    world: Arc<World>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What all connections share.
#[derive(Default)]
struct World {
    scripts: Mutex<Scripts>,
    tally: Tally,
    received: Mutex<VecDeque<Received>>,
    plays: Mutex<play::Cache>,
    sick: AtomicBool,
}

#[derive(Default)]
struct Scripts {
    all: Arc<Script>,
    by_model: HashMap<String, Arc<Script>>,
}

// === impl ModelServer ===

impl ModelServer {
    /// Starts a server on a free port of the loopback.
    ///
    /// # Panics
    /// When there is none.
    pub fn start() -> Self {
        ModelServer::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port on the loopback")
    }

    /// Starts a server that follows `script`.
    pub fn following(script: Script) -> Self {
        let server = ModelServer::start();
        server.script(script);
        server
    }

    /// Starts a server at this address; port 0 takes a free one.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let world = Arc::new(World::default());
        let shared = world.clone();
        let thread = std::thread::Builder::new().name("model-server".into());
        let thread = thread.spawn(move || run(listener, shared, stopped))?;
        Ok(ModelServer {
            addr,
            world,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Sets the script for all calls that have no other.
    pub fn script(&self, script: Script) {
        self.world.scripts.lock().all = Arc::new(script);
    }

    /// Sets the script for calls to the model of this name.
    pub fn script_for(&self, model: impl Into<String>, script: Script) {
        self.world
            .scripts
            .lock()
            .by_model
            .insert(model.into(), Arc::new(script));
    }

    /// Whether the models' list and the health are answered with 503 from now on. Calls follow their scripts all the same.
    pub fn sick(&self, sick: bool) {
        self.world.sick.store(sick, Relaxed);
    }

    /// The counts of now.
    pub fn stats(&self) -> Stats {
        self.world.tally.stats()
    }

    /// The counts of one tag, which is the text of a call's last message.
    pub fn counts(&self, tag: &str) -> Counts {
        self.world.tally.counts(tag)
    }

    /// The last requests that came in, oldest first, those to the control paths apart.
    pub fn received(&self) -> Vec<Received> {
        self.world.received.lock().iter().cloned().collect()
    }

    /// Waits until the counts are as `holds` wishes, and returns them. Cancelled, it has done nothing. It waits in real
    /// time, since sockets do: the test's clock must not be paused.
    ///
    /// # Panics
    /// After 20 seconds.
    pub async fn until(&self, holds: impl Fn(&Stats) -> bool) -> Stats {
        let wait = async {
            loop {
                let changed = self.world.tally.changed();
                let stats = self.stats();
                if holds(&stats) {
                    return stats;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(stats) => stats,
            Err(_) => panic!("waited {PATIENCE:?} in vain; the model server has {:?}", self.stats()),
        }
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl fmt::Debug for ModelServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelServer")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

// === impl World ===

impl World {
    fn keep(&self, request: &Received) {
        let mut kept = self.received.lock();
        if kept.len() == KEPT_REQUESTS {
            kept.pop_front();
        }
        kept.push_back(request.clone());
    }

    fn reset(&self) {
        *self.scripts.lock() = Scripts::default();
        self.received.lock().clear();
        self.tally.reset();
    }
}

/// Serves until told to stop; then the runtime goes and with it every connection.
fn run(listener: TcpListener, world: Arc<World>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let tasks = Tasks::new();
        let accept = tasks.spawn(serve::accept(listener, world, tasks.clone()));
        drop(stopped.await);
        accept.abort();
    });
}

#[cfg(test)]
mod tests;
