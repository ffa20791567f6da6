//! What happened at which virtual millisecond.

use crate::text_of;
use futures_util::StreamExt;
use orchestrator_core::{Answer, Chunk, Kind};
use parking_lot::Mutex;
use std::{fmt, future::Future, sync::Arc};
use tokio::time::Instant;

/// Writes down what happens, each line with the milliseconds of tokio's clock since the timeline began. Clones write
/// on the same page. Printed, it is the text that a test compares with:
///
/// ```text
/// 0      a: MISS
/// 100    a: "tok0 tok1 "
/// 120    a: end stop
/// ```
#[derive(Clone)]
pub struct Timeline {
    began: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

// === impl Timeline ===

impl Timeline {
    /// Begins now.
    pub fn begin() -> Self {
        Timeline {
            began: Instant::now(),
            lines: Arc::default(),
        }
    }

    /// Writes down that this happened now.
    pub fn note(&self, what: impl fmt::Display) {
        let line = format!("{:<6} {what}", self.began.elapsed().as_millis());
        self.lines.lock().push(line);
    }

    /// Listens to an answer to its end and writes down, under `name`, where it comes from, each batch of chunks and how
    /// it ends. Cancelled, it writes nothing more and leaves the answer.
    pub fn listen(&self, name: &str, mut answer: Answer) -> impl Future<Output = ()> + Send + use<> {
        let (timeline, name) = (self.clone(), name.to_owned());
        async move {
            if let Ok(cache) = answer.cache().await {
                timeline.note(format_args!("{name}: {}", cache.as_str()));
            }
            while let Some(chunks) = answer.next().await {
                match chunks {
                    Ok(chunks) => timeline.heard(&name, chunks.iter().map(|chunk| &**chunk)),
                    Err(failure) => return timeline.note(format_args!("{name}: failed {}", failure.code().as_str())),
                }
            }
            match answer.end() {
                Some(end) if end.cut => timeline.note(format_args!("{name}: cut {}", end.finish.as_str())),
                Some(end) => timeline.note(format_args!("{name}: end {}", end.finish.as_str())),
                None => timeline.note(format_args!("{name}: over without an end")),
            }
        }
    }

    fn heard<'a>(&self, name: &str, chunks: impl Iterator<Item = &'a Chunk> + Clone) {
        let is_plain = |kind: &Kind| matches!(kind, Kind::Text(_) | Kind::Finish(_) | Kind::Usage(_));
        let text = text_of(chunks.clone());
        if !text.is_empty() {
            self.note(format_args!("{name}: {text:?}"));
        }
        for delta in chunks.flat_map(|chunk| &chunk.deltas) {
            if !is_plain(&delta.kind) || delta.choice > 0 {
                self.note(format_args!("{name}: [{}] {:?}", delta.choice, delta.kind));
            }
        }
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.lock().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
