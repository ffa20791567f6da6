//! A stage of the line: one method, typed at both ends.

use crate::{Admitted, Answer, AnswerRef, AnswerWriter, Cache, Chunk, End, Failure, Head, Priority, RequestId};
use std::{fmt, future::Future, time::Duration};
use tokio::time::Instant;

/// A step in the life of a request. It holds domain sentences and nothing else: [`drive`](crate::drive) runs the loop,
/// and drops the future when nobody wants the answer any more.
pub trait Stage: Send + Sync + 'static {
    /// Its name in logs and metrics.
    const NAME: StageName;
    /// What it takes.
    type In: Send + 'static;
    /// What it hands on; `Infallible` for the last one.
    type Out: Send + 'static;

    /// Takes one request a step further.
    fn run(&self, cx: &mut Cx, body: Self::In) -> impl Future<Output = Result<Flow<Self::Out>, Failure>> + Send;
}

/// The stages of the line, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StageName {
    /// Fingerprint, coalesce, replay.
    Dedup,
    /// Where a request waits for a worker.
    Gate,
    /// Retrieve passages.
    Rag,
    /// Template, token count, fit to the window.
    Assemble,
    /// Call a worker.
    Inference,
    /// Filters over the token stream.
    PostProcess,
    /// Drive the reply into the answer.
    Stream,
}

/// Where a request goes from a stage.
#[derive(Debug)]
pub enum Flow<T> {
    /// On to the next stage.
    Next(T),
    /// Over to another answer, which all its listeners hear from the start.
    Join(Answer, Cache),
    /// The answer is complete.
    Done(End),
}

/// A request in the line: what a stage works on, and the answer that it works for.
#[derive(Debug)]
pub struct Job<T> {
    /// The answer's end of it.
    pub cx: Cx,
    /// What the next stage takes.
    pub body: T,
}

/// What a stage may do for the answer that it works for.
pub struct Cx {
    id: RequestId,
    pub(crate) writer: AnswerWriter,
    choices: u32,
    waited: Duration,
    admitted: Option<Box<dyn Admitted>>,
    /// When the stage that has it began: where it went straight on, at the end of the one before, without another look at
    /// the clock.
    pub(crate) began: Option<Instant>,
}

// === impl StageName ===

impl StageName {
    /// All stages, in order.
    pub const ALL: [StageName; 7] = [
        StageName::Dedup,
        StageName::Gate,
        StageName::Rag,
        StageName::Assemble,
        StageName::Inference,
        StageName::PostProcess,
        StageName::Stream,
    ];

    /// The name in logs, metrics and the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            StageName::Dedup => "dedup",
            StageName::Gate => "gate",
            StageName::Rag => "rag",
            StageName::Assemble => "assemble",
            StageName::Inference => "inference",
            StageName::PostProcess => "post_process",
            StageName::Stream => "stream",
        }
    }
}

// === impl Cx ===

impl Cx {
    /// A request's way through the line, for the answer that `writer` writes.
    pub fn new(id: RequestId, writer: AnswerWriter) -> Self {
        Cx {
            id,
            writer,
            choices: 1,
            waited: Duration::ZERO,
            admitted: None,
            began: None,
        }
    }

    /// When the stage that has the request began with it.
    pub fn began(&self) -> Instant {
        self.began.unwrap_or_else(Instant::now)
    }

    /// The request's name.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Says what is known of the answer; listeners see it with the first chunk, and in it how long the request has waited.
    pub fn head(&mut self, head: Head) {
        let waited = self.waited;
        self.writer.head(Head { waited, ..head });
    }

    /// `stage` has worked on the request for so long: at the gate and at the call it waits for others.
    pub(crate) fn worked(&mut self, stage: StageName, took: Duration) {
        if matches!(stage, StageName::Gate | StageName::Inference) {
            self.waited = self.waited.saturating_add(took);
        }
    }

    /// Says where the answer comes from.
    pub fn cache(&mut self, cache: Cache) {
        self.writer.cache(cache);
    }

    /// Appends chunks; see [`AnswerWriter::push`].
    pub fn push(&mut self, chunks: impl IntoIterator<Item = Chunk>) -> bool {
        self.writer.push(chunks)
    }

    /// Appends the chunk that tells of a cut; see [`AnswerWriter::cut`].
    pub fn cut(&mut self, last: Chunk) {
        self.writer.cut(last);
    }

    /// Says how many choices the answer will have, as far as the worker does what it is asked.
    pub fn expect_choices(&mut self, choices: u32) {
        self.choices = choices;
    }

    /// How many choices the answer will have; 1 unless somebody said otherwise.
    pub fn choices(&self) -> u32 {
        self.choices
    }

    /// A reference to the answer that keeps its log.
    pub fn answer(&self) -> Option<AnswerRef> {
        self.writer.downgrade()
    }

    /// The furthest deadline of those who listen now; `None` when nobody does.
    pub fn deadline(&self) -> Option<Instant> {
        self.writer.deadline()
    }

    /// The highest lane that a listener asked for.
    pub fn priority(&self) -> Priority {
        self.writer.priority()
    }

    /// Resolves with the new lane once a listener has asked for one above `than`.
    pub fn raised(&self, than: Priority) -> impl Future<Output = Priority> + Send + 'static {
        self.writer.raised(than)
    }

    /// The request was let on. What it was let on with is carried until it is over, whatever way it ends.
    pub fn admit(&mut self, admitted: impl Admitted) {
        self.admitted = Some(Box::new(admitted));
    }

    /// What the request was let on with; `None` before the gate.
    pub fn admitted(&self) -> Option<&dyn Admitted> {
        self.admitted.as_deref()
    }
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
