//! What a worker speaks, and what it says of its answer beside the answer itself.

use crate::json::Str;
use orchestrator_core::{Chunk, Delta, Dialect, Event, Text};
use smallvec::SmallVec;

/// The longest id and model that a worker may tell, in bytes: they go into logs and headers.
const MAX_NAME: usize = 256;

/// What an event says.
pub(crate) type Deltas = SmallVec<[Delta; 1]>;

/// What a worker speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// OpenAI Chat Completions over JSON and SSE; vLLM and llama.cpp speak it too.
    Chat,
    /// Anthropic Messages over JSON and SSE.
    Messages,
    /// Ollama's `/api/chat` over JSON and NDJSON.
    Ollama,
}

/// What a worker says of its answer beside the answer itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The worker's id of the answer; empty when it gives none.
    pub id: Text,
    /// The model as the worker names it; empty when it does not.
    pub model: Text,
    /// When it was made, in seconds since 1970; 0 when it does not say.
    pub created: u64,
}

// === impl Protocol ===

impl Protocol {
    /// The dialect of its bodies and events.
    pub fn dialect(self) -> Dialect {
        match self {
            Protocol::Chat => Dialect::Chat,
            Protocol::Messages => Dialect::Messages,
            Protocol::Ollama => Dialect::Ollama,
        }
    }

    /// What a worker's event, or its whole answer, says, beside the event.
    pub(crate) fn chunk(self, data: &Text, deltas: Deltas, whole: bool) -> Chunk {
        let event = Event {
            dialect: self.dialect(),
            whole,
            data: data.as_bytes().clone(),
        };
        Chunk {
            event: Some(event),
            deltas,
        }
    }
}

// === impl Meta ===

impl Meta {
    /// Learns what is not known yet; later events repeat the first.
    pub(crate) fn learn(&mut self, data: &Text, id: Str<'_>, model: Str<'_>, created: u64) {
        let name = |said: Str<'_>| said.shared(data).filter(|name| name.len() <= MAX_NAME);
        if self.id.is_empty() {
            self.id = name(id).unwrap_or_default();
        }
        if self.model.is_empty() {
            self.model = name(model).unwrap_or_default();
        }
        if self.created == 0 {
            self.created = created;
        }
    }
}
