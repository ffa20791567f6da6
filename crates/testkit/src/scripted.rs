//! A model in the process that does what its script says, on tokio's clock.

mod call;

pub use call::Call;

use async_trait::async_trait;
use call::{Played, play};
use futures_util::{FutureExt, future::BoxFuture};
use orchestrator_core::{Cx, Failure, Head, Prompt, Reply, Tier};
use parking_lot::Mutex;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

/// A [`Model`](orchestrator_core::Model) that follows a script and counts its calls. Clones are the same model.
#[derive(Clone)]
pub struct Model(Arc<Inner>);

/// Makes the script of the n-th call.
type Respond = dyn Fn(usize, &Prompt) -> Call + Send + Sync;

/// Answers the n-th question for a sign of life.
type Probed = dyn Fn(usize) -> BoxFuture<'static, Option<Result<(), Failure>>> + Send + Sync;

struct Inner {
    respond: Box<Respond>,
    probed: Mutex<Option<Arc<Probed>>>,
    probes: AtomicUsize,
    prompts: Mutex<Vec<String>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    running: AtomicUsize,
    peak: AtomicUsize,
    finished: AtomicUsize,
    failed: AtomicUsize,
    dropped: AtomicUsize,
}

/// One running call, from its begin until its stream is over or dropped.
struct Running {
    counts: Arc<Counts>,
    over: bool,
}

// === impl Model ===

impl Model {
    /// Answers each call with these pieces of text, at once.
    pub fn saying<T: AsRef<str>>(pieces: impl IntoIterator<Item = T>) -> Self {
        Model::following([Call::saying(pieces)])
    }

    /// Answers the first call by the first script and so on; the last one serves all that follow.
    ///
    /// # Panics
    /// At the first call, when there is no script at all.
    pub fn following(calls: impl IntoIterator<Item = Call>) -> Self {
        let calls: Vec<Call> = calls.into_iter().collect();
        Model::responding(move |nth, _| calls[nth.min(calls.len() - 1)].clone())
    }

    /// Answers the n-th call, from 0, by the script that `respond` makes for it.
    pub fn responding(respond: impl Fn(usize, &Prompt) -> Call + Send + Sync + 'static) -> Self {
        Model(Arc::new(Inner {
            respond: Box::new(respond),
            probed: Mutex::default(),
            probes: AtomicUsize::new(0),
            prompts: Mutex::default(),
            counts: Arc::default(),
        }))
    }

    /// Answers the n-th question for a sign of life, from 0, with what `probed` resolves to. Without it there is nobody to
    /// ask.
    pub fn probed<F>(&self, probed: impl Fn(usize) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Option<Result<(), Failure>>> + Send + 'static,
    {
        *self.0.probed.lock() = Some(Arc::new(move |nth| probed(nth).boxed()));
    }

    /// Questions for a sign of life so far.
    pub fn probes(&self) -> usize {
        self.0.probes.load(SeqCst)
    }

    /// Calls so far.
    pub fn calls(&self) -> usize {
        self.0.prompts.lock().len()
    }

    /// What the last turn of each call's prompt said, in the order of the calls.
    pub fn prompts(&self) -> Vec<String> {
        self.0.prompts.lock().clone()
    }

    /// Calls that run now.
    pub fn running(&self) -> usize {
        self.0.counts.running.load(SeqCst)
    }

    /// The most calls that ran at once.
    pub fn peak(&self) -> usize {
        self.0.counts.peak.load(SeqCst)
    }

    /// Calls whose script was heard to its end.
    pub fn finished(&self) -> usize {
        self.0.counts.finished.load(SeqCst)
    }

    /// Calls that failed as their script says.
    pub fn failed(&self) -> usize {
        self.0.counts.failed.load(SeqCst)
    }

    /// Calls that ended otherwise: dropped by the caller before their end, or by a panic of their script.
    pub fn dropped(&self) -> usize {
        self.0.counts.dropped.load(SeqCst)
    }
}

#[async_trait]
impl orchestrator_core::Model for Model {
    async fn call(&self, _: &Cx, prompt: &Prompt) -> Result<Reply, Failure> {
        let said = prompt.request.messages.last().map(|message| message.text());
        let nth = {
            let mut prompts = self.0.prompts.lock();
            prompts.push(said.unwrap_or_default().to_string());
            prompts.len() - 1
        };
        let running = Running::begin(self.0.counts.clone());
        let call = (self.0.respond)(nth, prompt);
        let head = Head {
            worker: "scripted".into(),
            tier: Tier::Primary,
            degraded: call.degraded,
            id: format!("scripted-{nth}").into(),
            model: prompt.request.model.clone(),
            created: 0,
            attempts: 1,
            grounding: prompt.grounding.clone(),
            waited: std::time::Duration::ZERO,
        };
        let events = play(call, running).await?;
        let head = Box::new(head);
        Ok(Reply { head, events })
    }

    async fn probe(&self) -> Option<Result<(), Failure>> {
        let nth = self.0.probes.fetch_add(1, SeqCst);
        let probed = self.0.probed.lock().clone()?;
        probed(nth).await
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("calls", &self.calls())
            .field("counts", &self.0.counts)
            .finish()
    }
}

// === impl Running ===

impl Running {
    fn begin(counts: Arc<Counts>) -> Self {
        let running = counts.running.fetch_add(1, SeqCst) + 1;
        counts.peak.fetch_max(running, SeqCst);
        Running { counts, over: false }
    }

    fn end(&mut self, how: Played) {
        self.over = true;
        let count = match how {
            Played::Out => &self.counts.finished,
            Played::Failed => &self.counts.failed,
        };
        count.fetch_add(1, SeqCst);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.counts.running.fetch_sub(1, SeqCst);
        if !self.over {
            self.counts.dropped.fetch_add(1, SeqCst);
        }
    }
}

#[cfg(test)]
mod tests;
