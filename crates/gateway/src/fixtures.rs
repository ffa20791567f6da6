//! Doors on a paused clock: connections are pipes in memory, so that time goes on only when nothing else can happen.

#[path = "../tests/doors/line.rs"]
mod line;
pub(crate) mod logged;
mod ws;

pub(crate) use line::Lines;
pub(crate) use ws::{Client, text_of};

use crate::{
    Config, Control, Director, Listed, Metrics, Parts, Stage,
    deal::{Deal, Place, What},
    door::{Door, Shared},
    life,
    resume::Resumable,
    server::{Plane, connection},
};
use orchestrator_core::{Blocking, Ledger};
use orchestrator_telemetry::{AccessLog, Registry};
use orchestrator_testkit::{Timeline, scripted::Model, world};
use serde_json::Value;
use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, duplex},
    sync::Semaphore,
    task::JoinHandle,
    time::sleep,
};

/// Bytes that wait in a pipe before its writer must.
pub(crate) const PIPE: usize = 64 << 10;

/// Doors, what stands behind them, and who directs them.
pub(crate) struct Doors {
    pub(crate) door: Door,
    pub(crate) lines: Lines,
    pub(crate) director: Director,
}

/// A client's end of a connection.
pub(crate) struct Wire {
    pub(crate) pipe: DuplexStream,
    pub(crate) heard: String,
    /// The server's end, until it is over.
    pub(crate) served: JoinHandle<()>,
}

/// The address that all clients come from.
pub(crate) fn client() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 7], 4711))
}

/// Runs one case of a property on a clock of its own.
pub(crate) fn on_paused_clock<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(test)
}

/// A chat body with one question and more fields.
pub(crate) fn body(question: &str, more: &str) -> String {
    format!(r#"{{"model":"test","messages":[{{"role":"user","content":"{question}"}}]{more}}}"#)
}

/// The bytes of a GET on a connection that stays open.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n")
}

/// The bytes of a POST on a connection that stays open.
pub(crate) fn post(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

// === impl Doors ===

impl Doors {
    /// Doors of one core before a model.
    pub(crate) fn before(model: Model) -> Self {
        Doors::with(Config::default(), model)
    }

    /// The same within these limits.
    pub(crate) fn with(config: Config, model: Model) -> Self {
        Doors::logging(config, model, AccessLog::off())
    }

    /// The same that log each request.
    pub(crate) fn logging(config: Config, model: Model, access: AccessLog) -> Self {
        let (director, life) = life::life();
        let watched = life.clone();
        let lines = Lines::before(model, move || watched.stage() < Stage::Draining);
        let registry = Registry::new("1.2.3", Duration::from_secs(1_767_225_600)).unwrap();
        let listed = |id: &str| Listed {
            id: id.to_owned(),
            owned_by: "tests".to_owned(),
        };
        let parts = Parts {
            admin_token: config.admin_token.reference().into(),
            config: Arc::new(config),
            env: world(7),
            life,
            access,
            metrics: Metrics::register(registry.metrics()).unwrap(),
            registry,
            control: Arc::new(|_| Default::default()),
            chaos: Arc::new(line::chaos),
            models: ["test", "org/other"].map(listed).into(),
            default_model: Some("test".into()),
        };
        director.enter(Stage::Ready);
        Doors {
            door: Door::of(parts, &lines),
            lines,
            director,
        }
    }

    /// The same that join and replay equal questions.
    pub(crate) fn keeping(self) -> Self {
        self.changing(|lines| lines.kept = Some(Arc::default()))
    }

    /// The same with so many requests in flight at most.
    pub(crate) fn admitting(self, requests: usize) -> Self {
        self.changing(|lines| lines.ledger = Ledger::new(1 << 30, 1 << 40, requests))
    }

    /// The same whose line asks this before it takes a request.
    pub(crate) fn asking(self, is_open: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.changing(|lines| lines.is_open = Arc::new(is_open))
    }

    /// The same whose operators are answered by this.
    pub(crate) fn answering_operators(mut self, control: Control) -> Self {
        let mut parts = self.door.shared.parts.clone();
        parts.control = control;
        self.door = Door::of(parts, &self.lines);
        self
    }

    fn changing(mut self, change: impl FnOnce(&mut Lines)) -> Self {
        change(&mut self.lines);
        self.door = Door::of(self.door.shared.parts.clone(), &self.lines);
        self
    }

    /// A new connection of a client that holds so many bytes on their way.
    pub(crate) fn connect_narrow(&self, pipe: usize) -> Wire {
        self.connect_to(Plane::Data, pipe)
    }

    /// A new connection to a plane.
    pub(crate) fn connect_to(&self, plane: Plane, pipe: usize) -> Wire {
        let (ours, theirs) = duplex(pipe);
        Wire {
            pipe: theirs,
            heard: String::new(),
            served: self.serve_on(plane, ours),
        }
    }

    /// Serves a client's connection over this socket.
    pub(crate) fn serve<S>(&self, socket: S) -> JoinHandle<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.serve_on(Plane::Data, socket)
    }

    /// A client's connection over this socket.
    pub(crate) fn connection<S>(&self, plane: Plane, socket: S) -> impl Future<Output = ()> + use<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shared = &self.door.shared;
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let counted = shared.deal.count(0, What::Connection);
        let place = Place::new(permit, counted, Some(shared.parts.metrics.connection()));
        connection(self.door.clone(), plane, socket, client(), place)
    }

    fn serve_on<S>(&self, plane: Plane, socket: S) -> JoinHandle<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.lines.tasks.spawn(self.connection(plane, socket))
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Wire {
        self.connect_narrow(PIPE)
    }

    /// A new connection on which these bytes were sent.
    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) -> Wire {
        let mut wire = self.connect();
        wire.say(bytes).await;
        wire
    }

    /// Waits until the model runs so many calls, to the millisecond.
    pub(crate) async fn running(&self, calls: usize) {
        while self.lines.model.running() != calls {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// The value of a sample, 0 as long as there is none.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.door.shared.parts.registry.exposition();
        let text = String::from_utf8(text).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }
}

// === impl Door ===

impl Door {
    fn of(parts: Parts, lines: &Lines) -> Self {
        let shared = Shared {
            parts,
            deal: Deal::new(1),
            lines: lines.on_cores(1),
            resumable: Resumable::new(100),
            operators: Blocking::new(1),
            born: 1_767_225_600,
        };
        Door {
            shared: Arc::new(shared),
            core: 0,
            tasks: lines.tasks.clone(),
        }
    }
}

// === impl Wire ===

impl Wire {
    /// Sends bytes. A server that has closed already takes none.
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.pipe.write_all(bytes.as_ref()).await);
    }

    /// Reads until the answer holds this text.
    pub(crate) async fn hear(&mut self, text: &str) {
        while !self.heard.contains(text) {
            let mut more = [0; 4096];
            let read = self.pipe.read(&mut more).await.unwrap();
            assert!(read > 0, "the answer ended before {text:?}: {}", self.heard);
            self.heard.push_str(str::from_utf8(&more[..read]).unwrap());
        }
    }

    /// Writes each line that tells something down to the end of the connection: statuses, events and comments.
    pub(crate) async fn note_all(mut self, timeline: &Timeline) {
        let mut lines = BufReader::new(&mut self.pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            match line.strip_prefix("data: ") {
                Some(data) => timeline.note(brief(data)),
                None if line.starts_with("HTTP/1.1") || line.starts_with(':') => timeline.note(line.trim_end()),
                None => {}
            }
        }
        timeline.note("over");
    }

    /// Reads to the end of the connection.
    pub(crate) async fn rest(mut self) -> String {
        drop(self.pipe.read_to_string(&mut self.heard).await);
        self.heard
    }
}

/// An event in a few words: its text, finish, usage or failure.
fn brief(data: &str) -> String {
    let Ok(event) = serde_json::from_str::<Value>(data) else {
        return data.to_owned();
    };
    let choice = &event["choices"][0];
    [
        &choice["delta"]["content"],
        &choice["finish_reason"],
        &event["usage"]["total_tokens"],
        &event["error"]["code"],
    ]
    .iter()
    .find(|word| !word.is_null())
    .map_or_else(|| "-".to_owned(), ToString::to_string)
}
