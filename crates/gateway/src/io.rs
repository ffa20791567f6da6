//! A client's socket with the limits on time that a slow or cruel client runs into: for the head of a request or a message
//! of a WebSocket, for idling between requests, and for taking what we send.
//!
//! A client that ends its side, or breaks off, while it is being answered has left: whoever reads is told so at once, and
//! whoever does not read, since there are bytes of a later request to be read first, is told when it flushes. So also a
//! client that sent several requests must not end its side before it has the answers.
//!
//! One timer a connection, looked at only when the socket has nothing to give; it is set anew when it fires too early, not
//! at every request.

mod early;
mod link;

#[cfg(test)]
pub(crate) use early::MAX_EARLY;
pub(crate) use link::{Link, MAX_UNWRITTEN, Work};

use crate::{Config, deal::Place};
use early::Early;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// A socket under watch. In an order of our own: what each write asks for comes first and stands together.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Watched<T> {
    socket: T,
    /// Since when the peer takes nothing.
    stuck: Option<Instant>,
    link: Link,
    reader: Reader,
    /// What it sent ahead of its turn.
    early: Early,
    writing: Alarm,
    /// Since when the peer owes us something to read.
    owes: Option<Owes>,
    /// Requests and messages that it has given us so far.
    given: usize,
    reading: Alarm,
    limits: Limits,
    /// Rides inside the socket, so that it lasts as long, also where that becomes a WebSocket.
    _place: Place,
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
    /// Taken at the first look that finds nothing.
    since: Option<Instant>,
    /// Whether the first bytes of a head or a message are there.
    begun: bool,
}

/// What the reader, which is hyper for the most part, does about the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// Was given bytes, or has not asked for any yet.
    Taking,
    /// Was told that there are none, and waits to be woken.
    Waiting,
    /// Does not ask, since it holds bytes of a later request.
    Ahead,
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
            reader: Reader::Taking,
            early: Early::default(),
            reading: Alarm(None),
            stuck: None,
            writing: Alarm(None),
        }
    }

    /// With each request or message that has been read, what the peer owes begins anew.
    fn settle(&mut self) {
        let given = self.link.given();
        if std::mem::replace(&mut self.given, given) != given {
            self.owes = None;
        }
        // What was there ahead of its turn is not all of a head. What a session makes of its own is not known here.
        if self.reader == Reader::Ahead && !self.link.is_at_work() && !self.link.is_upgraded() {
            self.owes = Some(Owes::new(true));
        }
    }

    /// Ready with an error once the peer has owed us a head, the rest of a message, or its next request, for too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.link.is_at_work() {
            self.owes = None;
            return Poll::Pending;
        }
        let upgraded = self.link.is_upgraded();
        let owes = match &mut self.owes {
            Some(owes) => owes,
            // Between its messages a WebSocket may be silent: whether its client is there is the session's affair.
            None if upgraded => return Poll::Pending,
            None => self.owes.insert(Owes::new(false)),
        };
        let since = *owes.since.get_or_insert_with(Instant::now);
        let (limit, what) = match (owes.begun, upgraded) {
            (true, true) => (self.limits.message, "a message"),
            (true, false) => (self.limits.head, "the head of a request"),
            (false, _) => (self.limits.idle, "its next request"),
        };
        ready!(self.reading.poll(cx, since, limit));
        // Who has been told may still say goodbye.
        self.owes = None;
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, SlowSender(what)))
    }

    /// Bytes came.
    fn heard(&mut self, bytes: usize) {
        self.link.hear(bytes);
        if !self.owes.is_some_and(|owes| owes.begun) {
            self.owes = Some(Owes::new(true));
        }
    }

    /// Watches for a reader that does not ask. Ready once the peer has left while it is being answered.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<io::Error>
    where
        T: AsyncRead + Unpin,
    {
        if self.reader == Reader::Waiting || !self.link.has_received() {
            return Poll::Pending;
        }
        self.reader = Reader::Ahead;
        let end = ready!(self.early.poll_end(&mut self.socket, cx));
        Poll::Ready(end.err().unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into()))
    }

    /// Wakes a reader that was told to wait when its turn has come to read what was held back.
    fn rouse(&mut self, cx: &Context<'_>) {
        if self.reader == Reader::Waiting && !self.early.is_empty() && !self.link.has_received() {
            self.reader = Reader::Taking;
            cx.waker().wake_by_ref();
        }
    }

    /// Has the time run in which an answered client owes its next request. The reader, told to wait, does not ask anew, and
    /// the alarm that it left may have gone off unheeded during the answer.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.reader != Reader::Waiting || self.link.is_at_work() || self.link.is_upgraded() {
            return Poll::Pending;
        }
        self.settle();
        self.poll_patience(cx)
    }

    fn poll_stuck(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let since = *self.stuck.get_or_insert_with(Instant::now);
        ready!(self.writing.poll(cx, since, self.limits.write));
        // Who has been told may still try to say goodbye.
        self.stuck = None;
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, SlowConsumer))
    }

    fn written<R>(&mut self, written: Poll<io::Result<R>>, cx: &mut Context<'_>) -> Poll<io::Result<R>>
    where
        T: AsyncRead + Unpin,
    {
        match written {
            Poll::Pending => match self.poll_left(cx) {
                Poll::Ready(left) => Poll::Ready(Err(left)),
                Poll::Pending => self.poll_stuck(cx).map(Err),
            },
            ready => {
                self.stuck = None;
                ready
            }
        }
    }
}

// === impl Owes ===

impl Owes {
    fn new(begun: bool) -> Self {
        Owes { since: None, begun }
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

impl<T: AsyncRead + Unpin> Watched<T> {
    /// Bytes that the reader is to have: first those that came ahead of their turn.
    fn poll_bytes(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.early.is_empty() {
            match Pin::new(&mut self.socket).poll_read(cx, buf) {
                Poll::Pending => return self.poll_patience(cx).map(Err),
                Poll::Ready(result) => result?,
            }
        } else {
            self.early.give(buf);
        }
        let bytes = buf.filled().len().saturating_sub(before);
        if bytes > 0 {
            self.heard(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.settle();
        let this = &mut *self;
        let read = match this.link.has_received() {
            // A reader that is given no byte knows that no more come. Until its answer is there the client owes nothing.
            true => {
                this.owes = None;
                this.early.poll_end(&mut this.socket, cx)
            }
            false => this.poll_bytes(cx, buf),
        };
        this.reader = match read.is_pending() {
            true => Reader::Waiting,
            false => Reader::Taking,
        };
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.written(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        if flushed.is_ready() {
            // Whoever writes flushes when nothing is left to write.
            if self.link.flushed() {
                cx.waker().wake_by_ref();
            }
            self.rouse(cx);
            if let Poll::Ready(late) = self.poll_idle(cx) {
                return Poll::Ready(Err(late));
            }
        }
        match self.poll_left(cx) {
            Poll::Ready(left) => Poll::Ready(Err(left)),
            Poll::Pending => flushed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
