//! What of a conversation fits the model's window: the oldest exchanges go first, never what the system says nor anything
//! from the last question on.
//!
//! An exchange is a user's turn with all that answers it, so calls of tools stay with their results and turns alternate as
//! before.

use crate::count::conversation;
use orchestrator_core::{Code, Failure, Message, Role};

/// The tokens that a model reads and writes in all, and those of them that are not the conversation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) tokens: u64,
    /// Kept for the answer.
    pub(crate) answer: u64,
    /// Taken by what stands beside the conversation, such as the tools that may be called.
    pub(crate) beside: u64,
}

// === impl Window ===

impl Window {
    /// The tokens that are left for the conversation.
    pub(crate) fn room(self) -> u64 {
        self.tokens.saturating_sub(self.answer).saturating_sub(self.beside)
    }

    fn too_long(self, conversation: u64) -> Failure {
        let (prompt, window, answer) = (conversation.saturating_add(self.beside), self.tokens, self.answer);
        let text = format!(
            "This model's context window is {window} tokens, but the messages take {prompt} and {answer} are asked for \
             the answer. Shorten the messages or ask for less."
        );
        Failure::new(Code::ContextLengthExceeded, text).at("messages")
    }
}

/// Leaves out the oldest exchanges until the conversation fits, whose turns take so many tokens each; whether any went.
///
/// # Errors
/// `context_length_exceeded` when what must stay is too long by itself.
pub(crate) fn shorten(messages: &mut Vec<Message>, turns: &[u64], window: Window) -> Result<bool, Failure> {
    let exchanges = exchanges(messages);
    let mut total = conversation(turns.iter().copied());
    let mut first_kept = 0_usize;
    while total > window.room() {
        let gone = turns.iter().zip(&exchanges).filter(|(_, of)| **of == Some(first_kept));
        let freed: Vec<u64> = gone.map(|(tokens, _)| *tokens).collect();
        if freed.is_empty() {
            return Err(window.too_long(total));
        }
        total = freed.iter().fold(total, |total, tokens| total.saturating_sub(*tokens));
        first_kept = first_kept.saturating_add(1);
    }
    let mut exchanges = exchanges.into_iter();
    messages.retain(|_| exchanges.next().flatten().is_none_or(|exchange| exchange >= first_kept));
    Ok(first_kept > 0)
}

/// For each turn the number of its exchange, from 0 on without a gap; `None` for a turn that stays in any case.
fn exchanges(messages: &[Message]) -> Vec<Option<usize>> {
    let last_question = messages.iter().rposition(|message| message.role == Role::User);
    let last_question = last_question.unwrap_or(messages.len());
    let (mut exchange, mut filled) = (0_usize, false);
    let number = |(place, message): (usize, &Message)| {
        if place >= last_question || message.role == Role::System {
            return None;
        }
        if message.role == Role::User && filled {
            exchange = exchange.saturating_add(1);
        }
        filled = true;
        Some(exchange)
    };
    messages.iter().enumerate().map(number).collect()
}

#[cfg(test)]
mod tests;
