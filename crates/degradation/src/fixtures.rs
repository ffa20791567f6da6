//! For tests: degradation of two routes around scripted models, and what clients hear of it.

use crate::{Chain, Config, Degradation, Metrics, Step};
use futures_util::StreamExt;
use orchestrator_core::{Code, Cx, Degraded, Failure, Fingerprint, Model, Prompt};
use orchestrator_testkit::{cx, prompt, scripted, text_of};
use prometheus::Registry;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Degradation and the models around it. A request whose text begins with `b` takes the second route.
pub(crate) struct Bench {
    pub(crate) shared: Arc<Degradation>,
    pub(crate) chain: Chain,
    pub(crate) registry: Registry,
}

// === impl Bench ===

impl Bench {
    /// `live` stands for the workers of all routes, `reduced` for those of the reduced mode.
    pub(crate) fn new(config: Config, live: &scripted::Model, reduced: Option<&scripted::Model>) -> Self {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let names = ["a", "b"].map(Arc::from).into();
        let route_of = Arc::new(|request: &orchestrator_core::Request| {
            let text = request.messages.last()?.text();
            (&*text != "nowhere").then(|| usize::from(text.starts_with('b')))
        });
        let shared = Degradation::new(config, names, route_of, &metrics);
        let reduced = reduced.map(|model| Arc::new(model.clone()) as Arc<dyn Model>);
        Bench {
            chain: Chain::new(shared.clone(), Arc::new(live.clone()), reduced),
            shared,
            registry,
        }
    }

    /// Asks, and hears the answer to its end: what it says, and what stood in for the workers.
    pub(crate) async fn ask(&self, text: &str) -> Result<(String, Option<Degraded>), Failure> {
        self.send(asking(text)).await
    }

    /// Sends a prompt likewise.
    pub(crate) async fn send(&self, prompt: Prompt) -> Result<(String, Option<Degraded>), Failure> {
        let (cx, _client) = waiting();
        let mut reply = self.chain.call(&cx, &prompt).await?;
        let mut text = String::new();
        while let Some(chunks) = reply.events.next().await {
            text.push_str(&text_of(chunks?));
        }
        Ok((text, reply.head.degraded))
    }

    /// In words: the answer, or the code of the failure.
    pub(crate) async fn told(&self, text: &str) -> String {
        match self.ask(text).await {
            Ok((text, None)) => text,
            Ok((text, Some(degraded))) => format!("{}: {text}", degraded.as_str()),
            Err(failure) => format!("failed: {}", failure.code().as_str()),
        }
    }

    /// The lines of the metrics that are not zero.
    pub(crate) fn metrics(&self) -> String {
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap();
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.ends_with(" 0"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A client that waits for ten minutes.
pub(crate) fn waiting() -> (Cx, orchestrator_core::Answer) {
    cx(Instant::now() + Duration::from_secs(600))
}

/// A prompt for a stream whose answer equal ones may share.
pub(crate) fn asking(text: &str) -> Prompt {
    let mut prompt = prompt(text);
    prompt.request.stream = true;
    prompt.request.fingerprint = Some(what(text));
    prompt
}

pub(crate) fn what(text: &str) -> Fingerprint {
    let mut hash = [0; 32];
    hash.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    Fingerprint(hash)
}

/// A chain of these steps.
pub(crate) fn chain(steps: impl IntoIterator<Item = Step>) -> Config {
    Config {
        chain: steps.into_iter().collect(),
        message: "Sorry.".to_owned(),
        ..Config::default()
    }
}

/// A model that fails each call so.
pub(crate) fn failing(code: Code) -> scripted::Model {
    scripted::Model::following([scripted::Call::new().fail(Failure::new(code, "It does."))])
}
