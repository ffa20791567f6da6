//! The connections that wait for the next request: a bounded stack, the newest taken first.
//!
//! Age is checked when somebody comes for a connection, so no timer runs for idle ones.

use super::{framing::Framing, link::Link};
use parking_lot::Mutex;
use std::{
    task::{Context, Waker},
    time::Duration,
};
use tokio::time::Instant;

/// Connections that wait at most; beyond that the oldest is closed.
const IDLE_LIMIT: usize = 128;
/// How long a connection may wait for its next request.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// The idle connections of one endpoint, the newest last.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Idle>>);

#[derive(Debug)]
struct Idle {
    link: Link,
    /// What is still to come of the last answer: its last framing bytes, for a caller that did not wait for them.
    rest: Framing,
    since: Instant,
}

// === impl Pool ===

impl Pool {
    /// Keeps a connection whose last answer has been read but for `rest`.
    pub(super) fn put(&self, mut link: Link, rest: Framing) {
        link.rest();
        let since = Instant::now();
        let mut idle = self.0.lock();
        let surplus = idle.len().saturating_add(1).saturating_sub(IDLE_LIMIT);
        let surplus = surplus.max(expired(&idle, since));
        let gone: Vec<Idle> = idle.drain(..surplus).collect();
        idle.push(Idle { link, rest, since });
        drop(idle);
        drop(gone);
    }

    /// The newest connection that is open, whose last answer is over and that has not waited too long.
    pub(super) fn take(&self, now: Instant) -> Option<Link> {
        loop {
            let mut idle = self.0.lock();
            let gone: Vec<Idle> = {
                let count = expired(&idle, now);
                idle.drain(..count).collect()
            };
            let newest = idle.pop();
            drop(idle);
            drop(gone);
            if let Some(link) = newest?.ready() {
                return Some(link);
            }
        }
    }

    /// Connections that wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

/// How many at the front have waited too long.
fn expired(idle: &[Idle], now: Instant) -> usize {
    idle.partition_point(|idle| now.duration_since(idle.since) > IDLE_TIME)
}

// === impl Idle ===

impl Idle {
    /// The connection, if the rest of the last answer has come and nothing else: neither bytes nor the end.
    fn ready(mut self) -> Option<Link> {
        let ended = self.link.poll_fill(&mut Context::from_waker(Waker::noop())).is_ready();
        self.rest.decode(self.link.buffer()).ok()?;
        (!ended && self.rest.is_over() && self.link.is_clean()).then_some(self.link)
    }
}
