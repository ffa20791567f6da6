//! A worker's stream, read from bytes that are split anywhere: all chunks that are complete, each with its event.

use crate::{Meta, Protocol, chat::read_event, sse::Events};
use orchestrator_core::{Chunk, Code, Failure, Kind};

/// Reads the stream of one answer.
#[derive(Debug)]
pub struct Reader {
    protocol: Protocol,
    events: Events,
    meta: Meta,
    anything: bool,
    finished: bool,
    over: bool,
}

// === impl Reader ===

impl Reader {
    /// A reader of what a worker that speaks `protocol` streams.
    pub fn new(protocol: Protocol) -> Self {
        Reader {
            protocol,
            events: Events::default(),
            meta: Meta::default(),
            anything: false,
            finished: false,
            over: false,
        }
    }

    /// Takes bytes in and appends all chunks that are complete now. After the end of the answer further bytes are ignored.
    /// A failure ends the answer; the chunks before it are good.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Chunk>) -> Result<(), Failure> {
        if self.over {
            return Ok(());
        }
        self.events.feed(bytes);
        while let Some(data) = self.events.next()? {
            if data.trim_ascii() == b"[DONE]" {
                self.over = true;
                return self.end();
            }
            self.anything = true;
            let chunk = match self.protocol {
                Protocol::Chat => read_event(&data, &mut self.meta)?,
            };
            self.finished |= chunk
                .deltas
                .iter()
                .any(|delta| delta.choice == 0 && matches!(delta.kind, Kind::Finish(_)));
            out.push(chunk);
        }
        Ok(())
    }

    /// The worker has closed the stream: a failure unless the answer was finished, since an answer that just ends is not
    /// known to be whole.
    pub fn end(&mut self) -> Result<(), Failure> {
        self.over = true;
        let text = match (self.finished, self.anything) {
            (true, _) => return Ok(()),
            (false, true) => "The worker's answer ended before it was finished.",
            (false, false) => "The worker's stream ended without an answer.",
        };
        Err(Failure::new(Code::UpstreamTruncated, text))
    }

    /// Whether the answer is complete, so that the rest of the body need not be waited for.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// What the worker has said of the answer so far.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }
}

#[cfg(test)]
mod tests;
