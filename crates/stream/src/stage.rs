//! Drives a reply into the answer: all that is ready now becomes one append, so listeners are woken once for it.

use futures_util::{StreamExt, stream::BoxStream};
use orchestrator_core::{
    Chunk, Code, Cx, Delta, End, Failure, Filtered, FinishReason, Flow, Kind, Stage, StageName, Usage,
};
use std::{
    collections::BTreeSet,
    convert::Infallible,
    future::poll_fn,
    task::{Context, Poll},
};

/// The most batches that one append gathers, so that a worker which is never silent cannot hold its core.
const MAX_BATCHES: usize = 64;

/// The last stage: writes the events of a reply to the answer until they end.
///
/// Dropping its future drops the reply, and with it the call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stream;

/// The events of a reply.
struct Source {
    events: BoxStream<'static, Result<Vec<Chunk>, Failure>>,
    over: Option<Result<(), Failure>>,
    /// Whether the worker may have more at once.
    has_more: bool,
    /// Whether it had no more and will wake the task: the next look, in the same poll of that task, would be in vain.
    is_drained: bool,
}

/// What the chunks so far say about the end of the answer.
#[derive(Debug, Default)]
struct Outcome {
    /// Of the first choice.
    finish: Option<FinishReason>,
    /// The choices beside the first that have begun and are not finished.
    others: BTreeSet<u32>,
    usage: Option<Usage>,
}

// === impl Stream ===

impl Stage for Stream {
    const NAME: StageName = StageName::Stream;
    type In = Filtered;
    type Out = Infallible;

    async fn run(&self, cx: &mut Cx, Filtered(reply): Filtered) -> Result<Flow<Infallible>, Failure> {
        cx.head(*reply.head);
        let mut source = Source::new(reply.events);
        let mut outcome = Outcome::default();
        loop {
            // Between two looks at a source that is drained nothing else is awaited.
            let chunks = source.gather().await;
            // The chunks are seen as they are appended, for nobody hears those after the first that does not fit.
            if !chunks.is_empty() && !cx.push(chunks.into_iter().inspect(|chunk| outcome.see(chunk))) {
                return Ok(Flow::Done(cut(cx, outcome)));
            }
            if let Some(over) = source.over {
                return over.and_then(|()| outcome.end()).map(Flow::Done);
            }
            if source.has_more {
                // Others on this core shall run too.
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Tells listeners that the answer reached its limit on bytes, for each choice that is not finished yet.
fn cut(cx: &mut Cx, outcome: Outcome) -> End {
    let finish = |choice| Delta {
        choice,
        kind: Kind::Finish(FinishReason::Length),
    };
    let last = Chunk {
        event: None,
        deltas: outcome.open().map(finish).collect(),
    };
    if last.has_content() {
        cx.cut(last);
    }
    End {
        finish: FinishReason::Length,
        usage: outcome.usage,
        cut: true,
    }
}

// === impl Source ===

impl Source {
    fn new(events: BoxStream<'static, Result<Vec<Chunk>, Failure>>) -> Self {
        Source {
            events,
            over: None,
            has_more: false,
            is_drained: false,
        }
    }

    /// All chunks that are ready now; waits for the first of them. Losing the future loses no chunk, since it is ready as soon
    /// as it holds one.
    async fn gather(&mut self) -> Vec<Chunk> {
        poll_fn(|cx| self.poll_gather(cx)).await
    }

    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Chunk>> {
        if std::mem::take(&mut self.is_drained) {
            return Poll::Pending;
        }
        let mut gathered = Vec::new();
        self.has_more = false;
        for _ in 0..MAX_BATCHES {
            match self.events.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(batch))) if gathered.is_empty() => gathered = batch,
                Poll::Ready(Some(Ok(batch))) => gathered.extend(batch),
                Poll::Ready(Some(Err(failure))) => self.over = Some(Err(failure)),
                Poll::Ready(None) => self.over = Some(Ok(())),
                Poll::Pending if gathered.is_empty() => return Poll::Pending,
                Poll::Pending => {
                    self.is_drained = true;
                    return Poll::Ready(gathered);
                }
            }
            if self.over.is_some() {
                return Poll::Ready(gathered);
            }
        }
        self.has_more = true;
        Poll::Ready(gathered)
    }
}

// === impl Outcome ===

impl Outcome {
    fn see(&mut self, chunk: &Chunk) {
        for delta in &chunk.deltas {
            match delta.kind {
                Kind::Usage(usage) => self.usage = Some(usage),
                Kind::Finish(reason) if delta.choice == 0 => self.finish = Some(reason),
                Kind::Finish(_) => _ = self.others.remove(&delta.choice),
                _ if delta.choice == 0 => {}
                _ => _ = self.others.insert(delta.choice),
            }
        }
    }

    /// The choices that are not finished; the first is one of them before it has begun.
    fn open(&self) -> impl Iterator<Item = u32> {
        let first = self.finish.is_none().then_some(0);
        first.into_iter().chain(self.others.iter().copied())
    }

    fn end(self) -> Result<End, Failure> {
        let truncated = || {
            Failure::new(
                Code::UpstreamTruncated,
                "The worker's answer ended before it was finished.",
            )
        };
        Ok(End {
            finish: self.finish.ok_or_else(truncated)?,
            usage: self.usage,
            cut: false,
        })
    }
}

#[cfg(test)]
mod tests;
