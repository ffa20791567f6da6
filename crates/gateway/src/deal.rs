//! Deals connections, and the requests of a WebSocket, over the cores: to the one with the fewest open requests, and of
//! equals to the one with the fewest connections.

use crate::metrics::Open;
use crossbeam::utils::CachePadded;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::sync::OwnedSemaphorePermit;

/// How much each core has to do.
#[derive(Debug)]
pub(crate) struct Deal(Vec<CachePadded<Load>>);

#[derive(Debug, Default)]
struct Load {
    requests: AtomicUsize,
    connections: AtomicUsize,
}

/// What a core has to do, counted until dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    deal: Arc<Deal>,
    core: usize,
    what: What,
}

/// A connection's place among those that may be open, on its core, and on the gauge of those that clients have.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _counted: Counted,
    _open: Option<Open>,
}

/// What is dealt.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Request,
    Connection,
}

// === impl Deal ===

impl Deal {
    pub(crate) fn new(cores: usize) -> Arc<Self> {
        Arc::new(Deal((0..cores).map(|_| CachePadded::default()).collect()))
    }

    /// The core that has least to do.
    pub(crate) fn least(&self) -> usize {
        let load = |load: &Load| (load.requests.load(Relaxed), load.connections.load(Relaxed));
        let least = self.0.iter().enumerate().min_by_key(|(_, core)| load(core));
        least.map_or(0, |(core, _)| core)
    }

    /// Counts one more on a core, until the count is dropped.
    pub(crate) fn count(self: &Arc<Self>, core: usize, what: What) -> Counted {
        if let Some(count) = self.of(core, what) {
            count.fetch_add(1, Relaxed);
        }
        Counted {
            deal: self.clone(),
            core,
            what,
        }
    }

    fn of(&self, core: usize, what: What) -> Option<&AtomicUsize> {
        let load = self.0.get(core)?;
        Some(match what {
            What::Request => &load.requests,
            What::Connection => &load.connections,
        })
    }
}

// === impl Counted ===

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(count) = self.deal.of(self.core, self.what) {
            count.fetch_sub(1, Relaxed);
        }
    }
}

// === impl Place ===

impl Place {
    /// A place that lasts until it is dropped.
    pub(crate) fn new(permit: OwnedSemaphorePermit, counted: Counted, open: Option<Open>) -> Self {
        Place {
            _permit: permit,
            _counted: counted,
            _open: open,
        }
    }
}

#[cfg(test)]
mod tests;
