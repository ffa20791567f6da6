//! Real doors on free ports, before a line that is nothing but a scripted model.

use futures_util::StreamExt;
use orchestrator_core::{
    Answer, AnswerWriter, Cache, Code, End, Failure, FinishReason, Kind, Ledger, Model as _, Prompt, Request, Submit,
    Tasks, answer,
};
use orchestrator_gateway::{Config, Director, Gateway, Life, Listed, Metrics, Parts, Stage, life};
use orchestrator_telemetry::{AccessLog, Registry};
use orchestrator_testkit::{
    client::{Call, Http},
    scripted::Model,
    world,
};
use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::timeout;

pub const CHAT: &str = "/v1/chat/completions";

/// Doors at work on this runtime.
pub struct Doors {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub director: Director,
    pub ledger: Arc<Ledger>,
    pub model: Model,
    registry: Registry,
}

/// A line without stages: what the model says is the answer.
struct Line {
    model: Model,
    ledger: Arc<Ledger>,
    life: Life,
    tasks: Tasks,
}

/// Runs a test against doors before a model, at most for 30 seconds.
pub fn with_doors<F: Future<Output = ()>>(config: Config, model: Model, test: impl FnOnce(Doors) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let test = test(Doors::open(config, model));
        timeout(Duration::from_secs(30), test)
            .await
            .expect("the test takes too long");
    });
}

/// Small limits on time, so that no test waits long.
pub fn config() -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        admin_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        keepalive_ms: 5_000,
        ..Config::default()
    }
}

impl Doors {
    fn open(config: Config, model: Model) -> Self {
        let registry = Registry::new("1.2.3", Duration::from_secs(1_767_225_600)).unwrap();
        let (director, life) = life();
        let ledger = Ledger::generous();
        let gateway = Gateway::bind(config.listen, config.admin_listen).unwrap();
        let (address, admin) = (gateway.address().unwrap(), gateway.admin_address().unwrap());
        let listed = |id: &str| Listed {
            id: id.to_owned(),
            owned_by: "tests".to_owned(),
        };
        let parts = Parts {
            admin_token: config.admin_token.reference().into(),
            config: Arc::new(config),
            env: world(7),
            life: life.clone(),
            access: AccessLog::off(),
            metrics: Metrics::register(registry.metrics()).unwrap(),
            registry: registry.clone(),
            models: vec![listed("test"), listed("org/other")],
        };
        let tasks = Tasks::new();
        let line = Line {
            model: model.clone(),
            ledger: ledger.clone(),
            life,
            tasks: tasks.clone(),
        };
        gateway
            .open(parts, vec![Arc::new(line)])
            .into_iter()
            .for_each(|core| core.open(&tasks));
        director.enter(Stage::Ready);
        Doors {
            address,
            admin,
            director,
            ledger,
            model,
            registry,
        }
    }

    /// Posts a chat body and reads the whole answer.
    pub async fn chat(&self, body: &str) -> Http {
        Call::post(self.address, CHAT, body).await.answer().await
    }

    /// Sends a request without a body, such as `GET /livez`, with these header lines.
    pub async fn plain(&self, address: SocketAddr, request: &str, headers: &str) -> Http {
        let request = format!("{request} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}\r\n");
        Call::send(address, request).await.answer().await
    }

    /// Waits until the model runs so many calls.
    pub async fn running(&self, calls: usize) {
        while self.model.running() != calls {
            tokio::task::yield_now().await;
        }
    }

    pub fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.registry.exposition();
        let text = String::from_utf8(text).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }
}

impl Submit for Line {
    fn submit(&self, request: Request) -> Result<Answer, Failure> {
        if self.life.stage() >= Stage::Draining {
            return Err(Failure::new(Code::Draining, "The server is going down."));
        }
        let (mut writer, answer) = answer(request.deadline, request.priority, self.ledger.clone());
        writer.cache(Cache::Miss);
        let (model, unwanted) = (self.model.clone(), writer.unwanted());
        let prompt = Prompt {
            request: Box::new(request),
            rewritten: false,
            grounding: Vec::new(),
        };
        self.tasks.spawn(async move {
            tokio::select! { () = play(&model, &prompt, writer) => (), () = unwanted => () }
        });
        Ok(answer)
    }
}

async fn play(model: &Model, prompt: &Prompt, mut writer: AnswerWriter) {
    let mut reply = match model.call(prompt).await {
        Ok(reply) => reply,
        Err(failure) => return writer.fail(failure),
    };
    writer.head(reply.head);
    let mut end = End {
        finish: FinishReason::Stop,
        usage: None,
        cut: false,
    };
    while let Some(batch) = reply.events.next().await {
        let batch = match batch {
            Ok(batch) => batch,
            Err(failure) => return writer.fail(failure),
        };
        for delta in batch.iter().flat_map(|chunk| &chunk.deltas) {
            match delta.kind {
                Kind::Finish(reason) => end.finish = reason,
                Kind::Usage(usage) => end.usage = Some(usage),
                _ => {}
            }
        }
        writer.push(batch);
    }
    writer.finish(end);
}

/// A chat body with one question and more fields.
pub fn body(question: &str, more: &str) -> String {
    format!(r#"{{"model":"test","messages":[{{"role":"user","content":"{question}"}}]{more}}}"#)
}
