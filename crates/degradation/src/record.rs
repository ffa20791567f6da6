//! Hears a worker's answer on its way out, and keeps it once it is whole.

use crate::{Degradation, cache::Kept};
use futures_util::{StreamExt, future::ready, stream};
use orchestrator_core::{Chunk, Failure, Fingerprint, Head, Kind, Reply};
use std::sync::Arc;
use tokio::time::Instant;

/// What was heard of an answer so far. One that is dropped before its end, fails or takes too many bytes is not kept.
struct Record {
    shared: Arc<Degradation>,
    what: Fingerprint,
    head: Head,
    chunks: Vec<Chunk>,
    bytes: usize,
    most: usize,
    is_finished: bool,
    is_good: bool,
}

/// The reply, of which its answer is kept for `what`.
pub(crate) fn record(shared: Arc<Degradation>, what: Fingerprint, reply: Reply) -> Reply {
    let record = Record {
        what,
        head: reply.head.clone(),
        chunks: Vec::new(),
        bytes: 0,
        most: shared.most_kept(),
        is_finished: false,
        is_good: true,
        shared,
    };
    let over = stream::once(ready(None));
    let events = reply.events.map(Some).chain(over).scan(record, |record, batch| {
        match &batch {
            Some(batch) => record.hear(batch),
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
    fn hear(&mut self, batch: &Result<Vec<Chunk>, Failure>) {
        let Ok(chunks) = batch else {
            self.is_good = false;
            return;
        };
        for chunk in chunks {
            self.bytes = self.bytes.saturating_add(chunk.weight());
            self.is_finished |= chunk.deltas.iter().any(|delta| matches!(delta.kind, Kind::Finish(_)));
            if self.bytes > self.most {
                self.is_good = false;
                self.chunks = Vec::new();
                return;
            }
            self.chunks.push(chunk.detached());
        }
    }

    fn keep(&mut self) {
        if !self.is_good || !self.is_finished {
            return;
        }
        let kept = Kept {
            head: self.head.clone(),
            chunks: std::mem::take(&mut self.chunks).into(),
            bytes: self.bytes,
            at: Instant::now(),
        };
        self.shared.keep(self.what, kept);
    }
}

#[cfg(test)]
mod tests;
