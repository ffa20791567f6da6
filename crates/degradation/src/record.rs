//! Hears a worker's answer on its way out, and keeps it once it is whole.

use crate::{Degradation, cache::Kept};
use futures_util::{StreamExt, future::ready, stream};
use orchestrator_core::{Chunk, Fingerprint, Head, Kind, Reply};
use std::{mem::take, sync::Arc};
use tokio::time::Instant;

/// Bytes are set apart for a record in lumps of so many, so that not each chunk asks.
const LUMP: usize = 4_096;

/// What was heard of an answer so far. One that is dropped before its end, fails, or takes more bytes than it may or there are
/// is not kept.
struct Record {
    shared: Arc<Degradation>,
    what: Fingerprint,
    head: Box<Head>,
    chunks: Vec<Chunk>,
    bytes: usize,
    /// Bytes that are set apart for it.
    apart: usize,
    is_finished: bool,
    is_good: bool,
}

/// The reply, of which its answer is kept for `what`.
pub(crate) fn record(shared: Arc<Degradation>, what: Fingerprint, reply: Reply) -> Reply {
    let record = Record {
        shared,
        what,
        head: reply.head.clone(),
        chunks: Vec::new(),
        bytes: 0,
        apart: 0,
        is_finished: false,
        is_good: true,
    };
    let over = stream::once(ready(None));
    let events = reply.events.map(Some).chain(over).scan(record, |record, batch| {
        match &batch {
            Some(Ok(chunks)) => chunks.iter().for_each(|chunk| record.hear(chunk)),
            Some(Err(_)) => record.give_up(),
            None => record.keep(),
        }
        ready(batch)
    });
    Reply {
        head: reply.head,
        events: events.boxed(),
    }
}

// === impl Record ===

impl Record {
    fn hear(&mut self, chunk: &Chunk) {
        if !self.is_good {
            return;
        }
        self.bytes = self.bytes.saturating_add(chunk.weight());
        if self.bytes > self.shared.config().cache.most() || !self.has_room() {
            self.give_up();
            return;
        }
        self.is_finished |= chunk.deltas.iter().any(|delta| matches!(delta.kind, Kind::Finish(_)));
        self.chunks.push(chunk.detached());
    }

    /// Whether there is room for its bytes; asks for more where it must.
    fn has_room(&mut self) -> bool {
        let Some(missing) = self.bytes.checked_sub(self.apart).filter(|missing| *missing > 0) else {
            return true;
        };
        let more = missing.div_ceil(LUMP).saturating_mul(LUMP);
        let has_room = self.shared.set_apart(more);
        if has_room {
            self.apart = self.apart.saturating_add(more);
        }
        has_room
    }

    fn give_up(&mut self) {
        self.is_good = false;
        self.chunks = Vec::new();
        self.shared.take_back(take(&mut self.apart));
    }

    fn keep(&mut self) {
        if !self.is_good || !self.is_finished {
            return;
        }
        let kept = Kept {
            head: self.head.clone(),
            chunks: take(&mut self.chunks).into(),
            bytes: self.bytes,
            at: Instant::now(),
        };
        self.shared.keep(self.what, kept, take(&mut self.apart));
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.apart > 0 {
            self.give_up();
        }
    }
}

#[cfg(test)]
mod tests;
