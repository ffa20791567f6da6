//! Where the process is in its life, as every door sees it.

use std::time::Duration;
use tokio::{sync::watch, time::timeout};

/// A step in the life of the process; it only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Parts are being built; nothing is taken.
    Starting,
    /// Requests are taken.
    Ready,
    /// Told to go: not ready any more, but requests are still taken while load balancers learn of it.
    Leaving,
    /// No new request is taken; what runs is finished.
    Draining,
    /// The time is up: what still runs ends with a clear failure.
    Over,
}

/// Moves the process through its life.
#[derive(Debug)]
pub struct Director(watch::Sender<Stage>);

/// Sees where the process is in its life.
#[derive(Clone, Debug)]
pub struct Life(watch::Receiver<Stage>);

/// A life at its start.
pub fn life() -> (Director, Life) {
    let (director, life) = watch::channel(Stage::Starting);
    (Director(director), Life(life))
}

// === impl Director ===

impl Director {
    /// Goes on to `stage`; never back.
    pub fn enter(&self, stage: Stage) {
        self.0.send_if_modified(|now| {
            let later = stage > *now;
            *now = stage.max(*now);
            later
        });
    }
}

// === impl Life ===

impl Life {
    /// The stage of now.
    pub fn stage(&self) -> Stage {
        *self.0.borrow()
    }

    /// Waits until `stage` is reached. Losing the future loses nothing.
    pub async fn reached(&mut self, stage: Stage) {
        if self.0.wait_for(|now| *now >= stage).await.is_err() {
            // Nobody directs any more: the process is being torn down, and tasks with it.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until `stage` is reached, at most `patience`; says whether it was.
    pub async fn reached_within(&mut self, stage: Stage, patience: Duration) -> bool {
        timeout(patience, self.reached(stage)).await.is_ok()
    }
}

#[cfg(test)]
mod tests;
