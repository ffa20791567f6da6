//! A stream in OpenAI's words. Its events repeat everything but their text: one that is like the event before is not parsed
//! again.

use super::event::read_event;
use crate::{Meta, Protocol, json::range};
use orchestrator_core::{Chunk, Delta, Failure, Kind, Text};
use smallvec::smallvec;
use std::ops::Range;

/// What has to be remembered of a stream.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The last event that was parsed, if it could be like others.
    like: Option<Likeness>,
}

/// An event that says a single text, which stands in it as it is.
#[derive(Debug)]
struct Likeness {
    event: Text,
    /// Where its text stands, between the quotes.
    text: Range<usize>,
    choice: u32,
    kind: fn(Text) -> Kind,
}

// === impl Progress ===

impl Progress {
    /// Reads the JSON of one event. The flag says whether it was the last.
    pub(crate) fn read(&mut self, data: &Text, meta: &mut Meta) -> Result<(Option<Chunk>, bool), Failure> {
        if data.trim_ascii() == "[DONE]" {
            return Ok((None, true));
        }
        if let Some(chunk) = self.like.as_ref().and_then(|like| like.read(data)) {
            return Ok((Some(chunk), false));
        }
        let chunk = read_event(data, meta)?;
        self.like = Likeness::of(data, &chunk);
        Ok((Some(chunk), false))
    }
}

// === impl Likeness ===

impl Likeness {
    /// `None` for an event that says more than a text, or one with escapes, or that clients could not read.
    fn of(event: &Text, chunk: &Chunk) -> Option<Self> {
        chunk.event.as_ref()?;
        let [delta] = chunk.deltas.as_slice() else {
            return None;
        };
        let (text, kind): (_, fn(Text) -> Kind) = match &delta.kind {
            Kind::Text(text) => (text, Kind::Text),
            Kind::Reasoning(text) => (text, Kind::Reasoning),
            _ => return None,
        };
        Some(Likeness {
            text: range(event, text)?,
            event: event.clone(),
            choice: delta.choice,
            kind,
        })
    }

    /// What an event says that is the same but for its text. A text without escapes in the place of another changes nothing
    /// else of what JSON means.
    fn read(&self, data: &Text) -> Option<Chunk> {
        let before = self.event.get(..self.text.start)?;
        let after = self.event.get(self.text.end..)?;
        let text = data.strip_prefix(before)?.strip_suffix(after)?;
        let is_plain = text.bytes().all(|byte| !matches!(byte, b'"' | b'\\' | 0..b' '));
        (is_plain && !text.is_empty()).then(|| {
            let delta = Delta {
                choice: self.choice,
                kind: (self.kind)(data.slice_ref(text)),
            };
            Protocol::Chat.chunk(data, smallvec![delta], false)
        })
    }
}

#[cfg(test)]
mod tests;
