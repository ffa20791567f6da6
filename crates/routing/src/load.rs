//! How many requests and calls of a route are under way: counts with limits, each given back by dropping what stands for
//! it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

/// Things under way, and those of them that stream. A stream counts in both.
#[derive(Debug)]
pub(crate) struct Load {
    all: AtomicUsize,
    streams: AtomicUsize,
    most: Limit,
}

/// The most that may be under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) all: usize,
    pub(crate) streams: usize,
}

/// One of those under way.
#[derive(Debug)]
pub(crate) struct Counted {
    load: Arc<Load>,
    is_stream: bool,
}

// === impl Load ===

impl Load {
    pub(crate) fn new(most: Limit) -> Arc<Self> {
        Arc::new(Load {
            all: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            most,
        })
    }

    /// How many are under way.
    pub(crate) fn all(&self) -> usize {
        self.all.load(SeqCst)
    }

    /// How many more of a kind may be.
    pub(crate) fn left(&self, is_stream: bool) -> usize {
        let left = self.most.all.saturating_sub(self.all());
        match is_stream {
            true => left.min(self.most.streams.saturating_sub(self.streams.load(SeqCst))),
            false => left,
        }
    }

    /// Counts one more, if that may be: of N + M racers at a limit of N exactly N are counted.
    pub(crate) fn enter(self: &Arc<Self>, is_stream: bool) -> Option<Counted> {
        if !raise(&self.all, self.most.all) {
            return None;
        }
        if is_stream && !raise(&self.streams, self.most.streams) {
            self.all.fetch_sub(1, SeqCst);
            return None;
        }
        Some(Counted {
            load: self.clone(),
            is_stream,
        })
    }
}

fn raise(count: &AtomicUsize, most: usize) -> bool {
    count
        .fetch_update(SeqCst, SeqCst, |count| (count < most).then(|| count.saturating_add(1)))
        .is_ok()
}

// === impl Limit ===

impl Limit {
    pub(crate) fn new(all: Option<usize>, streams: Option<usize>) -> Self {
        Limit {
            all: all.unwrap_or(usize::MAX),
            streams: streams.unwrap_or(usize::MAX),
        }
    }
}

// === impl Counted ===

impl Drop for Counted {
    fn drop(&mut self) {
        if self.is_stream {
            self.load.streams.fetch_sub(1, SeqCst);
        }
        self.load.all.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests;
