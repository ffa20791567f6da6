//! How many tokens a conversation takes, as OpenAI's cookbook counts them ("How to count tokens with tiktoken"): the text,
//! and a few for the frame of each turn.

use orchestrator_core::{Message, Role};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Weak;
use tiktoken_rs::{CoreBPE, bpe_for_tokenizer, tokenizer::get_tokenizer};

/// Tokens that frame a turn: its begin, its role, its end.
const FRAME: u64 = 4;
/// Tokens that begin the answer.
const ANSWER: u64 = 3;
/// Bytes that a token stands for where the model's vocabulary is not known. English has four, code and other scripts
/// fewer: rather too many tokens are counted than too few.
const ESTIMATED_BYTES: usize = 3;

/// Bytes that are counted at a time. The pattern that splits a text into words needs stack for each blank of a run, of
/// which it has for a million, and a count cannot be stopped within a piece. A cut can make a token two.
const PIECE: usize = 64 << 10;

/// Counts tokens for somebody who waits for it.
pub(crate) struct Counter {
    vocabulary: Vocabulary,
    /// Beyond so many nobody asks how many tokens it are: what has more is not counted to its end.
    enough: u64,
    /// Held by who waits. Without them nothing more is counted: nobody hears that it is too little.
    interest: Weak<()>,
}

enum Vocabulary {
    /// The model's own.
    Known(&'static CoreBPE),
    /// Tokens are estimated by length.
    Unknown,
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
    pub(crate) fn of(model: &str, enough: u64, interest: Weak<()>) -> Self {
        let known = get_tokenizer(model).and_then(|tokenizer| bpe_for_tokenizer(tokenizer).ok());
        Counter {
            vocabulary: known.map_or(Vocabulary::Unknown, Vocabulary::Known),
            enough,
            interest,
        }
    }

    /// The tokens of a text.
    pub(crate) fn text(&self, text: &str) -> u64 {
        self.texts([text])
    }

    /// The tokens of a turn with its frame: its texts and the tools that it calls. Pictures and sounds are not counted.
    pub(crate) fn turn(&self, message: &Message) -> u64 {
        let texts = message.texts.iter().map(|text| &**text);
        FRAME.saturating_add(self.texts(texts.chain(tool_calls(message))))
    }

    fn texts<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> u64 {
        let mut tokens = 0_u64;
        for piece in texts.into_iter().flat_map(pieces) {
            if tokens > self.enough || self.interest.strong_count() == 0 {
                break;
            }
            tokens = tokens.saturating_add(number(self.vocabulary.count(piece)));
        }
        tokens
    }
}

// === impl Vocabulary ===

impl Vocabulary {
    fn count(&self, piece: &str) -> usize {
        match self {
            Vocabulary::Known(vocabulary) => vocabulary.count_ordinary(piece),
            Vocabulary::Unknown => piece.len().div_ceil(ESTIMATED_BYTES),
        }
    }
}

/// The text in pieces of whole characters.
fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (piece, rest) = text.split_at_checked(text.floor_char_boundary(PIECE))?;
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The most tokens that a conversation can take, since a token is at least a byte.
pub(crate) fn ceiling<'a>(messages: impl IntoIterator<Item = &'a Message>) -> u64 {
    let turn = |message: &Message| {
        let bytes = match message.role {
            // Calls stand in what came beside the texts. To look for them would take longer than to count in vain.
            Role::Assistant => message.raw.len(),
            _ => message.texts.iter().map(|text| text.len()).sum(),
        };
        FRAME.saturating_add(number(bytes))
    };
    conversation(messages.into_iter().map(turn))
}

/// The tokens of turns that were counted one by one.
pub(crate) fn conversation(turns: impl IntoIterator<Item = u64>) -> u64 {
    turns.into_iter().fold(ANSWER, u64::saturating_add)
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
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
pub(crate) mod tests;
