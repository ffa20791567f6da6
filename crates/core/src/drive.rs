//! The only loop of the line. [`step`] is the only place for the race with "nobody wants it", the duration, error ->
//! answer and the hand-over.

use crate::{Flow, Inlet, Job, Live, Outlet, Stage, StageMetrics, Tasks};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use tokio::{sync::Notify, time::Instant};

/// A stage with all that its loop needs.
#[derive(Debug)]
pub struct Drive<S: Stage> {
    /// The stage; lines may share one.
    pub stage: Arc<S>,
    /// Where its jobs come from.
    pub inlet: Inlet<S::In>,
    /// Where they go.
    pub next: Outlet<S::Out>,
    /// How many it works on at once, at least one.
    pub width: Live<usize>,
    /// Where its jobs are spawned.
    pub tasks: Tasks,
    /// What it shows.
    pub metrics: StageMetrics,
}

/// The jobs that a stage has in hand.
struct Busy {
    jobs: AtomicUsize,
    left: Notify,
    metrics: StageMetrics,
}

/// One job in hand: held from the inlet until the next edge has taken it.
struct Place(Arc<Busy>);

// === impl Drive ===

impl<S: Stage> Drive<S> {
    /// Drives the stage until its inlet is dry and its last job is through.
    ///
    /// A panic in a stage drops that job's writer, so that one answer fails and the loop lives.
    pub async fn run(self) {
        let busy = Arc::new(Busy {
            jobs: AtomicUsize::new(0),
            left: Notify::new(),
            metrics: self.metrics,
        });
        loop {
            busy.fewer_than(|| (*self.width.load()).max(1)).await;
            let Some(job) = self.inlet.recv().await else { break };
            self.tasks
                .spawn(step(self.stage.clone(), job, self.next.clone(), busy.enter()));
        }
        busy.fewer_than(|| 1).await;
    }
}

/// Takes one job through the stage and on to the next edge, for as long as somebody wants it.
async fn step<S: Stage>(stage: Arc<S>, job: Job<S::In>, next: Outlet<S::Out>, place: Place) {
    if job.cx.deadline().is_none_or(|until| until <= Instant::now()) {
        return;
    }
    let unwanted = job.cx.writer.unwanted();
    let work = async move {
        let Job { mut cx, body } = job;
        let started = Instant::now();
        let flow = stage.run(&mut cx, body).await;
        place.0.metrics.worked(started.elapsed());
        match flow {
            Ok(Flow::Next(body)) => next.send(Job { cx, body }).await,
            Ok(Flow::Join(answer, cache)) => cx.writer.join(answer, cache),
            Ok(Flow::Done(end)) => cx.writer.finish(end),
            Err(failure) => cx.writer.fail(failure),
        }
    };
    // The work goes first: a stage that need not wait never arms the timer of the deadline.
    tokio::select! { biased; () = work => (), () = unwanted => () }
}

// === impl Busy ===

impl Busy {
    fn enter(self: &Arc<Self>) -> Place {
        self.jobs.fetch_add(1, SeqCst);
        Place(self.clone())
    }

    /// Waits until fewer than `limit` jobs are in hand.
    async fn fewer_than(&self, limit: impl Fn() -> usize) {
        while self.jobs.load(SeqCst) >= limit() {
            self.left.notified().await;
        }
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.metrics.panicked();
        }
        self.0.jobs.fetch_sub(1, SeqCst);
        self.0.left.notify_one();
    }
}
