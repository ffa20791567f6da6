//! What a worker speaks.

use orchestrator_core::{Dialect, Text};

/// What a worker speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// OpenAI Chat Completions over JSON and SSE; vLLM and llama.cpp speak it too.
    Chat,
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
        }
    }
}
