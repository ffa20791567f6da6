//! A worker and a retriever behind a switch, and a guard before the worker's calls.

use crate::{
    Guard, Pass,
    chaos::{Config, Metrics, Patience, RetrieverFaults, Switch, WorkerFaults},
};
use futures_util::StreamExt;
use orchestrator_core::{self as core, Failure, Model, Passage, Prompt, Wish};
use orchestrator_testkit::{Timeline, cx, prompt, scripted, text_of};
use prometheus::{Registry, TextEncoder};
use rand::{SeedableRng, rngs::StdRng};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What stands behind a switch for the workers `w` and `other`.
pub(super) struct Bench {
    pub(super) switch: Switch,
    /// What is really called.
    pub(super) model: scripted::Model,
    pub(super) guard: Guard,
    with_faults: Arc<dyn Model>,
    registry: Registry,
}

/// How long streams are waited for.
pub(super) const PATIENCE: Patience = Patience {
    first_token: Duration::from_secs(2),
    idle: Duration::from_secs(1),
};

/// A retriever that finds one passage.
struct Found;

// === impl Bench ===

impl Bench {
    /// A worker that says `t0 ` to `t3 `, one each 10 ms. Its breaker opens after two failures in a row.
    pub(super) fn new(config: &Config) -> Self {
        Bench::allowing(config, true)
    }

    pub(super) fn allowing(config: &Config, is_allowed: bool) -> Self {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let workers = ["w", "other"].map(Arc::from);
        let switch = Switch::new(config, is_allowed, workers.clone(), metrics);
        let model = scripted::Model::following([scripted::Call::paced(4, 10)]);
        let resilience = crate::Config {
            circuit_breaker_threshold: 2,
            ..crate::Config::default()
        };
        let guards = crate::Metrics::register(&registry).unwrap();
        Bench {
            with_faults: switch.model(&workers[0], PATIENCE, Arc::new(model.clone())),
            guard: Guard::new("w".into(), resilience, 4, StdRng::seed_from_u64(1), &guards),
            switch,
            model,
            registry,
        }
    }

    /// Calls the worker as routes do, and writes down what comes when.
    pub(super) async fn call(&self, timeline: &Timeline, prompt: &Prompt) {
        let Ok(mut permit) = self.guard.try_admit(Pass::Usual) else {
            return timeline.note("refused");
        };
        let (cx, _client) = cx(Instant::now() + Duration::from_secs(600));
        let mut reply = match self.with_faults.call(&cx, prompt).await {
            Ok(reply) => reply,
            Err(failure) => return timeline.note(told(&permit.failed(failure))),
        };
        permit.first_token();
        while let Some(batch) = reply.events.next().await {
            match batch {
                Ok(chunks) => timeline.note(format_args!("{:?}", text_of(&chunks))),
                Err(failure) => return timeline.note(told(&permit.failed(failure))),
            }
        }
        timeline.note("over");
    }

    /// A call for any request, and how it ended.
    pub(super) async fn outcome(&self, prompt: &Prompt) -> String {
        let timeline = Timeline::begin();
        self.call(&timeline, prompt).await;
        let text = timeline.to_string();
        let last = text.lines().last().unwrap();
        last.split_whitespace().nth(1).unwrap().to_owned()
    }

    /// The outcomes of so many calls, a letter each: `u`pstream's failure or `o`ver.
    pub(super) async fn outcomes(&self, calls: usize) -> String {
        let mut outcomes = String::new();
        for _ in 0..calls {
            self.guard.reset();
            let outcome = self.outcome(&prompt("x")).await;
            outcomes.extend(outcome.chars().next());
        }
        outcomes
    }

    /// Searches, and writes down what comes when.
    pub(super) async fn search(&self, timeline: &Timeline) {
        let retriever = self.switch.retriever(Arc::new(Found));
        match retriever.retrieve("?", 3).await {
            Ok(passages) => timeline.note(format_args!("found {}", passages.len())),
            Err(failure) => timeline.note(told(&failure)),
        }
    }

    /// A sign of life of the worker.
    pub(super) async fn probe(&self) -> Option<Result<(), Failure>> {
        self.with_faults.probe().await
    }

    /// The counts that are not 0.
    pub(super) fn counted(&self) -> String {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("orchestrator_chaos_injected_total"));
        let lines = lines.filter(|line| !line.ends_with(" 0"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Whether nobody holds a slot.
    pub(super) fn is_idle(&self) -> bool {
        self.guard.slots().taken() == 0 && self.model.running() == 0
    }
}

#[async_trait::async_trait]
impl core::Retriever for Found {
    async fn retrieve(&self, question: &str, _: usize) -> Result<Vec<Passage>, Failure> {
        let passage = Passage {
            source: "s".into(),
            text: question.into(),
            score: 1.0,
        };
        Ok(vec![passage])
    }
}

/// A configuration that injects these faults into all calls.
pub(super) fn always(workers: WorkerFaults) -> Config {
    Config {
        enabled: true,
        workers: [("*".to_owned(), workers)].into(),
        ..Config::default()
    }
}

/// A configuration that injects these faults into searches.
pub(super) fn searches(retriever: RetrieverFaults) -> Config {
    Config {
        enabled: true,
        retriever,
        ..Config::default()
    }
}

/// A prompt of a client that wants a stream.
pub(super) fn streamed() -> Prompt {
    let mut prompt = prompt("x");
    prompt.request.stream = true;
    prompt
}

/// A prompt of a client that asks for faults.
pub(super) fn wishing(words: &str) -> Prompt {
    let mut prompt = prompt("x");
    prompt.request.chaos = Some(Wish::new(words.into()));
    prompt
}

/// Code, status and causes of a failure.
fn told(failure: &Failure) -> String {
    let status = failure.status().map_or_else(String::new, |status| format!(" {status}"));
    let causes = failure.causes().unwrap_or_default();
    format!("{}{status} ({causes})", failure.code().as_str())
}
