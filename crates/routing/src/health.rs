//! What a worker's probes say of it: a pure machine, and the task that probes.

use crate::Member;
use orchestrator_core::{Code, Failure, Model};
use rand::{Rng, rngs::StdRng};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// When a worker is probed, and what follows from its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probing {
    /// From one probe to the next, give or take a tenth; zero: it is never probed.
    pub interval: Duration,
    /// The longest wait for an answer.
    pub timeout: Duration,
    /// Bad answers in a row that make it unhealthy.
    pub down_after: u32,
    /// Good answers in a row that make it healthy.
    pub up_after: u32,
}

/// What is known of a worker's health. Unknown until enough answers in a row say the same.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    probing: Probing,
    known: Option<bool>,
    /// What the last answer said, and how many in a row have said so.
    run: (bool, u32),
    served: Option<Instant>,
}

/// The probes of one worker.
pub(crate) struct Watch {
    member: Arc<Member>,
    model: Arc<dyn Model>,
    rng: StdRng,
}

// === impl Probing ===

impl Probing {
    /// For a worker that is never probed.
    pub const OFF: Probing = Probing {
        interval: Duration::ZERO,
        timeout: Duration::ZERO,
        down_after: 1,
        up_after: 1,
    };
}

// === impl Health ===

impl Health {
    /// Nothing known yet.
    pub(crate) fn new(probing: Probing) -> Self {
        Health {
            probing,
            known: None,
            run: (true, 0),
            served: None,
        }
    }

    /// How it is probed.
    pub(crate) fn probing(&self) -> Probing {
        self.probing
    }

    /// A probe was answered well, or not. What it is known as from now on, if that has changed.
    pub(crate) fn probed(&mut self, ok: bool) -> Option<bool> {
        let (last, run) = self.run;
        let run = if last == ok { run.saturating_add(1) } else { 1 };
        self.run = (ok, run);
        let enough = if ok {
            self.probing.up_after
        } else {
            self.probing.down_after
        };
        let is_news = run >= enough && self.known != Some(ok);
        is_news.then(|| *self.known.insert(ok))
    }

    /// A call came to its first token.
    pub(crate) fn served(&mut self, now: Instant) {
        self.served = Some(now);
    }

    /// Whether it is well; `None` is unknown. A call that was served within the last interval says more than any probe.
    pub(crate) fn state(&self, now: Instant) -> Option<bool> {
        let is_recent = |at| now.saturating_duration_since(at) < self.probing.interval;
        if self.served.is_some_and(is_recent) {
            Some(true)
        } else {
            self.known
        }
    }
}

// === impl Watch ===

impl Watch {
    pub(crate) fn new(member: Arc<Member>, model: Arc<dyn Model>, rng: StdRng) -> Self {
        Watch { member, model, rng }
    }

    /// Probes until it is dropped, or there is nobody to ask. Workers are not all asked at the same moment.
    pub(crate) async fn run(mut self) {
        let probing = self.member.probing();
        if probing.interval.is_zero() {
            return;
        }
        let mut pause = probing.interval.mul_f64(self.rng.random_range(0.0..1.0));
        loop {
            sleep(pause).await;
            match timeout(probing.timeout, self.model.probe()).await {
                Ok(None) => return,
                Ok(Some(answer)) => answer_of(&answer).into_iter().for_each(|ok| self.member.probed(ok)),
                Err(_) => self.member.probed(false),
            }
            pause = probing.interval.mul_f64(self.rng.random_range(0.9..1.1));
        }
    }
}

/// Whether an answer is a good one; `None` for what says nothing of the server's health.
fn answer_of(answer: &Result<(), Failure>) -> Option<bool> {
    match answer.as_ref().map_err(Failure::code) {
        Ok(()) => Some(true),
        Err(Code::UpstreamConnect | Code::UpstreamError) => Some(false),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
