//! Why an answer ended well, and what it used.

/// Why a choice is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// The model was done, or reached a stop string.
    Stop,
    /// A limit on length was reached, the model's or ours.
    Length,
    /// The model asks for tools to be called.
    ToolCalls,
    /// The provider withheld the rest.
    ContentFilter,
}

/// Tokens that a call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub prompt_tokens: u64,
    /// Tokens of the answer, reasoning included.
    pub completion_tokens: u64,
    /// Those of the prompt that the provider had cached.
    pub cached_tokens: u64,
    /// Those of the answer that were hidden reasoning.
    pub reasoning_tokens: u64,
}

// === impl FinishReason ===

impl FinishReason {
    /// The reason in OpenAI's words.
    pub fn as_str(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::ToolCalls => "tool_calls",
            FinishReason::ContentFilter => "content_filter",
        }
    }
}

// === impl Usage ===

impl Usage {
    /// Tokens of prompt and answer together.
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
