//! The turns of a conversation, as stages read them.

use bytes::Bytes;
use smallvec::SmallVec;

/// UTF-8 text that is a shared slice of the body it came in, where that needed no unescaping.
pub type Text = bytestring::ByteString;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sets the frame; OpenAI's `developer` counts as this too.
    System,
    /// The person or program that asks.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The text parts in order; images, tool calls and other parts stand only in `raw`.
    pub texts: SmallVec<[Text; 1]>,
    /// The message's JSON as it came, in the dialect of the request's original.
    pub raw: Bytes,
}

// === impl Message ===

impl Message {
    /// All text of the turn, its parts joined by line breaks.
    pub fn text(&self) -> Text {
        match self.texts.as_slice() {
            [] => Text::default(),
            [one] => one.clone(),
            many => {
                let parts: Vec<&str> = many.iter().map(|text| &**text).collect();
                parts.join("\n").into()
            }
        }
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
