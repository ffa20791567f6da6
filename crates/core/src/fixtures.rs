//! What the tests of several modules need.

use crate::{Admitted, Answer, Code, Cx, End, Failure, FinishReason, Job, Ledger, Priority, RequestId, answer};
use futures_util::StreamExt;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// An end with nothing special to it.
pub(crate) const END: End = End {
    finish: FinishReason::Stop,
    usage: None,
    cut: false,
};

/// What a request was let on with, held for as long as it lives.
pub(crate) struct Permit(#[expect(dead_code, reason = "it is held to be dropped")] pub(crate) Arc<()>);

impl Admitted for Permit {
    fn patience(&self) -> Duration {
        Duration::MAX
    }

    fn waited(&self, _: Priority, _: Duration) {}

    fn refusal(&self) -> Failure {
        Failure::new(Code::Overloaded, "full")
    }

    fn give_back(&self) {}
}

pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A request's way through the line, and the client who waits for it so long.
pub(crate) fn cx(patience: Duration) -> (Cx, Answer) {
    let (writer, answer) = answer(Instant::now() + patience, Priority::Normal, Ledger::generous());
    (Cx::new(RequestId::mint(0, [0; 10]), writer), answer)
}

/// A request in the line, and its client.
pub(crate) fn job<T>(body: T, patience: Duration) -> (Job<T>, Answer) {
    let (cx, answer) = cx(patience);
    (Job { cx, body }, answer)
}

/// Listens to the end; the code of the failure, if it is one.
pub(crate) async fn code(mut answer: Answer) -> Option<Code> {
    while let Some(chunks) = answer.next().await {
        if let Err(failure) = chunks {
            return Some(failure.code());
        }
    }
    None
}
