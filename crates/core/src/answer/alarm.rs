//! Tells one who listens of a deadline.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};
use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

/// A timer that may be asked often.
#[derive(Debug)]
pub(super) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// Whom it wakes, once it was asked.
    waker: Option<Waker>,
}

// === impl Alarm ===

impl Alarm {
    pub(super) fn at(until: Instant) -> Self {
        Alarm {
            sleep: Box::pin(sleep_until(until)),
            waker: None,
        }
    }

    /// Ready at the deadline. A listener asks after each chunk: one who is to be woken already is not noted down anew. So the
    /// timer must never turn him away unnoted, as it would when his task has had its turn.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_noted = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if is_noted && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.waker
            .get_or_insert_with(|| cx.waker().clone())
            .clone_from(cx.waker());
        pin!(unconstrained(&mut self.sleep)).poll(cx)
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
