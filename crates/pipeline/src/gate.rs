//! The gate: where a request waits for a worker, in its lane, and nowhere else. It alone sheds.
//!
//! A request goes on against a credit of [`Capacity`], which rides with it until its answer is over. Requests for the same
//! workers wait in the same room, so that one full route never blocks another. Rooms are shared by all cores; nobody
//! overtakes while somebody waits in the same room. Where rooms share credits they take turns, by the highest lane in which
//! somebody waits.

mod rooms;

use crate::{LanesConfig, Metrics, metrics::Shed, room::Number};
use orchestrator_core::{
    Admission, Admitted, Capacity, Credit, Cx, Failure, Flow, LOOK_AGAIN, Live, Priority, Stage, StageName, Unique,
};
use parking_lot::Mutex;
use rooms::Rooms;
use std::{convert::Infallible, fmt, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex as Turn, oneshot},
    time::{Instant, sleep_until},
};

/// The gate, shared by the lines of all cores.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Shared>);

struct Shared {
    capacity: Arc<dyn Capacity>,
    rooms: Mutex<Rooms<oneshot::Sender<Pass>>>,
    /// Held, for each room, by the one who looks again for all who wait there.
    watches: Vec<Turn<()>>,
    lanes: Live<LanesConfig>,
    metrics: Metrics,
}

/// The right to go on; dropping it lets the next one in.
#[derive(Debug)]
struct Pass {
    gate: Gate,
    room: usize,
    /// What is left of the longest wait.
    patience: Duration,
    /// Gone once it was given back.
    credit: Mutex<Option<Credit>>,
}

/// A place in a waiting room; dropping it gives the place up, and a pass that has just come with it.
struct Ticket {
    gate: Gate,
    room: usize,
    number: Number,
    called: oneshot::Receiver<Pass>,
}

enum Entered {
    Admitted(Pass),
    Waits(Ticket),
}

// === impl Gate ===

impl Gate {
    /// A gate before `capacity`.
    pub fn new(capacity: Arc<dyn Capacity>, lanes: Live<LanesConfig>, metrics: Metrics) -> Self {
        Gate(Arc::new(Shared {
            rooms: Mutex::new(Rooms::new(capacity.rooms())),
            watches: (0..capacity.rooms()).map(|_| Turn::new(())).collect(),
            capacity,
            lanes,
            metrics,
        }))
    }

    /// Requests that wait in a lane, over all rooms.
    pub fn waiting(&self, priority: Priority) -> usize {
        self.0.rooms.lock().waiting(priority)
    }

    /// Lets those on who wait, as far as there is room, which nobody gave back: a limit was raised.
    pub fn look_again(&self) {
        let lanes = self.0.lanes.load();
        let mut rooms = self.0.rooms.lock();
        let occupied = rooms.occupied();
        self.serve_all(&mut rooms, occupied, &lanes);
    }

    /// What it lets requests on to.
    pub(crate) fn capacity(&self) -> &dyn Capacity {
        &*self.0.capacity
    }

    async fn pass(&self, cx: &Cx, room: usize) -> Result<Pass, Failure> {
        let mut priority = cx.priority();
        let now = cx.began();
        let lanes = self.0.lanes.load();
        let left = cx.deadline().unwrap_or(now).saturating_duration_since(now);
        let mut ticket = match self.enter((room, priority), left, now, &lanes)? {
            Entered::Admitted(pass) => return Ok(pass),
            Entered::Waits(ticket) => ticket,
        };
        let patience = now.checked_add(Duration::from_millis(lanes.max_wait_ms)).unwrap_or(now);
        let mut alarm = std::pin::pin!(sleep_until(patience));
        let mut watch = std::pin::pin!(self.watch(room));
        let pass = loop {
            tokio::select! {
                biased;
                called = &mut ticket.called => break called.map_err(|_| self.refusal(room, Shed::Wait)),
                () = &mut alarm => break Err(self.refusal(room, Shed::Wait)),
                never = &mut watch => match never {},
                higher = cx.raised(priority) => {
                    priority = higher;
                    self.0.rooms.lock().raise(room, ticket.number, higher);
                }
            }
        };
        let waited = now.elapsed();
        self.0.metrics.waited(StageName::Gate, priority, waited);
        pass.map(|pass| pass.after(waited))
    }

    /// Looks again from time to time, once it is this one's turn to do so for all who wait in the room.
    async fn watch(&self, room: usize) -> Infallible {
        let _turn = match self.0.watches.get(room) {
            Some(watch) => watch.lock().await,
            None => std::future::pending().await,
        };
        loop {
            let looked = self.0.rooms.lock().looked(room);
            let due = looked.and_then(|looked| looked.checked_add(LOOK_AGAIN));
            sleep_until(due.unwrap_or_else(Instant::now)).await;
            let mut rooms = self.0.rooms.lock();
            // Others may have looked meanwhile.
            if rooms.looked(room) == looked {
                self.serve_like(room, &mut rooms, &self.0.lanes.load());
            }
        }
    }

    /// Lets a request on, or has it wait, unless what is `left` of its time is too short for that.
    fn enter(
        &self,
        (room, priority): (usize, Priority),
        left: Duration,
        now: Instant,
        lanes: &LanesConfig,
    ) -> Result<Entered, Failure> {
        let mut rooms = self.0.rooms.lock();
        // Whoever waits goes first.
        let shed = match self.serve(&mut rooms, room, now, lanes) {
            Admission::Granted(credit) => return Ok(Entered::Admitted(self.let_on(room, credit, lanes))),
            Admission::Refused => Some(Shed::HardLimit),
            Admission::Full => {
                let patience = Duration::from_millis(lanes.max_wait_ms).min(left);
                let interval = self.0.capacity.interval(room);
                if rooms.len(room, priority) >= lanes.capacity {
                    Some(Shed::LaneFull)
                } else if rooms.expected_wait((room, interval), priority, lanes) > patience {
                    Some(Shed::Wait)
                } else {
                    None
                }
            }
        };
        if let Some(shed) = shed {
            drop(rooms);
            return Err(self.refusal(room, shed));
        }
        let (caller, called) = oneshot::channel();
        let number = rooms.wait(room, priority, caller, now);
        Ok(Entered::Waits(Ticket {
            gate: self.clone(),
            room,
            number,
            called,
        }))
    }

    /// Calls those who wait in a room as long as there are credits; what is left is for whoever asks.
    fn serve(
        &self,
        rooms: &mut Rooms<oneshot::Sender<Pass>>,
        room: usize,
        now: Instant,
        lanes: &LanesConfig,
    ) -> Admission {
        loop {
            let credit = match self.admit(rooms, room, now) {
                Admission::Granted(credit) => credit,
                none => return none,
            };
            if let Some(credit) = self.hand_on(rooms, (room, credit), now, lanes) {
                return Admission::Granted(credit);
            }
        }
    }

    /// Calls those who wait for the same as this room does.
    fn serve_like(&self, room: usize, rooms: &mut Rooms<oneshot::Sender<Pass>>, lanes: &LanesConfig) {
        let mut like = rooms.occupied();
        like.retain(|other| self.0.capacity.shares(room, *other));
        self.serve_all(rooms, like, lanes);
    }

    /// Calls those who wait in these rooms, in the rooms' turns, as long as there are credits.
    fn serve_all(&self, rooms: &mut Rooms<oneshot::Sender<Pass>>, mut left: Vec<usize>, lanes: &LanesConfig) {
        while let Some(room) = rooms.turn(&left, &lanes.weights) {
            let now = Instant::now();
            match self.admit(rooms, room, now) {
                Admission::Granted(credit) => {
                    rooms.take_turn(&left, room, &lanes.weights);
                    drop(self.hand_on(rooms, (room, credit), now, lanes));
                }
                Admission::Full | Admission::Refused => left.retain(|other| *other != room),
            }
        }
    }

    fn admit(&self, rooms: &mut Rooms<oneshot::Sender<Pass>>, room: usize, now: Instant) -> Admission {
        rooms.look(room, now);
        self.0.capacity.admit(room)
    }

    /// Calls the next one of a room; the credit comes back where nobody waits.
    fn hand_on(
        &self,
        rooms: &mut Rooms<oneshot::Sender<Pass>>,
        (room, mut credit): (usize, Credit),
        now: Instant,
        lanes: &LanesConfig,
    ) -> Option<Credit> {
        while let Some(caller) = rooms.next(room, now, lanes) {
            match caller.send(self.let_on(room, credit, lanes)) {
                Ok(()) => return None,
                // Taken out by hand, since a pass that is dropped looks for the next by itself.
                Err(mut pass) => credit = pass.credit.get_mut().take()?,
            }
        }
        Some(credit)
    }

    fn let_on(&self, room: usize, credit: Credit, lanes: &LanesConfig) -> Pass {
        Pass {
            gate: self.clone(),
            room,
            patience: Duration::from_millis(lanes.max_wait_ms),
            credit: Mutex::new(Some(credit)),
        }
    }

    fn refusal(&self, room: usize, shed: Shed) -> Failure {
        let (interval, lanes) = (self.0.capacity.interval(room), self.0.lanes.load());
        let rooms = self.0.rooms.lock();
        let pause = rooms.expected_wait((room, interval), Priority::Low, &lanes);
        drop(rooms);
        self.0.metrics.refuse(shed, pause)
    }
}

impl Stage for Gate {
    const NAME: StageName = StageName::Gate;
    type In = Unique;
    type Out = Unique;

    async fn run(&self, cx: &mut Cx, request: Unique) -> Result<Flow<Unique>, Failure> {
        let room = self.0.capacity.room(&request.0)?;
        let pass = self.pass(cx, room).await?;
        cx.admit(pass);
        Ok(Flow::Next(request))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("rooms", &self.rooms)
            .finish_non_exhaustive()
    }
}

// === impl Pass ===

impl Pass {
    /// The pass of one who has waited for it so long.
    fn after(mut self, waited: Duration) -> Self {
        self.patience = self.patience.saturating_sub(waited);
        self
    }
}

impl Admitted for Pass {
    fn patience(&self) -> Duration {
        self.patience
    }

    fn waited(&self, priority: Priority, wait: Duration) {
        self.gate.0.metrics.waited(StageName::Inference, priority, wait);
    }

    fn refusal(&self) -> Failure {
        self.gate.refusal(self.room, Shed::Wait)
    }

    fn give_back(&self) {
        let credit = self.credit.lock().take();
        if let Some(credit) = credit {
            drop(credit);
            let lanes = self.gate.0.lanes.load();
            self.gate.serve_like(self.room, &mut self.gate.0.rooms.lock(), &lanes);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.give_back();
    }
}

// === impl Ticket ===

impl Drop for Ticket {
    fn drop(&mut self) {
        self.gate.0.rooms.lock().leave(self.room, self.number);
    }
}

#[cfg(test)]
mod tests;
