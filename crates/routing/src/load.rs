//! How many requests and calls of a route are under way: counts with limits, each given back by dropping what stands for
//! it.

use crate::RouteConfig;
use orchestrator_resilience::{Slot, Slots};

/// Things under way, and those of them that stream. A stream counts in both.
#[derive(Debug)]
pub(crate) struct Load {
    all: Slots,
    streams: Slots,
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
    _stream: Option<Slot>,
    _all: Slot,
}

// === impl Load ===

impl Load {
    pub(crate) fn new(most: Limit) -> Self {
        Load {
            all: Slots::new(most.all),
            streams: Slots::new(most.streams),
        }
    }

    /// Changes how many may be under way. Those that are go on.
    pub(crate) fn change(&self, most: Limit) {
        self.all.resize(most.all);
        self.streams.resize(most.streams);
    }

    /// Whether those that stream have a limit of their own.
    pub(crate) fn bounds_streams(&self) -> bool {
        self.streams.max() != usize::MAX
    }

    /// How many are under way.
    pub(crate) fn all(&self) -> usize {
        self.all.taken()
    }

    /// How many of a kind there may be.
    pub(crate) fn most(&self, is_stream: bool) -> usize {
        match is_stream {
            true => self.all.max().min(self.streams.max()),
            false => self.all.max(),
        }
    }

    /// How many more of a kind may be.
    pub(crate) fn left(&self, is_stream: bool) -> usize {
        match is_stream {
            true => self.all.free().min(self.streams.free()),
            false => self.all.free(),
        }
    }

    /// Counts one more, if that may be. A stream that finds no room among streams gives its place among all back.
    pub(crate) fn enter(&self, is_stream: bool) -> Option<Counted> {
        let all = self.all.try_take()?;
        let stream = match is_stream {
            true => Some(self.streams.try_take()?),
            false => None,
        };
        Some(Counted {
            _stream: stream,
            _all: all,
        })
    }
}

// === impl Limit ===

impl Limit {
    /// Of the calls on one tier of a route.
    pub(crate) fn soft(route: &RouteConfig) -> Self {
        Limit::new(route.soft_limit, route.stream_soft_limit)
    }

    /// Of all that a route has under way.
    pub(crate) fn hard(route: &RouteConfig) -> Self {
        Limit::new(route.hard_limit, route.stream_hard_limit)
    }

    fn new(all: Option<usize>, streams: Option<usize>) -> Self {
        Limit {
            all: all.unwrap_or(usize::MAX),
            streams: streams.unwrap_or(usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests;
