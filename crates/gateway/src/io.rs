//! A client's socket with the three limits on time that a slow or cruel client runs into: for the head of a request, for
//! idling between requests, and for taking what we send.
//!
//! One timer a connection, looked at only when the socket has nothing to give; it is set anew when it fires too early, not
//! at every request.

use crate::Config;
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
    busy: Busy,
    /// Since when the peer owes us something to read.
    owes: Option<Owes>,
    /// Requests that it has given us so far.
    given: usize,
    reading: Alarm,
    /// Since when the peer takes nothing.
    stuck: Option<Instant>,
    writing: Alarm,
}

/// Whether a request of the connection is being answered; its client may then be silent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Busy(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    now: AtomicBool,
    /// Requests so far.
    requests: AtomicUsize,
    upgraded: AtomicBool,
}

/// A request that is being answered; dropping it makes the connection idle.
#[derive(Debug)]
pub(crate) struct Work(Busy);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) head: Duration,
    pub(crate) idle: Duration,
    pub(crate) write: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Owes {
    since: Instant,
    /// Whether the first bytes of a head are there.
    begun: bool,
}

#[derive(Debug, Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

/// What the writer is told whose peer took nothing for too long.
#[derive(Debug, thiserror::Error)]
#[error("the client takes nothing: slow_consumer")]
struct SlowConsumer;

/// Whether a write failed because the peer took nothing for too long.
pub(crate) fn is_slow_consumer(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|source| source.is::<SlowConsumer>())
}

// === impl Limits ===

impl Limits {
    pub(crate) fn of(config: &Config) -> Self {
        Limits {
            head: Duration::from_millis(config.header_timeout_ms),
            idle: Duration::from_millis(config.idle_timeout_ms),
            write: config.slow_consumer(),
        }
    }
}

// === impl Busy ===

impl Busy {
    /// A request has been read and is being answered.
    pub(crate) fn work(self) -> Work {
        self.0.now.store(true, Relaxed);
        self.0.requests.fetch_add(1, Relaxed);
        Work(self)
    }

    /// The connection is a WebSocket now: its silence is the session's affair.
    pub(crate) fn upgrade(&self) {
        self.0.upgraded.store(true, Relaxed);
    }

    /// Whether a request is being answered.
    pub(crate) fn is_at_work(&self) -> bool {
        self.0.now.load(Relaxed)
    }

    /// Whether the connection has brought a request.
    pub(crate) fn has_worked(&self) -> bool {
        self.0.requests.load(Relaxed) > 0
    }
}

// === impl Work ===

impl Drop for Work {
    fn drop(&mut self) {
        self.0.0.now.store(false, Relaxed);
    }
}

// === impl Watched ===

impl<T> Watched<T> {
    pub(crate) fn new(socket: T, limits: Limits, busy: Busy) -> Self {
        Watched {
            socket,
            limits,
            busy,
            owes: None,
            given: 0,
            reading: Alarm(None),
            stuck: None,
            writing: Alarm(None),
        }
    }

    /// With each request that has been read, what the peer owes begins anew.
    fn settle(&mut self) {
        let given = self.busy.0.requests.load(Relaxed);
        if std::mem::replace(&mut self.given, given) != given {
            self.owes = None;
        }
    }

    /// Ready with an error once the peer has owed us a head, or its next request, for too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.busy.is_at_work() || self.busy.0.upgraded.load(Relaxed) {
            self.owes = None;
            return Poll::Pending;
        }
        let owes = *self.owes.get_or_insert(Owes {
            since: Instant::now(),
            begun: false,
        });
        let (limit, what) = match owes.begun {
            true => (self.limits.head, "the head of the request took too long"),
            false => (self.limits.idle, "the connection was idle for too long"),
        };
        ready!(self.reading.poll(cx, owes.since, limit));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, what))
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
                if buf.filled().len() > before && !self.owes.is_some_and(|owes| owes.begun) {
                    self.owes = Some(Owes {
                        since: Instant::now(),
                        begun: true,
                    });
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
        Pin::new(&mut self.socket).poll_flush(cx)
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
