//! The events and whole answers of Anthropic Messages.

use crate::{
    Meta, Protocol,
    error::{failure, unreadable},
    json::{Count, Str, shared},
    protocol::Deltas,
};
use orchestrator_core::{Chunk, Delta, Failure, FinishReason, Kind, Text, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What the events so far have said that later ones build on.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Told in parts: the prompt's tokens at the start, the answer's at the end.
    usage: RawUsage,
    /// Tools that were called.
    tools: u32,
    /// Whether the running call has said no arguments yet.
    awaits_input: bool,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Str<'a>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    #[serde(borrow)]
    delta: Option<RawDelta<'a>>,
    usage: Option<RawUsage>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// A whole answer, or the beginning of one.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    id: Str<'a>,
    #[serde(borrow, default)]
    model: Str<'a>,
    #[serde(borrow, default)]
    content: Vec<Block<'a>>,
    #[serde(borrow, default)]
    stop_reason: Str<'a>,
    usage: Option<RawUsage>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Str<'a>,
    #[serde(borrow, default)]
    text: Str<'a>,
    #[serde(borrow, default)]
    thinking: Str<'a>,
    #[serde(borrow, default)]
    id: Str<'a>,
    #[serde(borrow, default)]
    name: Str<'a>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawDelta<'a> {
    #[serde(borrow, default)]
    text: Str<'a>,
    #[serde(borrow, default)]
    thinking: Str<'a>,
    #[serde(borrow, default)]
    partial_json: Str<'a>,
    #[serde(borrow, default)]
    stop_reason: Str<'a>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct RawUsage {
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    output_tokens: Count,
    #[serde(default)]
    cache_read_input_tokens: Count,
    #[serde(default)]
    cache_creation_input_tokens: Count,
}

// === impl Progress ===

impl Progress {
    /// Reads the JSON of one event. The flag says whether it was the last; a ping is no chunk.
    pub(crate) fn read(&mut self, data: &Text, meta: &mut Meta) -> Result<(Option<Chunk>, bool), Failure> {
        let raw: Raw<'_> = serde_json::from_str(data).map_err(|error| unreadable(&error))?;
        let mut deltas = Deltas::new();
        match raw.kind.get() {
            "error" => return Err(failure(raw.error.map_or(&**data, RawValue::get))),
            "ping" => return Ok((None, false)),
            "message_start" => raw.message.into_iter().for_each(|message| {
                meta.learn(data, message.id, message.model, 0);
                self.usage.learn(message.usage);
            }),
            "content_block_start" => {
                let block = raw.content_block.into_iter();
                block.for_each(|block| self.block(data, block, &mut deltas));
            }
            "content_block_delta" => raw
                .delta
                .into_iter()
                .for_each(|delta| self.delta(data, delta, &mut deltas)),
            "content_block_stop" => self.close_block(&mut deltas),
            "message_delta" => {
                self.usage.learn(raw.usage);
                let reason = raw.delta.and_then(|delta| delta.stop_reason.some());
                deltas.extend(reason.map(|word| Delta::first(Kind::Finish(finish_reason(&word)))));
                let usage = Usage::try_from(self.usage).ok();
                deltas.extend(usage.map(|usage| Delta::first(Kind::Usage(usage))));
            }
            _ => {}
        }
        Ok((
            Some(Protocol::Messages.chunk(data, deltas, false)),
            raw.kind.get() == "message_stop",
        ))
    }

    fn delta(&mut self, data: &Text, delta: RawDelta<'_>, deltas: &mut Deltas) {
        deltas.extend(
            delta
                .thinking
                .shared(data)
                .map(|text| Delta::first(Kind::Reasoning(text))),
        );
        deltas.extend(delta.text.shared(data).map(|text| Delta::first(Kind::Text(text))));
        deltas.extend(delta.partial_json.shared(data).map(|text| self.arguments(text)));
    }

    /// A block that begins, or a whole one.
    fn block(&mut self, data: &Text, block: Block<'_>, deltas: &mut Deltas) {
        match block.kind.get() {
            "text" => deltas.extend(block.text.shared(data).map(|text| Delta::first(Kind::Text(text)))),
            "thinking" => deltas.extend(
                block
                    .thinking
                    .shared(data)
                    .map(|text| Delta::first(Kind::Reasoning(text))),
            ),
            "tool_use" => {
                // An input that is there from the start is said at once; an empty one stands for one that comes.
                let input = block.input.map_or("{}", RawValue::get);
                let is_empty = input.bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(*b"{}");
                let input = if is_empty { "" } else { input };
                self.awaits_input = is_empty;
                deltas.push(Delta::first(Kind::ToolCall {
                    index: self.tools,
                    id: block.id.shared(data),
                    name: block.name.shared(data),
                    arguments: shared(data, input.into()),
                }));
                self.tools = self.tools.saturating_add(1);
            }
            // Thoughts that are hidden, and what the provider's own tools do, have no words in this dialect.
            _ => {}
        }
    }

    /// A call that takes nothing still has arguments: those of an empty object.
    fn close_block(&mut self, deltas: &mut Deltas) {
        if self.awaits_input {
            let nothing = self.arguments(Text::from_static("{}"));
            deltas.push(nothing);
        }
    }

    fn arguments(&mut self, arguments: Text) -> Delta {
        self.awaits_input = false;
        Delta::first(Kind::ToolCall {
            index: self.tools.saturating_sub(1),
            id: None,
            name: None,
            arguments,
        })
    }
}

/// Reads a whole answer.
pub(crate) fn read_whole(body: &Text, meta: &mut Meta) -> Result<Chunk, Failure> {
    let message: Message<'_> = serde_json::from_str(body).map_err(|error| unreadable(&error))?;
    if let Some(error) = message.error {
        return Err(failure(error.get()));
    }
    meta.learn(body, message.id, message.model, 0);
    let (mut progress, mut deltas) = (Progress::default(), Deltas::new());
    for block in message.content {
        progress.block(body, block, &mut deltas);
        progress.close_block(&mut deltas);
    }
    let reason = message.stop_reason.some();
    deltas.extend(reason.map(|word| Delta::first(Kind::Finish(finish_reason(&word)))));
    let usage = message.usage.and_then(|usage| Usage::try_from(usage).ok());
    deltas.extend(usage.map(|usage| Delta::first(Kind::Usage(usage))));
    Ok(Protocol::Messages.chunk(body, deltas, true))
}

fn finish_reason(word: &str) -> FinishReason {
    match word {
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    }
}

// === impl RawUsage ===

impl RawUsage {
    /// What is said later counts.
    fn learn(&mut self, said: Option<RawUsage>) {
        let Some(said) = said else { return };
        for (known, said) in [
            (&mut self.input_tokens, said.input_tokens),
            (&mut self.output_tokens, said.output_tokens),
            (&mut self.cache_read_input_tokens, said.cache_read_input_tokens),
            (&mut self.cache_creation_input_tokens, said.cache_creation_input_tokens),
        ] {
            known.0 = said.0.or(known.0);
        }
    }
}

impl TryFrom<RawUsage> for Usage {
    type Error = ();

    /// Anthropic counts the cached parts of a prompt beside it, we count them in.
    fn try_from(raw: RawUsage) -> Result<Self, ()> {
        let cached = raw.cache_read_input_tokens.0.unwrap_or(0);
        let beside = cached.saturating_add(raw.cache_creation_input_tokens.0.unwrap_or(0));
        Ok(Usage {
            prompt_tokens: raw.input_tokens.0.ok_or(())?.saturating_add(beside),
            completion_tokens: raw.output_tokens.0.ok_or(())?,
            cached_tokens: cached,
            reasoning_tokens: 0,
        })
    }
}

#[cfg(test)]
mod tests;
