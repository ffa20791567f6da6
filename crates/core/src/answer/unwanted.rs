//! Tells whoever drives the work that nobody wants it any more.

use crate::{log::Log, sync::Arc};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::time::{Sleep, sleep_until};

/// Resolves once nobody listens any more. To be awaited by the task that drives the work, and no other.
#[derive(Debug)]
pub struct Unwanted {
    log: Option<Arc<Log>>,
    /// Made at the first wait: most work need not wait, and is moved about with all that it holds.
    alarm: Option<Pin<Box<Sleep>>>,
}

// === impl Unwanted ===

impl Unwanted {
    pub(super) fn new(log: Option<Arc<Log>>) -> Self {
        Unwanted { log, alarm: None }
    }
}

impl Future for Unwanted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.log.as_ref().and_then(|log| log.wanted_until(Some(cx.waker())));
        let Some(until) = until else {
            return Poll::Ready(());
        };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if alarm.deadline() != until {
            alarm.as_mut().reset(until);
        }
        alarm.as_mut().poll(cx)
    }
}
