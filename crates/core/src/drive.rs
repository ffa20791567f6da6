//! The only loop of the line. [`Driven::step`] is the only place for the race with "nobody wants it" and for the hand-over,
//! [`Driven::worked`] for the duration and error -> answer.
//!
//! A job that finds the next stage with room, and nobody waiting for it, goes straight on in the task that it is in:
//! what an edge promises (order, width, capacity) holds as if it had gone through, without two wake-ups a stage.

use crate::{Cx, Failure, Flow, Inlet, Job, Live, Outlet, Stage, StageMetrics, Tasks, Unwanted};
use pin_project_lite::pin_project;
use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
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

/// What all jobs of a stage share.
struct Driven<S: Stage> {
    stage: Arc<S>,
    next: Outlet<S::Out>,
    busy: Arc<Busy>,
}

/// The jobs that a stage has in hand.
struct Busy {
    width: Live<usize>,
    jobs: AtomicUsize,
    /// Those of them that were taken from the inlet and have not begun: a job that comes later may not overtake them.
    begun_late: AtomicUsize,
    left: Notify,
    metrics: StageMetrics,
}

/// One job in hand: held from the inlet until the next edge has taken it.
struct Place(Arc<Busy>);

pin_project! {
    /// The work on a job, until nobody wants it any more.
    struct Wanted<W> {
        #[pin]
        work: W,
        unwanted: Unwanted,
    }
}

/// A job's work in a stage that it went straight on to. It yields the work in the stage after that, if the job goes
/// straight on again.
pub(crate) struct Onward(Pin<Box<dyn Future<Output = Option<Onward>> + Send>>);

// === impl Drive ===

impl<S: Stage> Drive<S> {
    /// Drives the stage until its inlet is dry and its last job is through.
    ///
    /// A panic in a stage drops that job's writer, so that one answer fails and the loop lives.
    pub async fn run(self) {
        let mut width = self.width.clone();
        let busy = Arc::new(Busy {
            width: self.width,
            jobs: AtomicUsize::new(0),
            begun_late: AtomicUsize::new(0),
            left: Notify::new(),
            metrics: self.metrics,
        });
        let driven = Arc::new(Driven {
            stage: self.stage,
            next: self.next,
            busy: busy.clone(),
        });
        let straight = driven.clone();
        self.inlet.shorten(move |job| straight.take_straight(job));
        while let Some(job) = busy.next(&self.inlet, &mut width).await {
            self.tasks.spawn(driven.clone().take(job));
        }
        busy.none_left().await;
    }
}

// === impl Driven ===

impl<S: Stage> Driven<S> {
    /// Takes a job from the inlet as far as it goes in one task.
    fn take(self: Arc<Self>, job: Job<S::In>) -> impl Future<Output = ()> + Send {
        let place = self.busy.enter();
        self.busy.begun_late.fetch_add(1, SeqCst);
        async move {
            self.busy.begun_late.fetch_sub(1, SeqCst);
            if let Some(onward) = self.step(job, place).await {
                onward.travel().await;
            }
        }
    }

    /// Takes a job that did not go through the edge, or gives it back when it has to.
    fn take_straight(self: &Arc<Self>, job: Job<S::In>) -> Result<Onward, Job<S::In>> {
        match self.busy.enter_if_free() {
            Some(place) => Ok(Onward(Box::pin(self.clone().step(job, place)))),
            None => Err(job),
        }
    }

    /// Takes one job through the stage and on to the next one, for as long as somebody wants it.
    fn step(self: Arc<Self>, mut job: Job<S::In>, place: Place) -> impl Future<Output = Option<Onward>> + Send {
        Wanted {
            unwanted: job.cx.writer.unwanted(),
            // A block, since an async fn would have room for the job twice.
            work: async move {
                let started = *job.cx.began.get_or_insert_with(Instant::now);
                if job.cx.deadline().is_none_or(|until| until <= started) {
                    return None;
                }
                let flow = self.stage.run(&mut job.cx, job.body).await;
                let onward = self.next.pass(self.worked(job.cx, flow, started)?).await;
                // Held until the next edge has the job.
                drop(place);
                onward
            },
        }
    }

    /// The job as it is handed on; `None` where the answer is over.
    fn worked(&self, mut cx: Cx, flow: Result<Flow<S::Out>, Failure>, started: Instant) -> Option<Job<S::Out>> {
        let ended = Instant::now();
        let took = ended.saturating_duration_since(started);
        self.busy.metrics.worked(took);
        cx.worked(S::NAME, took);
        match flow {
            Ok(Flow::Next(body)) => {
                cx.began = Some(ended);
                return Some(Job { cx, body });
            }
            Ok(Flow::Join(answer, cache)) => cx.writer.join(answer, cache),
            Ok(Flow::Done(end)) => cx.writer.finish(end),
            Err(failure) => cx.writer.fail(failure),
        }
        None
    }
}

// === impl Wanted ===

impl<W: Future<Output = Option<Onward>>> Future for Wanted<W> {
    type Output = Option<Onward>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Onward>> {
        let this = self.project();
        // The work goes first: a stage that need not wait never arms the timer of the deadline.
        match this.work.poll(cx) {
            Poll::Pending => Pin::new(this.unwanted).poll(cx).map(|()| None),
            ready => ready,
        }
    }
}

// === impl Busy ===

impl Busy {
    fn width(&self) -> usize {
        (*self.width.load()).max(1)
    }

    /// The next job, taken from the inlet only while there is a place for it.
    async fn next<T>(&self, inlet: &Inlet<T>, width: &mut Live<usize>) -> Option<Job<T>> {
        loop {
            while self.jobs.load(SeqCst) >= self.width() {
                tokio::select! { () = self.left.notified() => {}, _ = width.changed() => {} }
            }
            let mut next = pin!(inlet.recv());
            let taken = poll_fn(|cx| match self.jobs.load(SeqCst) < self.width() {
                true => next.as_mut().poll(cx).map(Some),
                // A job that went straight on has taken the place since.
                false => Poll::Ready(None),
            });
            if let Some(next) = taken.await {
                return next;
            }
        }
    }

    fn enter(self: &Arc<Self>) -> Place {
        self.jobs.fetch_add(1, SeqCst);
        Place(self.clone())
    }

    /// A place, if there is one and nobody who came earlier is about to begin.
    fn enter_if_free(self: &Arc<Self>) -> Option<Place> {
        if self.begun_late.load(SeqCst) > 0 {
            return None;
        }
        let width = self.width();
        let one_more = |jobs: usize| (jobs < width).then(|| jobs.saturating_add(1));
        let entered = self.jobs.fetch_update(SeqCst, SeqCst, one_more);
        entered.ok().map(|_| Place(self.clone()))
    }

    /// Waits until no job is in hand.
    async fn none_left(&self) {
        while self.jobs.load(SeqCst) > 0 {
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

// === impl Onward ===

impl Onward {
    /// Does the work here and in the stages after it, for as long as the job goes straight on.
    pub(crate) async fn travel(self) {
        let mut onward = Some(self);
        while let Some(Onward(work)) = onward {
            onward = work.await;
        }
    }
}

impl fmt::Debug for Onward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Onward").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
