//! What befalls an answer on its way: it breaks off, or comes slowly.

use super::model::OnPurpose;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use orchestrator_core::{Chunk, Code, Failure, Kind};
use std::{collections::VecDeque, future::Future, time::Duration};
use tokio::time::sleep;

/// An answer as it comes from a worker.
pub(crate) type Events = BoxStream<'static, Result<Vec<Chunk>, Failure>>;

/// An answer of which only some tokens come through.
struct Cut<F> {
    events: Events,
    tokens_left: u64,
    /// Tells of the cut and says how the answer fails by it.
    breaks: F,
}

/// An answer that comes token by token.
struct Trickle {
    events: Events,
    waiting: VecDeque<Chunk>,
    pause: Duration,
    /// The longest pause that is waited for.
    patience: Duration,
}

/// Lets `tokens` of them through; then the answer is dropped and ends with the failure that `breaks` makes. An answer in
/// one piece never comes to its first token, as if its body had been truncated.
pub(crate) async fn cut<F>(mut events: Events, tokens: u64, breaks: F) -> Result<Events, Failure>
where
    F: Fn() -> Failure + Send + 'static,
{
    let Some(first) = events.next().await else {
        return Ok(stream::empty().boxed());
    };
    if first.as_ref().is_ok_and(|chunks| chunks.iter().any(is_whole)) {
        return Err(breaks());
    }
    let events = stream::iter([first]).chain(events).boxed();
    let cut = Cut {
        events,
        tokens_left: tokens,
        breaks,
    };
    Ok(follow(cut, Cut::next))
}

/// Makes a pause before each token. What came together is taken apart, so that the pace does not depend on how a server's
/// bytes happen to arrive. An answer that keeps silent for longer than `patience` fails as it would behind a server.
pub(crate) fn trickle(events: Events, pause: Duration, patience: Duration) -> Events {
    let trickle = Trickle {
        events,
        waiting: VecDeque::new(),
        pause,
        patience,
    };
    follow(trickle, Trickle::next)
}

/// A stream of what `next` makes of a state that it gives back as long as there is more.
fn follow<S, N, F>(state: S, next: N) -> Events
where
    S: Send + 'static,
    N: Fn(S) -> F + Copy + Send + 'static,
    F: Future<Output = Option<(Result<Vec<Chunk>, Failure>, Option<S>)>> + Send,
{
    let step = move |state: Option<S>| async move { next(state?).await };
    stream::unfold(Some(state), step).boxed()
}

// === impl Cut ===

impl<F: Fn() -> Failure> Cut<F> {
    async fn next(mut self) -> Option<(Result<Vec<Chunk>, Failure>, Option<Self>)> {
        if self.tokens_left == 0 {
            return Some((Err((self.breaks)()), None));
        }
        match self.events.next().await? {
            Ok(mut chunks) => {
                self.keep(&mut chunks);
                Some((Ok(chunks), Some(self)))
            }
            Err(failure) => Some((Err(failure), None)),
        }
    }

    /// Keeps the chunks up to the last token that comes through.
    fn keep(&mut self, chunks: &mut Vec<Chunk>) {
        let left = &mut self.tokens_left;
        chunks.retain(|chunk| {
            let is_kept = *left > 0;
            *left = left.saturating_sub(tokens(chunk));
            is_kept
        });
    }
}

// === impl Trickle ===

impl Trickle {
    async fn next(mut self) -> Option<(Result<Vec<Chunk>, Failure>, Option<Self>)> {
        loop {
            if let Some(chunk) = self.waiting.pop_front() {
                if tokens(&chunk) > 0 {
                    sleep(self.pause.min(self.patience)).await;
                    if self.pause > self.patience {
                        return Some((Err(silent(self.patience)), None));
                    }
                }
                return Some((Ok(vec![chunk]), Some(self)));
            }
            match self.events.next().await? {
                Ok(chunks) => self.waiting.extend(chunks),
                Err(failure) => return Some((Err(failure), None)),
            }
        }
    }
}

fn silent(patience: Duration) -> Failure {
    let text = format!("The worker was silent for {} ms.", patience.as_millis());
    Failure::new(Code::IdleTimeout, text).with_source(OnPurpose)
}

fn is_whole(chunk: &Chunk) -> bool {
    chunk.event.as_ref().is_some_and(|event| event.whole)
}

/// The pieces of an answer that a chunk holds.
fn tokens(chunk: &Chunk) -> u64 {
    let is_token = |kind: &Kind| !matches!(kind, Kind::Finish(_) | Kind::Usage(_));
    chunk.deltas.iter().filter(|delta| is_token(&delta.kind)).count() as u64
}

#[cfg(test)]
mod tests;
