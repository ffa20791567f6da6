//! What a call costs in tokens: estimated before it, heard of while it runs, told by its worker at the end.

use crate::rate_limit::{RateLimit, Taken};
use orchestrator_core::{Chunk, Kind, Request};
use tokio::time::Instant;

/// Bytes of text that are a token or so, in most languages and code.
const BYTES: u64 = 4;

/// The tokens of an answer whose length nobody has bounded.
const USUAL_ANSWER: u64 = 500;

/// What a call is expected to cost, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// What is asked.
    pub prompt: u64,
    /// What is answered.
    pub answer: u64,
}

/// What a running call has taken of its worker's tokens, and what it has cost so far.
#[derive(Debug)]
pub(crate) struct Spending {
    taken: Taken,
    /// As far as it is known: as estimated, or told.
    known: u64,
    /// Of text that was heard since.
    bytes: u64,
}

// === impl Estimate ===

impl Estimate {
    /// What is known of a call before it: the size of what is sent, and the longest answer that is asked for.
    pub fn of(request: &Request) -> Self {
        // Assembly adds to the messages; the body has more than them.
        let messages: usize = request.messages.iter().map(|message| message.raw.len()).sum();
        let choices = u64::from(request.params.choices.unwrap_or(1).max(1));
        let answer = request.params.max_tokens.unwrap_or(USUAL_ANSWER);
        Estimate {
            prompt: bytes(messages.max(request.original.body.len())).div_ceil(BYTES),
            answer: answer.saturating_mul(choices),
        }
    }

    /// All of it.
    pub fn total(self) -> u64 {
        self.prompt.saturating_add(self.answer)
    }
}

// === impl Spending ===

impl Spending {
    pub(crate) fn new(taken: Taken, estimate: Estimate) -> Self {
        Spending {
            taken,
            known: estimate.prompt,
            bytes: 0,
        }
    }

    /// Takes note of what the worker tells of the call's cost; until it does, of what it answers.
    pub(crate) fn hear(&mut self, chunks: &[Chunk]) {
        for chunk in chunks {
            let mut told = None;
            for delta in &chunk.deltas {
                match &delta.kind {
                    Kind::Text(text) | Kind::Reasoning(text) | Kind::Refusal(text) => self.answer(text.len()),
                    Kind::ToolCall { arguments, .. } => self.answer(arguments.len()),
                    Kind::Usage(usage) => told = Some(usage.total_tokens()),
                    Kind::Finish(_) => {}
                }
            }
            if let Some(told) = told {
                (self.known, self.bytes) = (told, 0);
            }
        }
    }

    /// The call was not made, or its worker did nothing for it.
    pub(crate) fn cost_nothing(&mut self) {
        (self.known, self.bytes) = (0, 0);
    }

    /// Settles what the call has cost.
    pub(crate) fn settle(self, limit: &RateLimit, now: Instant) {
        let cost = self.known.saturating_add(self.bytes.div_ceil(BYTES));
        limit.settle(self.taken, cost, now);
    }

    fn answer(&mut self, length: usize) {
        self.bytes = self.bytes.saturating_add(bytes(length));
    }
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
