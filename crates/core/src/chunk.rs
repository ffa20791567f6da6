//! A piece of an answer: the worker's event as it came beside its typed deltas.

use crate::{Dialect, FinishReason, Text, Usage};
use bytes::Bytes;
use smallvec::SmallVec;
use std::sync::Arc;

/// All that has arrived since the last look, in order; never empty.
pub type Chunks = Vec<Arc<Chunk>>;

/// What the frame of a tool call weighs, its id and its name among it.
const TOOL_CALL: usize = 64;

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

    /// The bytes that this chunk keeps alive, roughly. A text that is a slice of the event is counted with it.
    pub fn weight(&self) -> usize {
        let event = self.event.as_ref().map_or(&[] as &[u8], |event| &event.data);
        let deltas = self.deltas.iter().map(|delta| delta.kind.weight(event));
        deltas.fold(event.len().saturating_add(size_of::<Chunk>()), usize::saturating_add)
    }

    /// The same in memory of its own, so that what it is a slice of can go.
    pub fn detached(&self) -> Chunk {
        let event = self.event.as_ref().map(|event| Event {
            data: Bytes::copy_from_slice(&event.data),
            ..event.clone()
        });
        let own = |delta: &Delta| Delta {
            kind: delta.kind.detached(),
            ..*delta
        };
        Chunk {
            event,
            deltas: self.deltas.iter().map(own).collect(),
        }
    }

    /// What can be kept of a chunk that is too heavy: no event, its texts in order as far as they fit into `room` bytes,
    /// and its usage. The choices that it finishes are finished by length, for nobody can say that nothing is missing.
    pub(crate) fn cut_to(&self, room: usize) -> Chunk {
        let mut room = room.saturating_sub(size_of::<Chunk>());
        let cut = |delta: &Delta| {
            let kind = delta.kind.cut_to(&mut room)?;
            Some(Delta { kind, ..*delta })
        };
        Chunk {
            event: None,
            deltas: self.deltas.iter().filter_map(cut).collect(),
        }
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
    fn weight(&self, event: &[u8]) -> usize {
        match self {
            Kind::Text(text) | Kind::Reasoning(text) | Kind::Refusal(text) => own_weight(text, event),
            Kind::ToolCall { arguments, .. } => own_weight(arguments, event).saturating_add(TOOL_CALL),
            Kind::Finish(_) | Kind::Usage(_) => 0,
        }
    }

    fn detached(&self) -> Kind {
        let own = |text: &Text| Text::from(&**text);
        match self {
            Kind::Text(text) => Kind::Text(own(text)),
            Kind::Reasoning(text) => Kind::Reasoning(own(text)),
            Kind::Refusal(text) => Kind::Refusal(own(text)),
            Kind::ToolCall {
                index,
                id,
                name,
                arguments,
            } => Kind::ToolCall {
                index: *index,
                id: id.as_ref().map(own),
                name: name.as_ref().map(own),
                arguments: own(arguments),
            },
            Kind::Finish(reason) => Kind::Finish(*reason),
            Kind::Usage(usage) => Kind::Usage(*usage),
        }
    }

    /// As much as fits into `room`, which is gone after the first that does not fit whole: no text goes on behind a gap.
    fn cut_to(&self, room: &mut usize) -> Option<Kind> {
        match self {
            Kind::Text(text) => take(text, room).map(Kind::Text),
            Kind::Reasoning(text) => take(text, room).map(Kind::Reasoning),
            Kind::Refusal(text) => take(text, room).map(Kind::Refusal),
            Kind::ToolCall {
                index,
                id,
                name,
                arguments,
            } => {
                let left = room.checked_sub(TOOL_CALL);
                *room = left.unwrap_or(0);
                left.map(|_| Kind::ToolCall {
                    index: *index,
                    id: id.as_deref().map(Text::from),
                    name: name.as_deref().map(Text::from),
                    arguments: take(arguments, room).unwrap_or_default(),
                })
            }
            Kind::Finish(_) => Some(Kind::Finish(FinishReason::Length)),
            Kind::Usage(usage) => Some(Kind::Usage(*usage)),
        }
    }
}

/// What a text keeps alive beside its event.
fn own_weight(text: &Text, event: &[u8]) -> usize {
    let is_shared = event.as_ptr_range().contains(&text.as_bytes().as_ptr());
    if is_shared { 0 } else { text.len() }
}

/// A copy of as much of the text as there is room for, so that what it was a slice of can go; `None` when that is nothing.
fn take(text: &Text, room: &mut usize) -> Option<Text> {
    let (taken, rest) = text.split_at_checked(text.floor_char_boundary(*room))?;
    *room = if rest.is_empty() {
        room.saturating_sub(taken.len())
    } else {
        0
    };
    (!taken.is_empty()).then(|| Text::from(taken))
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
