//! An answer in the making: one writer, any number of listeners.
//!
//! Work is wanted while somebody listens. A listener leaves by being dropped or by reaching its deadline; when the last
//! one has left, [`AnswerWriter::unwanted`] resolves and whoever drives the work drops it.

mod alarm;
mod reference;
mod unwanted;

use crate::{
    Cache, Chunk, Chunks, Code, End, Failure, Head, InFlight, Ledger, Priority,
    log::{Alike, Ending, Found, Log},
    sync::Arc,
};
use alarm::Alarm;
use bytes::Bytes;
use futures_util::Stream;
pub use reference::AnswerRef;
#[cfg(not(sim_loom))]
pub use reference::WeakAnswer;
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use tokio::time::Instant;
pub use unwanted::Unwanted;

/// Writes one answer. Dropped before its end, the answer ends as a bug of ours: `internal_error`.
#[derive(Debug)]
pub struct AnswerWriter {
    log: Option<Arc<Log>>,
}

/// Listens to one answer from its start, at its own pace: a stream of all chunks that have arrived since the last poll.
/// Dropping it leaves.
#[derive(Debug)]
pub struct Answer {
    log: Arc<Log>,
    listener: usize,
    next: usize,
    until: Instant,
    /// Made at the first wait, on the runtime that waits.
    alarm: Option<Alarm>,
    /// Whether whoever was told last is woken by whatever comes next.
    waits: bool,
    moved: Option<Cache>,
    over: bool,
    in_flight: Option<InFlight>,
}

/// A new answer: the end that writes it and its first listener, who waits until `until`.
pub fn answer(until: Instant, priority: Priority, ledger: std::sync::Arc<Ledger>) -> (AnswerWriter, Answer) {
    let log = Arc::new(Log::new(ledger, priority));
    let answer = Answer::listen(log.clone(), until);
    (AnswerWriter { log: Some(log) }, answer)
}

// === impl AnswerWriter ===

impl AnswerWriter {
    /// Says what is known of the answer; listeners see it with the first chunk.
    pub fn head(&mut self, head: Head) {
        if let Some(log) = &self.log {
            log.set_head(head);
        }
    }

    /// Says where the answer comes from.
    pub fn cache(&mut self, cache: Cache) {
        if let Some(log) = &self.log {
            log.set_cache(cache);
        }
    }

    /// Appends chunks in one step and wakes each listener once. `false` when the answer would hold more bytes than it
    /// may; then those that fit are appended, and none after the first that does not.
    pub fn push(&mut self, chunks: impl IntoIterator<Item = Chunk>) -> bool {
        self.log.as_ref().is_none_or(|log| log.append(chunks))
    }

    /// Appends the one chunk that tells listeners that the answer was cut, though it holds as many bytes as it may.
    pub fn cut(&mut self, last: Chunk) {
        if let Some(log) = &self.log {
            log.append_last(last);
        }
    }

    /// Ends the answer well.
    pub fn finish(mut self, end: End) {
        self.end(Ending::Over(Ok(end)));
    }

    /// Ends the answer badly.
    pub fn fail(mut self, failure: Failure) {
        self.end(Ending::Over(Err(failure)));
    }

    /// Sends every listener over to `other`, which they hear from its start; `cache` tells them why. Until the last has
    /// moved, `other` itself listens for them.
    pub fn join(mut self, other: Answer, cache: Cache) {
        let to = other.log.clone();
        self.end(Ending::Joined {
            to,
            cache,
            hold: Some(other),
        });
    }

    /// A reference that keeps the log.
    pub fn downgrade(&self) -> Option<AnswerRef> {
        self.log.clone().map(AnswerRef)
    }

    /// When the last of those who listen now will stop waiting; `None` when nobody listens.
    pub fn deadline(&self) -> Option<Instant> {
        self.log.as_ref().and_then(|log| log.wanted_until(None))
    }

    /// The highest lane that a listener asked for.
    pub fn priority(&self) -> Priority {
        self.log.as_ref().map_or(Priority::Low, |log| log.priority(None))
    }

    /// Resolves once a listener has asked for a lane above `than`, with that lane. To be awaited by the task that drives
    /// the work, and no other.
    pub fn raised(&self, than: Priority) -> impl Future<Output = Priority> + Send + 'static {
        let log = self.log.clone();
        poll_fn(move |cx| match log.as_ref().map(|log| log.priority(Some(cx.waker()))) {
            Some(priority) if priority > than => Poll::Ready(priority),
            _ => Poll::Pending,
        })
    }

    /// Resolves once nobody listens any more. To be awaited by the task that drives the work, and no other.
    pub fn unwanted(&self) -> Unwanted {
        Unwanted::new(self.log.clone())
    }

    fn end(&mut self, ending: Ending) {
        if let Some(log) = self.log.take() {
            log.end(ending);
        }
    }
}

impl Drop for AnswerWriter {
    /// Work that is dropped while somebody waits for it was lost by a fault of ours. What is dropped at its deadline was not,
    /// though a listener on another core, whose clock ticks apart, may not have seen its own deadline yet.
    fn drop(&mut self) {
        let Some(log) = &self.log else { return };
        let is_late = log.wanted_until(None).is_some_and(|until| until <= Instant::now());
        let abandoned = || Failure::new(Code::Internal, "The request was given up by a fault of the server.");
        let failure = if is_late { late() } else { abandoned() };
        self.end(Ending::Over(Err(failure)));
    }
}

// === impl Answer ===

impl Answer {
    /// The same answer from chunk `next` on, for one who has heard the rest.
    pub fn at(mut self, next: usize) -> Self {
        self.next = next;
        self
    }

    /// Lets the listener carry its place among the requests in flight.
    pub fn carrying(mut self, in_flight: InFlight) -> Self {
        self.in_flight = Some(in_flight);
        self
    }

    /// Hands over the place among the requests in flight to whoever sends on what was heard: a request is in flight
    /// until its client has taken all of it.
    pub fn unload(&mut self) -> Option<InFlight> {
        self.in_flight.take()
    }

    /// When this listener stops waiting.
    pub fn deadline(&self) -> Instant {
        self.until
    }

    /// What is known of the answer; there with the first chunk.
    pub fn head(&self) -> Option<std::sync::Arc<Head>> {
        self.log.head()
    }

    /// How the answer ended, once the stream is over and if it ended well.
    pub fn end(&self) -> Option<End> {
        self.log.ended().and_then(Result::ok)
    }

    /// A reference that keeps the log that is heard: the other one as soon as this listener was sent over.
    pub fn downgrade(&self) -> AnswerRef {
        let mut log = self.log.clone();
        while let Some(to) = log.joined() {
            log = to;
        }
        AnswerRef(log)
    }

    /// Waits until it is decided where the answer comes from. Losing the future loses nothing.
    pub async fn cache(&mut self) -> Result<Cache, Failure> {
        poll_fn(|cx| match self.poll_cache(cx) {
            Poll::Pending => self.poll_late(cx).map(Err),
            known => known,
        })
        .await
    }

    /// As [`Answer::cache`], but for the deadline: see [`Answer::poll_late`].
    pub fn poll_cache(&mut self, cx: &mut Context<'_>) -> Poll<Result<Cache, Failure>> {
        if let Some(cache) = self.moved {
            return Poll::Ready(Ok(cache));
        }
        self.log
            .origin(self.listener, cx.waker())
            .map_or(Poll::Pending, Poll::Ready)
    }

    /// Ready at the deadline. Who hears by [`Answer::poll_alike`] asks here too, once for each waker: a timer is memory of
    /// its own, which one of a crowd need not touch for each token.
    pub fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let until = self.until;
        let alarm = self.alarm.get_or_insert_with(|| Alarm::at(until));
        alarm.poll(cx).map(|()| late())
    }

    /// The stream for listeners who are told alike: what `tell` makes of all that has arrived, given the index of its last
    /// chunk, is made once for those who hear just that. All who listen so must make the same of it. Of the deadline tells
    /// [`Answer::poll_late`] alone.
    pub fn poll_alike(
        &mut self,
        cx: &mut Context<'_>,
        tell: impl FnOnce(usize, &Chunks) -> Bytes,
    ) -> Poll<Option<Result<Bytes, Failure>>> {
        let from = self.next;
        self.waits = false;
        let more = ready!(self.poll_read(cx, Log::read_alike));
        Poll::Ready(more.map(|more| {
            let Alike { told, waits } = more?;
            self.waits = waits;
            Ok(told.unwrap_or_else(|chunks| {
                let text = tell(self.next.saturating_sub(1), &chunks);
                self.log.tell(from..self.next, &text);
                text
            }))
        }))
    }

    /// Whether [`Answer::poll_alike`] told all that there is and has whoever polled woken for more, as if it were pending.
    pub fn waits(&self) -> bool {
        self.waits
    }

    fn listen(log: Arc<Log>, until: Instant) -> Self {
        let listener = log.listen(until);
        Answer::new(log, listener, until)
    }

    fn new(log: Arc<Log>, listener: usize, until: Instant) -> Self {
        Answer {
            log,
            listener,
            next: 0,
            until,
            alarm: None,
            waits: false,
            moved: None,
            over: false,
            in_flight: None,
        }
    }

    fn move_to(&mut self, log: Arc<Log>, cache: Cache) {
        let mut there = Answer::listen(log, self.until).at(self.next);
        there.moved = Some(cache);
        there.alarm = self.alarm.take();
        there.in_flight = self.in_flight.take();
        *self = there;
    }

    /// The next that `read` finds. Does not heed the deadline.
    fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        read: impl Fn(&Log, usize, usize, &Waker) -> Found<T>,
    ) -> Poll<Option<Result<T, Failure>>> {
        while !self.over {
            match read(&self.log, self.listener, self.next, cx.waker()) {
                Found::More(more, next) => {
                    self.next = next;
                    return Poll::Ready(Some(Ok(more)));
                }
                Found::Moved(log, cache) => self.move_to(log, cache),
                Found::Over(end) => {
                    self.over = true;
                    return Poll::Ready(end.err().map(Err));
                }
                Found::Nothing => return Poll::Pending,
            }
        }
        Poll::Ready(None)
    }
}

fn late() -> Failure {
    Failure::new(Code::DeadlineExceeded, "The request's deadline has passed.")
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.log.leave(self.listener);
    }
}

impl Stream for Answer {
    type Item = Result<Chunks, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.poll_read(cx, Log::read) {
            Poll::Pending => {
                let late = ready!(self.poll_late(cx));
                self.over = true;
                Poll::Ready(Some(Err(late)))
            }
            heard => heard,
        }
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
