//! The bounded channel between two stages. Inside the line an edge waits, so pressure walks back to the gate by itself.

use crate::{Job, Tasks, drive::Onward};
use futures_util::{FutureExt, future::Either};
use std::{
    fmt,
    future::{Future, ready},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tokio::sync::{Mutex, MutexGuard};

/// A new edge that holds at most `capacity` jobs, at least one.
pub fn edge<T>(capacity: usize) -> (Outlet<T>, Inlet<T>) {
    let (sender, receiver) = async_channel::bounded(capacity.max(1));
    let shortcut = Shortcut::default();
    let inlet = Inlet {
        receiver,
        shortcut: shortcut.clone(),
    };
    let turn = Arc::default();
    (Outlet { sender, shortcut, turn }, inlet)
}

/// The end that jobs go into.
#[derive(Debug)]
pub struct Outlet<T> {
    sender: async_channel::Sender<Job<T>>,
    shortcut: Shortcut<T>,
    turn: Arc<Turn>,
}

/// The order of those who wait for room.
#[derive(Debug, Default)]
struct Turn {
    /// How many there are, the one whose turn it is among them.
    waiting: AtomicUsize,
    /// Held by the one whose turn it is; the others stand behind in the order in which they came.
    held: Mutex<()>,
}

/// One of those who wait, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

/// The end that jobs come out of. It is dry once every outlet is dropped and every job taken. Dropping it drops the jobs
/// that are left, whose answers end as a fault of ours.
#[derive(Debug)]
pub struct Inlet<T> {
    receiver: async_channel::Receiver<Job<T>>,
    shortcut: Shortcut<T>,
}

/// What takes a job straight to the stage behind the edge, or gives it back when it has to wait.
type Take<T> = dyn Fn(Job<T>) -> Result<Onward, Job<T>> + Send + Sync;

/// The way around an empty edge, once the stage behind it is at work.
struct Shortcut<T>(Arc<OnceLock<Box<Take<T>>>>);

// === impl Outlet ===

impl<T> Outlet<T> {
    /// Hands a job over, waiting for room, first come, first served. When nobody takes jobs any more, the job is dropped and
    /// its answer ends as a fault of ours. Dropping the future drops the job.
    pub async fn send(&self, job: Job<T>) {
        let _turn = self.turn.take().await;
        self.put(job).await;
    }

    /// Sends a job on its way in a task of its own, without waiting. What finds no room waits in its task, in the order in
    /// which it came.
    pub fn launch(&self, job: Job<T>, tasks: &Tasks)
    where
        T: Send + 'static,
    {
        let job = match self.straight(job) {
            Ok(onward) => return drop(tasks.spawn(onward.travel())),
            Err(job) => job,
        };
        let outlet = self.clone();
        let mut sending = Box::pin(async move { outlet.send(job).await });
        // Its place among those who wait is taken now, not when its task first runs.
        if sending.as_mut().now_or_never().is_none() {
            drop(tasks.spawn(sending));
        }
    }

    /// Hands a job over as [`send`](Outlet::send) does. Where it need not wait, its work in the next stage comes back,
    /// for the task that the job is in.
    pub(crate) fn pass(&self, job: Job<T>) -> impl Future<Output = Option<Onward>> + use<'_, T> {
        match self.straight(job) {
            Ok(onward) => Either::Left(ready(Some(onward))),
            // On the heap, so that those who need not wait carry no room for it.
            Err(job) => Either::Right(Box::pin(self.pass_in_turn(job))),
        }
    }

    async fn pass_in_turn(&self, mut job: Job<T>) -> Option<Onward> {
        job.cx.began = None;
        let _turn = self.turn.take().await;
        match self.straight_in_turn(job) {
            Ok(onward) => Some(onward),
            Err(job) => {
                self.put(job).await;
                None
            }
        }
    }

    /// Waits for room, for the one whose turn it is.
    async fn put(&self, job: Job<T>) {
        if let Err(refused) = self.sender.send(job).await {
            drop(refused);
        }
    }

    /// The job's work in the stage behind the edge, when nobody waits, the edge is empty and that stage has room; else the
    /// job.
    fn straight(&self, job: Job<T>) -> Result<Onward, Job<T>> {
        match self.turn.is_free() {
            true => self.straight_in_turn(job),
            false => Err(job),
        }
    }

    /// The same for the one whose turn it is.
    fn straight_in_turn(&self, job: Job<T>) -> Result<Onward, Job<T>> {
        match self.shortcut.0.get() {
            Some(take) if self.sender.is_empty() && !self.sender.is_closed() => take(job),
            _ => Err(job),
        }
    }
}

impl<T> Clone for Outlet<T> {
    fn clone(&self) -> Self {
        Outlet {
            sender: self.sender.clone(),
            shortcut: self.shortcut.clone(),
            turn: self.turn.clone(),
        }
    }
}

// === impl Turn ===

impl Turn {
    /// Whether nobody waits. Asked for each job, so that it is no lock.
    fn is_free(&self) -> bool {
        self.waiting.load(SeqCst) == 0
    }

    /// Waits for its turn, which lasts until what comes back is dropped.
    async fn take(&self) -> (MutexGuard<'_, ()>, Waiting<'_>) {
        self.waiting.fetch_add(1, SeqCst);
        let waiting = Waiting(&self.waiting);
        (self.held.lock().await, waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

// === impl Inlet ===

impl<T> Inlet<T> {
    /// The next job; `None` once the edge is dry. Losing the future loses no job.
    pub async fn recv(&self) -> Option<Job<T>> {
        self.receiver.recv().await.ok()
    }

    /// Reads the depth of the edge, for as long as it lives.
    pub fn depth(&self) -> impl Fn() -> Option<usize> + Send + Sync + use<T>
    where
        T: Send + 'static,
    {
        let receiver = self.receiver.downgrade();
        move || receiver.upgrade().map(|receiver| receiver.len())
    }

    /// Lets jobs that need not wait go around the edge from now on.
    pub(crate) fn shorten(&self, take: impl Fn(Job<T>) -> Result<Onward, Job<T>> + Send + Sync + 'static) {
        // The stage behind an edge stays the same for its life.
        drop(self.shortcut.0.set(Box::new(take)));
    }
}

impl<T> Drop for Inlet<T> {
    /// Nobody will take what is left: its clients are told now and do not wait for their deadlines.
    fn drop(&mut self) {
        self.receiver.close();
        while let Ok(left) = self.receiver.try_recv() {
            drop(left);
        }
    }
}

// === impl Shortcut ===

impl<T> Default for Shortcut<T> {
    fn default() -> Self {
        Shortcut(Arc::default())
    }
}

impl<T> Clone for Shortcut<T> {
    fn clone(&self) -> Self {
        Shortcut(self.0.clone())
    }
}

impl<T> fmt::Debug for Shortcut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shortcut")
            .field("open", &self.0.get().is_some())
            .finish()
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
