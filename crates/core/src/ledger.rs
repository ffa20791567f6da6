//! What all answers together hold: bytes of log, and requests in flight.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Counts the bytes of all answer logs and the requests in flight, and knows the limits. Shared by all cores.
#[derive(Debug)]
pub struct Ledger {
    bytes: AtomicUsize,
    requests: AtomicUsize,
    max_answer_bytes: usize,
    max_log_bytes: usize,
    max_in_flight: usize,
}

/// One request in flight; dropping it gives the place back.
#[derive(Debug)]
pub struct InFlight(Arc<Ledger>);

// === impl Ledger ===

impl Ledger {
    /// An empty ledger: the bytes that one answer and all answers may hold, and the requests that may be in flight.
    pub fn new(max_answer_bytes: usize, max_log_bytes: usize, max_in_flight: usize) -> Arc<Self> {
        let (bytes, requests) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Ledger {
            bytes,
            requests,
            max_answer_bytes,
            max_log_bytes,
            max_in_flight,
        })
    }

    /// A ledger without limits that matter, for tests.
    pub fn generous() -> Arc<Self> {
        Ledger::new(1 << 30, 1 << 40, 1 << 30)
    }

    /// Takes a place for one more request; `None` when all are taken.
    pub fn enter(self: &Arc<Self>) -> Option<InFlight> {
        let one_more = |taken: usize| (taken < self.max_in_flight).then(|| taken.saturating_add(1));
        let entered = self.requests.fetch_update(Relaxed, Relaxed, one_more);
        entered.ok().map(|_| InFlight(self.clone()))
    }

    /// Requests in flight.
    pub fn requests(&self) -> usize {
        self.requests.load(Relaxed)
    }

    /// Bytes in all logs.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Whether the logs hold as much as they may, so that kept ones should go and new requests must wait outside.
    pub fn is_full(&self) -> bool {
        self.bytes() >= self.max_log_bytes
    }

    pub(crate) fn max_answer_bytes(&self) -> usize {
        self.max_answer_bytes
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Relaxed);
    }
}

// === impl InFlight ===

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
