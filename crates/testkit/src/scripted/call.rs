//! The script of one call, and how it is played.

use super::Running;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use orchestrator_core::{Chunk, Degraded, Delta, Failure, FinishReason, Kind, Usage};
use std::{collections::VecDeque, time::Duration};
use tokio::time::sleep;

/// What the model does in one call, step by step. A call without a finish goes on to end without one, which is what a
/// broken provider looks like behind the wire.
#[derive(Clone, Debug, Default)]
pub struct Call {
    steps: VecDeque<Step>,
    pub(super) degraded: Option<Degraded>,
}

#[derive(Clone, Debug)]
enum Step {
    After(Duration),
    Batch(Vec<Chunk>),
    Fail(Failure),
    Panic,
    Hang,
}

/// How a script came to its end.
pub(super) enum Played {
    Out,
    Failed,
}

// === impl Call ===

impl Call {
    /// Does nothing yet.
    pub fn new() -> Self {
        Call::default()
    }

    /// Says these pieces in one batch, then stops.
    pub fn saying<T: AsRef<str>>(pieces: impl IntoIterator<Item = T>) -> Self {
        let chunks = pieces.into_iter().map(|piece| Chunk::text(piece.as_ref()));
        Call::new().batch(chunks.collect()).finish(FinishReason::Stop)
    }

    /// Says `tokens` pieces, `t0 `, `t1 ` and so on, each `gap_ms` after the one before, then stops.
    pub fn paced(tokens: usize, gap_ms: u64) -> Self {
        let say = |call: Call, nth| call.after(gap_ms).text(&format!("t{nth} "));
        (0..tokens).fold(Call::new(), say).finish(FinishReason::Stop)
    }

    /// Waits so many milliseconds before the next step.
    pub fn after(self, millis: u64) -> Self {
        self.then(Step::After(Duration::from_millis(millis)))
    }

    /// Says a piece of text.
    pub fn text(self, piece: &str) -> Self {
        self.chunk(Chunk::text(piece))
    }

    /// Sends a chunk.
    pub fn chunk(self, chunk: Chunk) -> Self {
        self.batch(vec![chunk])
    }

    /// Sends chunks that arrive together.
    pub fn batch(self, chunks: Vec<Chunk>) -> Self {
        self.then(Step::Batch(chunks))
    }

    /// Tells the usage.
    pub fn usage(self, prompt_tokens: u64, completion_tokens: u64) -> Self {
        let usage = Usage {
            prompt_tokens,
            completion_tokens,
            ..Usage::default()
        };
        self.chunk(Delta::first(Kind::Usage(usage)).into())
    }

    /// Finishes the first choice.
    pub fn finish(self, reason: FinishReason) -> Self {
        self.chunk(Delta::first(Kind::Finish(reason)).into())
    }

    /// Fails: the call itself when nothing with content was said before, else its stream.
    pub fn fail(self, failure: Failure) -> Self {
        self.then(Step::Fail(failure))
    }

    /// Panics.
    pub fn panic(self) -> Self {
        self.then(Step::Panic)
    }

    /// Stands in for the workers of a route, by its head.
    pub fn stand_in(self, by: Degraded) -> Self {
        Call {
            degraded: Some(by),
            ..self
        }
    }

    /// Falls silent for ever.
    pub fn hang(self) -> Self {
        self.then(Step::Hang)
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    /// The next batch; `None` when the script is over.
    async fn next(&mut self) -> Option<Result<Vec<Chunk>, Failure>> {
        loop {
            match self.steps.pop_front()? {
                Step::After(pause) => sleep(pause).await,
                Step::Batch(chunks) if chunks.is_empty() => {}
                Step::Batch(chunks) => return Some(Ok(chunks)),
                Step::Fail(failure) => return Some(Err(failure)),
                Step::Panic => panic!("the script says so"),
                Step::Hang => std::future::pending().await,
            }
        }
    }
}

/// Plays a script: up to the first content before it resolves, the rest in the stream.
pub(super) async fn play(
    mut call: Call,
    mut running: Running,
) -> Result<BoxStream<'static, Result<Vec<Chunk>, Failure>>, Failure> {
    let mut heard = Vec::new();
    while !heard.iter().any(Chunk::has_content) {
        match call.next().await {
            Some(Ok(chunks)) => heard.extend(chunks),
            Some(Err(failure)) => {
                running.end(Played::Failed);
                return Err(failure);
            }
            None => break,
        }
    }
    let first = (!heard.is_empty()).then_some(Ok(heard));
    let rest = stream::unfold(Some((call, running)), |playing| async move {
        let (mut call, mut running) = playing?;
        match call.next().await {
            Some(Ok(chunks)) => Some((Ok(chunks), Some((call, running)))),
            Some(Err(failure)) => {
                running.end(Played::Failed);
                Some((Err(failure), None))
            }
            None => {
                running.end(Played::Out);
                None
            }
        }
    });
    Ok(stream::iter(first).chain(rest).boxed())
}
