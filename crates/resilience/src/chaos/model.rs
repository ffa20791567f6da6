//! A worker's model with the faults that its calls meet.

use super::{
    Fault, Switch,
    dice::Hits,
    metrics::Injected,
    stream::{cut, trickle},
};
use orchestrator_core::{Code, Cx, Failure, Model as Port, Prompt, Reply, RequestId};
use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// How long a stream may keep its caller waiting, which an injected pause uses up as a server's own would.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the call to the first token.
    pub first_token: Duration,
    /// From one token to the next.
    pub idle: Duration,
}

/// A model whose calls may meet faults. While there are none, a call costs a look at a flag more than without it.
pub(crate) struct Model {
    switch: Switch,
    worker: Arc<str>,
    injected: Injected,
    patience: Patience,
    model: Arc<dyn Port>,
}

/// Why a failure is none of the worker's; it stands in the log.
#[derive(Debug)]
pub(crate) struct OnPurpose;

/// What tells of the faults of one call.
#[derive(Clone)]
struct Told {
    request: RequestId,
    worker: Arc<str>,
    injected: Injected,
}

// === impl Model ===

impl Model {
    pub(crate) fn new(switch: Switch, worker: Arc<str>, patience: Patience, model: Arc<dyn Port>) -> Self {
        Model {
            injected: switch.counters(&worker),
            switch,
            worker,
            patience,
            model,
        }
    }

    async fn call_with(&self, hits: Hits, cx: &Cx, prompt: &Prompt) -> Result<Reply, Failure> {
        let told = Told {
            request: cx.id(),
            worker: self.worker.clone(),
            injected: self.injected.clone(),
        };
        let limit = self.patience.first_token;
        let called = match hits.latency {
            Some(_) if prompt.request.stream => timeout(limit, self.begin(hits, &told, cx, prompt)).await,
            _ => Ok(self.begin(hits, &told, cx, prompt).await),
        };
        let Reply { head, mut events } = called.unwrap_or_else(|_| Err(too_slow(limit)))?;
        if let Some(tokens) = hits.cut {
            let told = told.clone();
            events = cut(events, tokens, move || told.broken_off()).await?;
        }
        if let Some(pause) = hits.trickle {
            told.tell(Fault::Trickle);
            events = trickle(events, pause, self.patience.idle);
        }
        Ok(Reply { head, events })
    }

    /// The call up to its first token, with what befalls it before it is made.
    async fn begin(&self, hits: Hits, told: &Told, cx: &Cx, prompt: &Prompt) -> Result<Reply, Failure> {
        if let Some(pause) = hits.latency {
            told.tell(Fault::Latency);
            sleep(pause).await;
        }
        if let Some(status) = hits.failure {
            told.tell(Fault::Failure);
            return Err(Failure::refused(status, None).with_source(OnPurpose));
        }
        self.model.call(cx, prompt).await
    }
}

/// Written out as `async_trait` would, so that a call that meets nothing is handed on as it is, without a future around it.
impl Port for Model {
    fn call<'a, 'b, 'c, 'd>(
        &'a self,
        cx: &'b Cx,
        prompt: &'c Prompt,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + 'd>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        if self.switch.is_off() && prompt.request.chaos.is_none() {
            return self.model.call(cx, prompt);
        }
        let hits = self.switch.call(&self.worker, &prompt.request);
        Box::pin(self.call_with(hits, cx, prompt))
    }

    fn probe<'a, 'b>(&'a self) -> Pin<Box<dyn Future<Output = Option<Result<(), Failure>>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        self.model.probe()
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}

fn too_slow(limit: Duration) -> Failure {
    let text = format!("The worker sent no token within {} ms.", limit.as_millis());
    Failure::new(Code::FirstTokenTimeout, text).with_source(OnPurpose)
}

// === impl Told ===

impl Told {
    fn tell(&self, fault: Fault) {
        self.injected.count(fault);
        let (worker, fault) = (&*self.worker, fault.as_str());
        tracing::warn!(request_id = %self.request, worker, fault, "chaos: a fault is injected into a call");
    }

    /// The failure of an answer that ends too early.
    fn broken_off(&self) -> Failure {
        self.tell(Fault::Cut);
        let text = "The connection to the worker broke off in the middle of its answer.";
        Failure::new(Code::UpstreamTruncated, text).with_source(OnPurpose)
    }
}

// === impl OnPurpose ===

impl fmt::Display for OnPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("chaos: injected on purpose")
    }
}

impl std::error::Error for OnPurpose {}
