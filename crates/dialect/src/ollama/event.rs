//! The lines and whole answers of Ollama, which are alike: a whole answer is a line that is the last.

use crate::{
    Meta, Protocol,
    error::{failure, unreadable},
    json::{Count, Str, shared},
    protocol::Deltas,
};
use orchestrator_core::{Chunk, Delta, Failure, FinishReason, Kind, Text, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What the lines so far have said that later ones build on.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Tools that were called.
    tools: u32,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default)]
    model: Str<'a>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(default)]
    done: bool,
    #[serde(borrow, default)]
    done_reason: Str<'a>,
    #[serde(default)]
    prompt_eval_count: Count,
    #[serde(default)]
    eval_count: Count,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Str<'a>,
    #[serde(borrow, default)]
    thinking: Str<'a>,
    #[serde(borrow)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
}

#[derive(Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow, default)]
    id: Str<'a>,
    #[serde(borrow)]
    function: Function<'a>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Str<'a>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

// === impl Progress ===

impl Progress {
    /// Reads one line. The flag says whether it was the last.
    pub(crate) fn read(&mut self, data: &Text, meta: &mut Meta) -> Result<(Option<Chunk>, bool), Failure> {
        self.line(data, meta, false).map(|(chunk, done)| (Some(chunk), done))
    }

    fn line(&mut self, data: &Text, meta: &mut Meta, whole: bool) -> Result<(Chunk, bool), Failure> {
        let raw: Raw<'_> = serde_json::from_str(data).map_err(|error| unreadable(&error))?;
        if let Some(error) = raw.error {
            return Err(failure(error.get()));
        }
        meta.learn(data, Str::default(), raw.model, 0);
        let mut deltas = Deltas::new();
        raw.message
            .into_iter()
            .for_each(|message| self.message(data, message, &mut deltas));
        if raw.done {
            let finish = self.finish_reason(raw.done_reason.get());
            deltas.push(Delta::first(Kind::Finish(finish)));
            deltas.extend(usage(raw.prompt_eval_count, raw.eval_count).map(|usage| Delta::first(Kind::Usage(usage))));
        }
        Ok((Protocol::Ollama.chunk(data, deltas, whole), raw.done))
    }

    fn message(&mut self, data: &Text, message: Message<'_>, deltas: &mut Deltas) {
        deltas.extend(
            message
                .thinking
                .shared(data)
                .map(|text| Delta::first(Kind::Reasoning(text))),
        );
        deltas.extend(message.content.shared(data).map(|text| Delta::first(Kind::Text(text))));
        for call in message.tool_calls.unwrap_or_default() {
            let index = self.tools;
            self.tools = self.tools.saturating_add(1);
            // Clients answer a call by its id, which older servers do not give.
            let id = call.id.shared(data).unwrap_or_else(|| format!("call_{index}").into());
            let arguments = call.function.arguments.map_or("{}", RawValue::get);
            deltas.push(Delta::first(Kind::ToolCall {
                index,
                id: Some(id),
                name: call.function.name.shared(data),
                arguments: shared(data, Cow::Borrowed(arguments)),
            }));
        }
    }

    /// Ollama stops where it calls tools.
    fn finish_reason(&self, word: &str) -> FinishReason {
        match word {
            "length" => FinishReason::Length,
            _ if self.tools > 0 => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        }
    }
}

/// Reads a whole answer.
pub(crate) fn read_whole(body: &Text, meta: &mut Meta) -> Result<Chunk, Failure> {
    Progress::default().line(body, meta, true).map(|(chunk, _)| chunk)
}

/// A prompt that was cached whole is not counted.
fn usage(prompt: Count, answer: Count) -> Option<Usage> {
    Some(Usage {
        prompt_tokens: prompt.0.unwrap_or(0),
        completion_tokens: answer.0?,
        ..Usage::default()
    })
}

#[cfg(test)]
mod tests;
