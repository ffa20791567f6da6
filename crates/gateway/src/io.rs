//! A client's socket with the limits on time that a slow or cruel client runs into: for the head of a request or a message
//! of a WebSocket, for idling between requests, and for taking what we send.
//!
//! One timer a connection, looked at only when the socket has nothing to give; it is set anew when it fires too early, not
//! at every request.

use crate::{Config, deal::Place};
use orchestrator_core::InFlight;
use parking_lot::Mutex;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// A socket under watch.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    socket: T,
    limits: Limits,
    link: Link,
    /// Rides inside the socket, so that it lasts as long, also where that becomes a WebSocket.
    _place: Place,
    /// Since when the peer owes us something to read.
    owes: Option<Owes>,
    /// Requests and messages that it has given us so far.
    given: usize,
    reading: Alarm,
    /// Since when the peer takes nothing.
    stuck: Option<Instant>,
    writing: Alarm,
}

/// What a connection's socket, its requests and its session tell each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Whether a request is being answered; its client may then be silent.
    at_work: AtomicBool,
    /// Requests, and messages of a WebSocket, that came whole so far.
    given: AtomicUsize,
    upgraded: AtomicBool,
    /// Bytes that came so far, wrapping.
    heard: AtomicUsize,
    /// The place of an answer whose last bytes may not have left yet.
    unsent: Mutex<Option<InFlight>>,
}

/// A request that is being answered; dropping it makes the connection idle.
#[derive(Debug)]
pub(crate) struct Work {
    link: Link,
    place: Option<InFlight>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) head: Duration,
    pub(crate) idle: Duration,
    pub(crate) message: Duration,
    pub(crate) write: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Owes {
    since: Instant,
    /// Whether the first bytes of a head or a message are there.
    begun: bool,
}

#[derive(Debug, Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

/// What the writer is told whose peer took nothing for too long.
#[derive(Debug, thiserror::Error)]
#[error("the client takes nothing: slow_consumer")]
struct SlowConsumer;

/// What the reader is told whose peer did not finish what it began to send.
#[derive(Debug, thiserror::Error)]
#[error("the client took too long to send {0}: request_timeout")]
struct SlowSender(&'static str);

/// Whether a write failed because the peer took nothing for too long.
pub(crate) fn is_slow_consumer(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|source| source.is::<SlowConsumer>())
}

/// Whether a read failed because the peer did not finish what it began to send.
pub(crate) fn is_slow_sender(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|source| source.is::<SlowSender>())
}

// === impl Limits ===

impl Limits {
    pub(crate) fn of(config: &Config) -> Self {
        Limits {
            head: Duration::from_millis(config.header_timeout_ms),
            idle: Duration::from_millis(config.idle_timeout_ms),
            message: Duration::from_millis(config.body_timeout_ms),
            write: config.slow_consumer(),
        }
    }
}

// === impl Link ===

impl Link {
    /// A request has been read and is being answered.
    pub(crate) fn work(self) -> Work {
        self.0.at_work.store(true, Relaxed);
        self.took();
        Work {
            link: self,
            place: None,
        }
    }

    /// A request or a message came whole.
    pub(crate) fn took(&self) {
        self.0.given.fetch_add(1, Relaxed);
    }

    /// The connection is a WebSocket now: its silence is the session's affair.
    pub(crate) fn upgrade(&self) {
        self.0.upgraded.store(true, Relaxed);
    }

    /// Whether a request is being answered.
    pub(crate) fn is_at_work(&self) -> bool {
        self.0.at_work.load(Relaxed)
    }

    /// Whether the connection has brought a request.
    pub(crate) fn has_worked(&self) -> bool {
        self.0.given.load(Relaxed) > 0
    }

    /// Bytes that came so far; only good to see that more came.
    pub(crate) fn heard(&self) -> usize {
        self.0.heard.load(Relaxed)
    }
}

// === impl Work ===

impl Work {
    /// The answer's place among the requests in flight, which lasts until its last byte has left.
    pub(crate) fn carry(&mut self, place: InFlight) {
        self.place = Some(place);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.link.0.at_work.store(false, Relaxed);
        if let Some(place) = self.place.take() {
            *self.link.0.unsent.lock() = Some(place);
        }
    }
}

// === impl Watched ===

impl<T> Watched<T> {
    pub(crate) fn new(socket: T, limits: Limits, link: Link, place: Place) -> Self {
        Watched {
            socket,
            limits,
            link,
            _place: place,
            owes: None,
            given: 0,
            reading: Alarm(None),
            stuck: None,
            writing: Alarm(None),
        }
    }

    /// With each request or message that has been read, what the peer owes begins anew.
    fn settle(&mut self) {
        let given = self.link.0.given.load(Relaxed);
        if std::mem::replace(&mut self.given, given) != given {
            self.owes = None;
        }
    }

    /// Ready with an error once the peer has owed us a head, the rest of a message, or its next request, for too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.link.is_at_work() {
            self.owes = None;
            return Poll::Pending;
        }
        let upgraded = self.link.0.upgraded.load(Relaxed);
        let owes = match self.owes {
            Some(owes) => owes,
            // Between its messages a WebSocket may be silent: whether its client is there is the session's affair.
            None if upgraded => return Poll::Pending,
            None => *self.owes.insert(Owes::beginning(false)),
        };
        let (limit, what) = match (owes.begun, upgraded) {
            (true, true) => (self.limits.message, "a message"),
            (true, false) => (self.limits.head, "the head of a request"),
            (false, _) => (self.limits.idle, "its next request"),
        };
        ready!(self.reading.poll(cx, owes.since, limit));
        // Who has been told may still say goodbye.
        self.owes = None;
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, SlowSender(what)))
    }

    /// Bytes came.
    fn heard(&mut self, bytes: usize) {
        self.link.0.heard.fetch_add(bytes, Relaxed);
        if !self.owes.is_some_and(|owes| owes.begun) {
            self.owes = Some(Owes::beginning(true));
        }
    }

    fn poll_stuck(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let since = *self.stuck.get_or_insert_with(Instant::now);
        ready!(self.writing.poll(cx, since, self.limits.write));
        // Who has been told may still try to say goodbye.
        self.stuck = None;
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, SlowConsumer))
    }

    fn written<R>(&mut self, written: Poll<io::Result<R>>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        match written {
            Poll::Pending => self.poll_stuck(cx).map(Err),
            ready => {
                self.stuck = None;
                ready
            }
        }
    }
}

// === impl Owes ===

impl Owes {
    fn beginning(begun: bool) -> Self {
        let since = Instant::now();
        Owes { since, begun }
    }
}

// === impl Alarm ===

impl Alarm {
    /// Ready once `limit` has passed since `since`; an alarm that fires for an older `since` is set anew.
    fn poll(&mut self, cx: &mut Context<'_>, since: Instant, limit: Duration) -> Poll<()> {
        let until = since.checked_add(limit).unwrap_or(since);
        let alarm = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if alarm.deadline() > until {
            alarm.as_mut().reset(until);
        }
        while alarm.as_mut().poll(cx).is_ready() {
            if alarm.deadline() >= until {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(until);
        }
        Poll::Pending
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.settle();
        let before = buf.filled().len();
        match Pin::new(&mut self.socket).poll_read(cx, buf) {
            Poll::Pending => self.poll_patience(cx).map(Err),
            Poll::Ready(result) => {
                let bytes = buf.filled().len().saturating_sub(before);
                if bytes > 0 {
                    self.heard(bytes);
                }
                Poll::Ready(result)
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.written(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        if flushed.is_ready() {
            // Whoever writes flushes when nothing is left to write.
            drop(self.link.0.unsent.lock().take());
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.written(written, cx)
    }
}

#[cfg(test)]
mod tests;
