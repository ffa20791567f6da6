//! How many tokens a conversation takes, as OpenAI's cookbook counts them ("How to count tokens with tiktoken"): the text,
//! and a few for the frame of each turn.

use orchestrator_core::{Message, Role};
use serde::Deserialize;
use serde_json::value::RawValue;
use tiktoken_rs::{CoreBPE, bpe_for_tokenizer, tokenizer::get_tokenizer};

/// Tokens that frame a turn: its begin, its role, its end.
const FRAME: u64 = 4;
/// Tokens that begin the answer.
const ANSWER: u64 = 3;
/// Bytes that a token stands for where the model's vocabulary is not known. English has four, code and other scripts
/// fewer: rather too many tokens are counted than too few.
const ESTIMATED_BYTES: usize = 3;

/// Counts tokens.
#[derive(Clone, Copy)]
pub(crate) enum Counter {
    /// By the model's own vocabulary.
    Known(&'static CoreBPE),
    /// By length.
    Estimate,
}

/// The parts of a turn that are no text and are read by the model all the same.
#[derive(Deserialize)]
struct Extra<'a> {
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
}

// === impl Counter ===

impl Counter {
    /// The counter for a model. The vocabulary is read at its first need, which takes about 100 ms: for blocking threads.
    pub(crate) fn of(model: &str) -> Self {
        let known = get_tokenizer(model).and_then(|tokenizer| bpe_for_tokenizer(tokenizer).ok());
        known.map_or(Counter::Estimate, Counter::Known)
    }

    /// The tokens of a text.
    pub(crate) fn text(self, text: &str) -> u64 {
        let tokens = match self {
            Counter::Known(vocabulary) => vocabulary.count_ordinary(text),
            Counter::Estimate => text.len().div_ceil(ESTIMATED_BYTES),
        };
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }

    /// The tokens of a turn with its frame: its texts and the tools that it calls. Pictures and sounds are not counted.
    pub(crate) fn turn(self, message: &Message) -> u64 {
        let texts = message.texts.iter().map(|text| self.text(text));
        let calls = tool_calls(message).map(|calls| self.text(calls));
        texts.chain(calls).fold(FRAME, u64::saturating_add)
    }
}

/// The most tokens that a conversation can take, since a token is at least a byte.
pub(crate) fn ceiling<'a>(messages: impl IntoIterator<Item = &'a Message>) -> u64 {
    let turn = |message: &Message| {
        let texts: usize = message.texts.iter().map(|text| text.len()).sum();
        // Calls stand in what came beside the texts.
        let bytes = texts.max(if calls_tools(message) { message.raw.len() } else { 0 });
        FRAME.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX))
    };
    conversation(messages.into_iter().map(turn))
}

/// The tokens of turns that were counted one by one.
pub(crate) fn conversation(turns: impl IntoIterator<Item = u64>) -> u64 {
    turns.into_iter().fold(ANSWER, u64::saturating_add)
}

fn calls_tools(message: &Message) -> bool {
    message.role == Role::Assistant && tool_calls(message).is_some()
}

/// The JSON text of the calls in a turn.
fn tool_calls(message: &Message) -> Option<&str> {
    if message.role != Role::Assistant {
        return None;
    }
    let extra: Extra<'_> = serde_json::from_slice(&message.raw).ok()?;
    extra.tool_calls.map(RawValue::get)
}

#[cfg(test)]
mod tests;
