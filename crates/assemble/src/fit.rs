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

    /// The tokens that turns which must stay leave over. Those that are too many are not counted to their end.
    fn left_by(self, mut turns: impl Iterator<Item = u64>) -> Result<u64, Failure> {
        let mut total = conversation([]);
        while total <= self.room() {
            let Some(tokens) = turns.next() else {
                return Ok(self.room().saturating_sub(total));
            };
            total = total.saturating_add(tokens);
        }
        Err(self.too_long(total))
    }

    fn too_long(self, conversation: u64) -> Failure {
        let (prompt, window, answer) = (conversation.saturating_add(self.beside), self.tokens, self.answer);
        let text = format!(
            "This model's context window is {window} tokens, but the messages take at least {prompt} and {answer} are \
             asked for the answer. Shorten the messages or ask for less."
        );
        Failure::new(Code::ContextLengthExceeded, text).at("messages")
    }
}

/// Leaves out the oldest exchanges until the conversation fits. What is left over when all of them stayed; `None` when some
/// went. Turns are counted from the last one back and no further than the window reaches, however many there are.
///
/// # Errors
/// `context_length_exceeded` when what must stay is too long by itself.
pub(crate) fn shorten(
    messages: &mut Vec<Message>,
    window: Window,
    tokens: impl Fn(&Message) -> u64,
) -> Result<Option<u64>, Failure> {
    let exchanges = exchanges(messages);
    let turns = || exchanges.iter().zip(&*messages);
    let must_stay = turns().filter(|(exchange, _)| exchange.is_none());
    let mut left = window.left_by(must_stay.map(|(_, message)| tokens(message)))?;
    let may_go: Vec<_> = turns()
        .filter_map(|(exchange, message)| Some(((*exchange)?, message)))
        .collect();
    let mut first_kept = may_go.last().map_or(0, |(last, _)| last.saturating_add(1));
    for exchange in may_go.chunk_by(|(one, _), (next, _)| one == next).rev() {
        let rest = exchange
            .iter()
            .try_fold(left, |left, (_, message)| left.checked_sub(tokens(message)));
        let (Some(rest), Some((number, _))) = (rest, exchange.first()) else {
            break;
        };
        (left, first_kept) = (rest, *number);
    }
    let mut exchanges = exchanges.into_iter();
    messages.retain(|_| exchanges.next().flatten().is_none_or(|exchange| exchange >= first_kept));
    Ok((first_kept == 0).then_some(left))
}

/// For each turn the number of its exchange, from 0 on and never falling; `None` for a turn that stays in any case.
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
