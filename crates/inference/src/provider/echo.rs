//! A worker without a server: it answers with the last user message, word by word. For trying things out, and for tests of
//! everything around it.

use crate::call::Answered;
use futures_util::{StreamExt, stream};
use orchestrator_core::{Chunk, Delta, Failure, FinishReason, Kind, Prompt, Role, Text, Usage};
use orchestrator_dialect::Meta;
use std::time::Duration;
use tokio::time::sleep;

/// Answers with what was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo {
    /// The pause before each token.
    pub(crate) delay: Duration,
}

// === impl Echo ===

impl Echo {
    /// Answers a prompt; a stream comes token by token, anything else at once. Usage counts words.
    pub(crate) async fn call(self, prompt: &Prompt, max_tokens: Option<u64>, stream: bool) -> Answered {
        let asked = prompt
            .request
            .messages
            .iter()
            .rfind(|message| message.role == Role::User);
        let mut words = split(&asked.map(|message| message.text()).unwrap_or_default());
        let limit = prompt
            .max_tokens(max_tokens)
            .and_then(|limit| usize::try_from(limit).ok());
        let finish = match limit.is_some_and(|limit| words.len() > limit) {
            true => FinishReason::Length,
            false => FinishReason::Stop,
        };
        words.truncate(limit.unwrap_or(usize::MAX));
        let end = [Kind::Finish(finish), Kind::Usage(usage(prompt, words.len()))];
        let meta = Meta {
            model: prompt.request.model.clone(),
            ..Meta::default()
        };
        if !stream || words.is_empty() {
            let kinds = words.into_iter().map(Kind::Text).chain(end);
            let chunk = Chunk {
                event: None,
                deltas: kinds.map(Delta::first).collect(),
            };
            let first = vec![chunk];
            return Answered {
                meta,
                first,
                rest: stream::empty().boxed(),
            };
        }
        let mut tokens: Vec<Chunk> = words.into_iter().map(Chunk::text).collect();
        tokens.extend(end.map(|kind| Chunk::from(Delta::first(kind))));
        let mut tokens = tokens.into_iter();
        self.wait().await;
        let first = tokens.by_ref().take(1).collect();
        let rest = match self.delay.is_zero() {
            true => stream::iter([Ok(tokens.collect::<Vec<_>>())]).boxed(),
            false => stream::iter(tokens).then(move |token| self.after_wait(token)).boxed(),
        };
        Answered { meta, first, rest }
    }

    async fn after_wait(self, token: Chunk) -> Result<Vec<Chunk>, Failure> {
        self.wait().await;
        Ok(vec![token])
    }

    async fn wait(self) {
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
    }
}

/// Words with the blanks before them, so that joined they are the text again.
fn split(text: &str) -> Vec<Text> {
    let mut words = Vec::new();
    let (mut start, mut after_blank) = (0, true);
    for (at, c) in text.char_indices() {
        if c.is_whitespace() && !after_blank {
            words.extend(text.get(start..at).map(Text::from));
            start = at;
        }
        after_blank = c.is_whitespace();
    }
    words.extend(text.get(start..).filter(|rest| !rest.is_empty()).map(Text::from));
    words
}

fn usage(prompt: &Prompt, answer: usize) -> Usage {
    let words = |text: &Text| text.split_whitespace().count();
    let asked = prompt
        .request
        .messages
        .iter()
        .flat_map(|message| &message.texts)
        .map(words)
        .sum::<usize>();
    let count = |count| u64::try_from(count).unwrap_or(u64::MAX);
    Usage {
        prompt_tokens: count(asked),
        completion_tokens: count(answer),
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests;
