//! The gate: where a request waits for a worker, in its lane, and nowhere else. It alone sheds.
//!
//! A request goes on against a credit: one for each slot of the workers and a head start of one a core, so that a freed
//! slot finds its next request on the way. The credit rides with the request until its answer is over. Fields are
//! shared by all cores; nobody overtakes while somebody waits.

use crate::{
    LanesConfig, Metrics,
    metrics::Shed,
    room::{Number, Room},
};
use orchestrator_core::{Cx, Failure, Flow, Live, Priority, Stage, StageName, Unique};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

/// The gate of a route, shared by the lines of all cores.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    lanes: Live<LanesConfig>,
    credits: usize,
    metrics: Metrics,
}

#[derive(Debug)]
struct State {
    room: Room<oneshot::Sender<Credit>>,
    free: usize,
    /// How long a credit is held, as a moving average over about 16 of them; zero until the first came back.
    held: Duration,
}

/// The right to go on; dropping it lets the next one in.
#[derive(Debug)]
struct Credit {
    gate: Gate,
    since: Instant,
}

/// A place in the waiting room; dropping it gives the place up, and a credit that has just come with it.
struct Ticket {
    gate: Gate,
    number: Number,
    called: oneshot::Receiver<Credit>,
}

enum Entry {
    Admitted(Credit),
    Waits(Ticket),
}

// === impl Gate ===

impl Gate {
    /// A gate that lets `credits` requests on at once.
    pub fn new(credits: usize, lanes: Live<LanesConfig>, metrics: Metrics) -> Self {
        let state = State {
            room: Room::new(),
            free: credits,
            held: Duration::ZERO,
        };
        Gate(Arc::new(Shared {
            state: Mutex::new(state),
            lanes,
            credits,
            metrics,
        }))
    }

    /// Credits that are not out.
    pub fn free(&self) -> usize {
        self.0.state.lock().free
    }

    /// Requests that wait in a lane.
    pub fn waiting(&self, priority: Priority) -> usize {
        self.0.state.lock().room.len(priority)
    }

    async fn pass(&self, cx: &Cx) -> Result<Credit, Failure> {
        let mut priority = cx.priority();
        let now = Instant::now();
        let lanes = self.0.lanes.load();
        let mut ticket = match self.enter(priority, cx.deadline().unwrap_or(now), &lanes)? {
            Entry::Admitted(credit) => return Ok(credit),
            Entry::Waits(ticket) => ticket,
        };
        let patience = now.checked_add(Duration::from_millis(lanes.max_wait_ms)).unwrap_or(now);
        let mut alarm = std::pin::pin!(sleep_until(patience));
        let credit = loop {
            tokio::select! {
                biased;
                called = &mut ticket.called => break called.map_err(|_| self.refusal(Shed::Wait)),
                () = &mut alarm => break Err(self.refusal(Shed::Wait)),
                higher = cx.raised(priority) => {
                    priority = higher;
                    self.0.state.lock().room.raise(ticket.number, higher);
                }
            }
        };
        self.0.metrics.waited(priority, now.elapsed());
        credit
    }

    fn enter(&self, priority: Priority, deadline: Instant, lanes: &LanesConfig) -> Result<Entry, Failure> {
        let mut state = self.0.state.lock();
        let now = Instant::now();
        if state.room.is_empty()
            && let Some(free) = state.free.checked_sub(1)
        {
            state.free = free;
            return Ok(Entry::Admitted(Credit {
                gate: self.clone(),
                since: now,
            }));
        }
        let patience = Duration::from_millis(lanes.max_wait_ms).min(deadline.saturating_duration_since(now));
        let shed = if state.room.len(priority) >= lanes.capacity {
            Some(Shed::LaneFull)
        } else if self.expected_wait(&state, priority) > patience {
            Some(Shed::Wait)
        } else {
            None
        };
        if let Some(shed) = shed {
            drop(state);
            return Err(self.refusal(shed));
        }
        let (caller, called) = oneshot::channel();
        let number = state.room.wait(priority, caller, now);
        Ok(Entry::Waits(Ticket {
            gate: self.clone(),
            number,
            called,
        }))
    }

    /// Place in the lane x mean time a credit is held / credits.
    fn expected_wait(&self, state: &State, priority: Priority) -> Duration {
        let place = state.room.ahead_of(priority).saturating_add(1);
        let rounds = place as f64 / self.0.credits.max(1) as f64;
        Duration::try_from_secs_f64(state.held.as_secs_f64() * rounds).unwrap_or(Duration::MAX)
    }

    fn refusal(&self, shed: Shed) -> Failure {
        let pause = self.expected_wait(&self.0.state.lock(), Priority::Low);
        self.0.metrics.refuse(shed, pause)
    }

    /// Hands the credit of one who left to the next in the room.
    fn release(&self, held: Duration) {
        let now = Instant::now();
        let lanes = self.0.lanes.load();
        let next = {
            let mut state = self.0.state.lock();
            state.held = average(state.held, held);
            let next = state.room.next(now, &lanes);
            if next.is_none() {
                state.free = state.free.saturating_add(1);
            }
            next
        };
        if let Some(caller) = next {
            // One who has just left drops the credit, which then goes to the next.
            drop(caller.send(Credit {
                gate: self.clone(),
                since: now,
            }));
        }
    }
}

impl Stage for Gate {
    const NAME: StageName = StageName::Gate;
    type In = Unique;
    type Out = Unique;

    async fn run(&self, cx: &mut Cx, request: Unique) -> Result<Flow<Unique>, Failure> {
        let credit = self.pass(cx).await?;
        cx.carry(credit);
        Ok(Flow::Next(request))
    }
}

fn average(mean: Duration, sample: Duration) -> Duration {
    if mean.is_zero() {
        sample
    } else {
        mean.mul_f64(15.0 / 16.0).saturating_add(sample.mul_f64(1.0 / 16.0))
    }
}

// === impl Credit ===

impl Drop for Credit {
    fn drop(&mut self) {
        self.gate.release(self.since.elapsed());
    }
}

// === impl Ticket ===

impl Drop for Ticket {
    fn drop(&mut self) {
        self.gate.0.state.lock().room.leave(self.number);
    }
}

#[cfg(test)]
mod tests;
