//! The stage: asks the retriever with the last user message, and goes on without passages when it has none in time.

use crate::{Config, Metrics, metrics::Outcome};
use orchestrator_core::{
    Code, Cx, Failure, Flow, Grounded, Passage, Request, Retriever, Role, Stage, StageName, Text, Unique,
};
use parking_lot::Mutex;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// The longest question that is asked, in bytes; what comes after says little about what to look for.
const MAX_QUESTION: usize = 4096;

/// The time between two warnings that requests go without passages: a retriever that is down shall not fill the logs.
const QUIET: Duration = Duration::from_secs(60);

/// Looks for passages that ground an answer.
pub struct Rag {
    config: Config,
    retriever: Option<Arc<dyn Retriever>>,
    metrics: Metrics,
    warned: Mutex<Option<Instant>>,
}

// === impl Rag ===

impl Rag {
    /// A stage that asks `retriever`. Switched off it passes requests on at once; without one too, unless passages are
    /// required: then each request fails.
    pub fn new(config: Config, retriever: Option<Arc<dyn Retriever>>, metrics: Metrics) -> Self {
        let retriever = retriever.filter(|_| config.enabled);
        Rag {
            config,
            retriever,
            metrics,
            warned: Mutex::new(None),
        }
    }

    async fn passages(&self, retriever: &dyn Retriever, request: &Request) -> Result<Vec<Passage>, Failure> {
        let started = Instant::now();
        let question = question(request);
        let found = timeout(self.config.timeout(), retriever.retrieve(&question, self.config.top_k)).await;
        let outcome = match &found {
            Err(_) => Outcome::Timeout,
            Ok(Err(_)) => Outcome::Failed,
            Ok(Ok(passages)) if passages.is_empty() => Outcome::Empty,
            Ok(Ok(_)) => Outcome::Found,
        };
        self.metrics.ended(outcome, started.elapsed());
        match found {
            Ok(Ok(passages)) => Ok(within(passages, self.config.max_context_tokens)),
            Ok(Err(failure)) => self.without(&failure.to_string()),
            Err(_) => self.without(&format!("nothing was found within {} ms", self.config.timeout_ms)),
        }
    }

    /// What becomes of a request whose passages cannot be had.
    fn without(&self, reason: &str) -> Result<Vec<Passage>, Failure> {
        self.warn(reason);
        match self.config.required {
            true => Err(Failure::new(
                Code::RetrievalFailed,
                "The documents cannot be searched now. Try again later.",
            )),
            false => Ok(Vec::new()),
        }
    }

    fn warn(&self, reason: &str) {
        let now = Instant::now();
        let mut warned = self.warned.lock();
        if warned.is_none_or(|at| now.saturating_duration_since(at) >= QUIET) {
            *warned = Some(now);
            let so = if self.config.required {
                "fail"
            } else {
                "go on without passages"
            };
            tracing::warn!(reason, "the documents cannot be searched: requests {so}");
        }
    }
}

impl Stage for Rag {
    const NAME: StageName = StageName::Rag;
    type In = Unique;
    type Out = Grounded;

    async fn run(&self, _: &mut Cx, Unique(request): Unique) -> Result<Flow<Grounded>, Failure> {
        let passages = match &self.retriever {
            Some(retriever) => self.passages(&**retriever, &request).await?,
            None if self.config.enabled && self.config.required => self.without("there is no folder")?,
            None => Vec::new(),
        };
        Ok(Flow::Next(Grounded { request, passages }))
    }
}

impl fmt::Debug for Rag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rag")
            .field("config", &self.config)
            .field("retrieves", &self.retriever.is_some())
            .finish_non_exhaustive()
    }
}

/// The last user message, as far as it is asked.
fn question(request: &Request) -> Text {
    let asked = request.messages.iter().rfind(|message| message.role == Role::User);
    let text = asked.map(|message| message.text()).unwrap_or_default();
    let end = text.floor_char_boundary(MAX_QUESTION);
    text.get(..end).map(Text::from).unwrap_or_default()
}

/// The best passages, while they fit; a token counts as four bytes.
fn within(passages: Vec<Passage>, max_tokens: usize) -> Vec<Passage> {
    let mut left = max_tokens.saturating_mul(4);
    let fits = |passage: &Passage| {
        let rest = left.checked_sub(passage.text.len());
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    passages.into_iter().take_while(fits).collect()
}

#[cfg(test)]
mod tests;
