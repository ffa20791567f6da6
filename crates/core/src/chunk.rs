//! A piece of an answer: the worker's event as it came beside its typed deltas.

use crate::{Dialect, FinishReason, Text, Usage};
use bytes::Bytes;
use smallvec::SmallVec;
use std::sync::Arc;

/// All that has arrived since the last look, in order; never empty.
pub type Chunks = Vec<Arc<Chunk>>;

/// One event of a worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chunk {
    /// The event as it came; gone once a stage has changed the deltas.
    pub event: Option<Event>,
    /// What the event says, in order.
    pub deltas: SmallVec<[Delta; 1]>,
}

/// The JSON of an event or of a whole answer, without its framing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The format that `data` is written in.
    pub dialect: Dialect,
    /// Whether this is a whole JSON answer rather than one event of a stream.
    pub whole: bool,
    /// The JSON text.
    pub data: Bytes,
}

/// One thing that an event says.
#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    /// The choice that it belongs to; 0 unless the request asked for several.
    pub choice: u32,
    /// What it says.
    pub kind: Kind,
}

/// What a delta says.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// More text of the answer.
    Text(Text),
    /// More of the model's reasoning.
    Reasoning(Text),
    /// More of a refusal.
    Refusal(Text),
    /// More of a tool call.
    ToolCall {
        /// Its place among the calls of this choice.
        index: u32,
        /// Its id, in the first delta of a call.
        id: Option<Text>,
        /// The tool's name, in the first delta of a call.
        name: Option<Text>,
        /// More of the arguments' JSON text.
        arguments: Text,
    },
    /// The choice is complete.
    Finish(FinishReason),
    /// What the call has used so far; the last one counts.
    Usage(Usage),
}

// === impl Chunk ===

impl Chunk {
    /// A chunk of text of the first choice, without an event.
    pub fn text(text: impl Into<Text>) -> Self {
        Delta::first(Kind::Text(text.into())).into()
    }

    /// Whether the chunk carries what a client waits for: text, reasoning, a tool call or the finish; a mere role or
    /// usage does not count.
    pub fn has_content(&self) -> bool {
        self.deltas.iter().any(|delta| !matches!(delta.kind, Kind::Usage(_)))
    }

    /// The bytes that this chunk keeps alive, roughly.
    pub fn weight(&self) -> usize {
        let event = self.event.as_ref().map_or(0, |event| event.data.len());
        let deltas = self.deltas.iter().map(|delta| delta.kind.weight());
        deltas.fold(event.saturating_add(size_of::<Chunk>()), usize::saturating_add)
    }
}

impl From<Delta> for Chunk {
    fn from(delta: Delta) -> Self {
        Chunk {
            event: None,
            deltas: SmallVec::from_buf([delta]),
        }
    }
}

// === impl Delta ===

impl Delta {
    /// A delta of the first choice.
    pub fn first(kind: Kind) -> Self {
        Delta { choice: 0, kind }
    }
}

// === impl Kind ===

impl Kind {
    fn weight(&self) -> usize {
        match self {
            Kind::Text(text) | Kind::Reasoning(text) | Kind::Refusal(text) => text.len(),
            Kind::ToolCall { arguments, .. } => arguments.len().saturating_add(64),
            Kind::Finish(_) | Kind::Usage(_) => 0,
        }
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
