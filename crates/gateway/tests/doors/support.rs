//! Doors at work on a runtime of their own, and what tests of them say again and again.

use crate::line::{Asked, Lines, chaos};
use bytes::Bytes;
use orchestrator_gateway::{Config, Director, Gateway, Listed, Metrics, Parts, Stage, life};
use orchestrator_telemetry::{AccessLog, Registry};
use orchestrator_testkit::{
    client::{Call, Http},
    scripted::{Call as Script, Model},
    world,
};
use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::timeout;

pub(crate) const CHAT: &str = "/v1/chat/completions";

/// Doors at work.
pub(crate) struct Doors {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) director: Director,
    pub(crate) lines: Lines,
    registry: Registry,
}

/// What doors are opened with.
pub(crate) struct Scene {
    pub(crate) config: Config,
    pub(crate) model: Model,
    pub(crate) cores: usize,
    pub(crate) stage: Stage,
}

/// Runs a test against doors before a model.
pub(crate) fn with_doors<F: Future<Output = ()>>(config: Config, model: Model, test: impl FnOnce(Doors) -> F) {
    Scene::of(config, model).run(test);
}

/// The usual limits, on free ports.
pub(crate) fn config() -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        admin_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..Config::default()
    }
}

/// A model that answers everything with `fine`.
pub(crate) fn fine() -> Model {
    Model::saying(["fine"])
}

/// A model that plays one script again and again.
pub(crate) fn playing(script: Script) -> Model {
    Model::following([script])
}

/// A model that says one token and then nothing more.
pub(crate) fn hanging() -> Model {
    playing(Script::new().text("a").hang())
}

/// A model that answers with the question.
pub(crate) fn parrot() -> Model {
    Model::responding(|_, prompt| Script::saying([&*prompt.request.messages[0].text()]))
}

/// A chat body with one question and more fields.
pub(crate) fn body(question: &str, more: &str) -> String {
    format!(r#"{{"model":"test","messages":[{{"role":"user","content":"{question}"}}]{more}}}"#)
}

/// The same, to be answered as a stream.
pub(crate) fn streamed(question: &str) -> String {
    body(question, r#","stream":true"#)
}

/// The bytes of a chat request with exactly these header lines beside its host.
pub(crate) fn bare(headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: t\r\n{headers}\r\n");
    [head.as_bytes(), body.as_ref()].concat()
}

/// The bytes of a chat request on a connection that then closes.
pub(crate) fn post(headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let length = body.as_ref().len();
    bare(
        &format!("connection: close\r\ncontent-length: {length}\r\n{headers}"),
        body,
    )
}

// === impl Scene ===

impl Scene {
    pub(crate) fn of(config: Config, model: Model) -> Self {
        Scene {
            config,
            model,
            cores: 1,
            stage: Stage::Ready,
        }
    }

    /// Runs a test in the scene, at most for a minute.
    pub(crate) fn run<F: Future<Output = ()>>(self, test: impl FnOnce(Doors) -> F) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let test = test(self.open());
            timeout(Duration::from_secs(60), test)
                .await
                .expect("the test takes too long");
        });
    }

    fn open(self) -> Doors {
        let registry = Registry::new("1.2.3", Duration::from_secs(1_767_225_600)).unwrap();
        let (director, life) = life();
        let gateway = Gateway::bind(self.config.listen, self.config.admin_listen).unwrap();
        let (address, admin) = (gateway.address().unwrap(), gateway.admin_address().unwrap());
        let watched = life.clone();
        let lines = Lines::before(self.model, move || watched.stage() < Stage::Draining);
        let parts = Parts {
            admin_token: self.config.admin_token.reference().into(),
            config: Arc::new(self.config),
            env: world(7),
            life,
            access: AccessLog::off(),
            metrics: Metrics::register(registry.metrics()).unwrap(),
            registry: registry.clone(),
            control: Arc::new(told),
            chaos: Arc::new(chaos),
            models: ["test", "org/other"].map(listed).into(),
            default_model: Some("test".into()),
        };
        let shares = gateway.open(parts, lines.on_cores(self.cores));
        shares.into_iter().for_each(|core| core.open(&lines.tasks));
        director.enter(self.stage);
        Doors {
            address,
            admin,
            director,
            lines,
            registry,
        }
    }
}

/// What stands behind the door for operators: it tells what it was asked.
fn told(request: http::Request<Bytes>) -> http::Response<Bytes> {
    let (method, path, bytes) = (request.method(), request.uri().path(), request.body().len());
    http::Response::new(format!("{method} {path}, {bytes} bytes").into())
}

fn listed(id: &str) -> Listed {
    Listed {
        id: id.to_owned(),
        owned_by: "tests".to_owned(),
    }
}

// === impl Doors ===

impl Doors {
    /// Sends bytes to clients' door.
    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) -> Call {
        Call::send(self.address, bytes).await
    }

    /// Posts a chat body and reads the whole answer.
    pub(crate) async fn chat(&self, body: impl AsRef<[u8]>) -> Http {
        self.chat_with("", body).await
    }

    /// The same with more header lines.
    pub(crate) async fn chat_with(&self, headers: &str, body: impl AsRef<[u8]>) -> Http {
        self.send(post(headers, body)).await.answer().await
    }

    /// Sends a request without a body, such as `GET /livez`, with these header lines.
    pub(crate) async fn plain(&self, address: SocketAddr, request: &str, headers: &str) -> Http {
        let request = format!("{request} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}\r\n");
        Call::send(address, request).await.answer().await
    }

    /// Gets a path from clients' door.
    pub(crate) async fn get(&self, path: &str) -> Http {
        self.plain(self.address, &format!("GET {path}"), "").await
    }

    /// Waits until the model runs so many calls.
    pub(crate) async fn running(&self, calls: usize) {
        while self.lines.model.running() != calls {
            tokio::task::yield_now().await;
        }
    }

    /// What a line was asked for last.
    pub(crate) fn last_asked(&self) -> Asked {
        self.lines.last_asked()
    }

    /// How many requests each of two lines was asked for.
    pub(crate) fn asked_of_two(&self) -> [usize; 2] {
        let asked = self.lines.asked.lock();
        [0, 1].map(|core| asked.iter().filter(|asked| asked.core == core).count())
    }

    /// The value of a sample, 0 as long as there is none.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.registry.exposition();
        let text = String::from_utf8(text).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Requests of a path that ended so, whatever model they asked for.
    pub(crate) fn ended(&self, path: &str, worker: &str, (code, source): (&str, &str)) -> f64 {
        let how = format!(r#"orchestrator_requests_total{{code="{code}",error_source="{source}",model=""#);
        let what = format!(r#"",path="{path}",worker="{worker}"}} "#);
        let (_, text) = self.registry.exposition();
        let text = String::from_utf8(text).unwrap();
        let counted = text
            .lines()
            .filter_map(|line| line.strip_prefix(&how)?.split_once(&what));
        counted.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
    }

    /// Nothing is left of what came before, and requests are served as ever.
    pub(crate) async fn still_serve(&self) {
        self.running(0).await;
        assert_eq!(self.chat(body("still there?", "")).await.status, 200);
        assert_eq!(self.lines.ledger.bytes(), 0);
    }
}
