//! The workers of all routes with what stands in for them: a model around a model.
//!
//! A request is sent to its workers. If they cannot answer it, the steps of the chain are tried one after the other, and the
//! first that can answers it, marked as degraded. While a rule holds its step is tried before the workers. Nothing stands in
//! once a worker has come to its first token.

use crate::{Cause, Degradation, Step, record::record, rule::Heard};
use async_trait::async_trait;
use futures_util::{StreamExt, future::ready, stream};
use orchestrator_core::{
    Blame, Chunk, Code, Cx, Degraded, Delta, Failure, FinishReason, Head, Kind, Model, Prompt, Reply, Tier,
};
use smallvec::SmallVec;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// The name that stands in the place of a worker's where none has answered.
const NOBODY: &str = "none";

/// One core's workers and what stands in for them.
pub struct Chain {
    shared: Arc<Degradation>,
    live: Arc<dyn Model>,
    reduced: Option<Arc<dyn Model>>,
}

// === impl Chain ===

impl Chain {
    /// `live` calls the workers of all routes; `reduced` those that a request for less goes to.
    pub fn new(shared: Arc<Degradation>, live: Arc<dyn Model>, reduced: Option<Arc<dyn Model>>) -> Self {
        Chain { shared, live, reduced }
    }

    /// Asks the workers, and tells the rules what came of it.
    async fn ask(&self, route: usize, cx: &Cx, prompt: &Prompt) -> Result<Reply, Failure> {
        let began = Instant::now();
        let called = self.live.call(cx, prompt).await;
        let now = Instant::now();
        let heard = match &called {
            Ok(_) if prompt.request.stream => Heard::FirstToken(now.saturating_duration_since(began)),
            Ok(_) => Heard::Whole,
            Err(failure) if is_no_answer(failure) => Heard::Failed,
            Err(_) => return called,
        };
        self.shared.heard(route, heard, now);
        called
    }

    /// Tries the steps of the chain but for the one that was tried already. What the workers said stands if none can answer.
    async fn fall_back(
        &self,
        route: usize,
        cx: &Cx,
        prompt: &Prompt,
        (tried, failure): (Option<Step>, Failure),
    ) -> Result<Reply, Failure> {
        let cause = Cause::Failed(failure.code());
        for step in self.shared.config().chain.iter().filter(|step| Some(**step) != tried) {
            if let Some(reply) = self.step(*step, cx, prompt).await {
                self.shared.touched(route, &cause, reply.head.degraded, Instant::now());
                return Ok(reply);
            }
        }
        self.shared.touched(route, &cause, None, Instant::now());
        Err(failure)
    }

    /// What a step answers; `None` when it has nothing for this request.
    async fn step(&self, step: Step, cx: &Cx, prompt: &Prompt) -> Option<Reply> {
        match step {
            Step::Cache => self.kept(prompt),
            Step::Reduced => self.reduce(cx, prompt).await,
            Step::Message => Some(self.message(prompt)),
        }
    }

    fn kept(&self, prompt: &Prompt) -> Option<Reply> {
        let (kept, degraded) = self.shared.find(&prompt.request, Instant::now())?;
        let head = Head {
            worker: NOBODY.into(),
            degraded: Some(degraded),
            attempts: 0,
            ..*kept.head
        };
        Some(at_once(Box::new(head), kept.chunks.to_vec()))
    }

    /// Asks the workers of the reduced mode. What they cannot do is told by nobody: the next step answers.
    async fn reduce(&self, cx: &Cx, prompt: &Prompt) -> Option<Reply> {
        let config = &self.shared.config().reduced;
        let prompt = reduced(prompt, config.max_tokens);
        let called = self.reduced.as_ref()?.call(cx, &prompt);
        let mut reply = timeout(Duration::from_millis(config.patience_ms), called)
            .await
            .ok()?
            .ok()?;
        reply.head.degraded = Some(Degraded::Reduced);
        Some(reply)
    }

    fn message(&self, prompt: &Prompt) -> Reply {
        let head = Head {
            worker: NOBODY.into(),
            tier: Tier::default(),
            degraded: Some(Degraded::Message),
            id: Default::default(),
            model: prompt.request.model.clone(),
            created: 0,
            attempts: 0,
            grounding: Vec::new(),
            waited: Duration::ZERO,
        };
        let text = &self.shared.config().message;
        let choices = 0..prompt.request.params.choices.unwrap_or(1);
        let said = choices.flat_map(|choice| {
            let kinds = [Kind::Text(text.as_str().into()), Kind::Finish(FinishReason::Stop)];
            kinds.map(|kind| Delta { choice, kind })
        });
        let chunk = Chunk {
            event: None,
            deltas: SmallVec::from_iter(said),
        };
        at_once(Box::new(head), vec![chunk])
    }
}

#[async_trait]
impl Model for Chain {
    async fn call(&self, cx: &Cx, prompt: &Prompt) -> Result<Reply, Failure> {
        let Some(route) = self.shared.route(&prompt.request) else {
            return self.live.call(cx, prompt).await;
        };
        let mut tried = None;
        if let Some((rule, step)) = self.shared.rule(route, Instant::now()) {
            if let Some(reply) = self.step(step, cx, prompt).await {
                let by = reply.head.degraded;
                self.shared.touched(route, &Cause::Rule(rule), by, Instant::now());
                return Ok(reply);
            }
            tried = Some(step);
        }
        match self.ask(route, cx, prompt).await {
            Ok(reply) => Ok(match prompt.request.fingerprint {
                Some(what) if self.shared.config().has(Step::Cache) => record(self.shared.clone(), what, reply),
                _ => reply,
            }),
            Err(failure) if is_no_answer(&failure) => self.fall_back(route, cx, prompt, (tried, failure)).await,
            Err(failure) => Err(failure),
        }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

/// Whether the workers could not answer, rather than that there is nothing to answer or nobody to hear it. That they are
/// full is for the gate to say, whether a request waited for them there or further on.
fn is_no_answer(failure: &Failure) -> bool {
    failure.code().blame() == Blame::Upstream || failure.code() == Code::BreakerOpen
}

/// The prompt of a request for less: without passages, and for at most `most` tokens.
fn reduced(prompt: &Prompt, most: u64) -> Prompt {
    let mut request = prompt.request.clone();
    let passages = usize::from(!prompt.grounding.is_empty());
    request.messages = request.messages.into_iter().skip(passages).collect();
    Prompt {
        request,
        rewritten: prompt.rewritten,
        grounding: Vec::new(),
        limit: Some(most),
    }
}

/// A reply whose chunks are all there.
fn at_once(head: Box<Head>, chunks: Vec<Chunk>) -> Reply {
    let events = stream::once(ready(Ok(chunks))).boxed();
    Reply { head, events }
}

#[cfg(test)]
mod tests;
