//! The times that a session heeds.

use crate::life::{Life, Stage};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often a silent client is pinged.
const PING: Duration = Duration::from_secs(20);

/// When to ping, and where the process is in its life.
pub(super) struct Times {
    life: Life,
    stage: Stage,
    /// Until the next stage that a session heeds.
    until: Pin<Box<dyn Future<Output = ()> + Send>>,
    ping: Interval,
}

/// What it is time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    Ping,
    /// The process has come to this stage.
    Stage(Stage),
}

// === impl Times ===

impl Times {
    pub(super) fn new(life: Life) -> Self {
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        let stage = life.stage();
        Times {
            until: until_next(life.clone(), stage),
            life,
            stage,
            ping,
        }
    }

    /// The stage that was told last.
    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// Ready when it is time for something; at once, when the process was in its last stage from the start.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Time> {
        if self.until.as_mut().poll(cx).is_ready() {
            self.stage = self.life.stage();
            self.until = until_next(self.life.clone(), self.stage);
            return Poll::Ready(Time::Stage(self.stage));
        }
        self.ping.poll_tick(cx).map(|_| Time::Ping)
    }
}

fn until_next(mut life: Life, stage: Stage) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let next = match stage < Stage::Draining {
        true => Stage::Draining,
        false => Stage::Over,
    };
    Box::pin(async move { life.reached(next).await })
}

#[cfg(test)]
mod tests;
