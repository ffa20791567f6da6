//! A worker's event of a stream, and its whole answer, in OpenAI's words.

use crate::{
    Meta, Protocol,
    error::{failure, truncated, unreadable},
    json::{Count, Str},
    protocol::Deltas,
};
use orchestrator_core::{Chunk, Code, Delta, Failure, FinishReason, Kind, Text, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;
use smallvec::SmallVec;

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default)]
    id: Str<'a>,
    #[serde(borrow, default)]
    model: Str<'a>,
    #[serde(default)]
    created: Count,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    object: Str<'a>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: Count,
    #[serde(borrow, alias = "message")]
    delta: Option<Said<'a>>,
    #[serde(borrow, default)]
    finish_reason: Str<'a>,
}

/// What a choice says: a delta of a stream or a whole message, which have the same fields.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    content: Str<'a>,
    #[serde(borrow, default)]
    reasoning_content: Str<'a>,
    #[serde(borrow, default)]
    reasoning: Str<'a>,
    #[serde(borrow, default)]
    refusal: Str<'a>,
    #[serde(borrow)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
    /// What calls were before they were lists; rare, so that it is read only where it is there.
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ToolCall<'a> {
    #[serde(default)]
    index: Count,
    #[serde(borrow, default)]
    id: Str<'a>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Default, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Str<'a>,
    #[serde(borrow, default)]
    arguments: Str<'a>,
}

#[derive(Deserialize)]
struct RawUsage {
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Count,
    #[serde(default)]
    reasoning_tokens: Count,
}

// === impl Raw ===

impl Raw<'_> {
    /// Whether clients can read it as it is: some servers leave out what SDKs rely on, or end in words that OpenAI does not
    /// have.
    fn is_sound(&self, whole: bool) -> bool {
        let choices = self.choices.as_ref();
        choices.is_some_and(|choices| choices.iter().all(|choice| choice.is_sound(whole)))
    }
}

// === impl Choice ===

impl Choice<'_> {
    fn is_sound(&self, whole: bool) -> bool {
        let mut calls = self.delta.iter().flat_map(|said| said.tool_calls.iter().flatten());
        let is_placed = whole || (self.index.0.is_some() && calls.all(|call| call.index.0.is_some()));
        is_placed && is_finish_reason(self.finish_reason.get())
    }
}

/// Reads the JSON of one event; `meta` learns what it says of the answer. An event that clients could not read goes on only
/// by what it says.
pub(super) fn read_event(data: &Text, meta: &mut Meta) -> Result<Chunk, Failure> {
    read(data, meta, false)
}

/// Reads a whole answer.
pub(crate) fn read_whole(body: &Text, meta: &mut Meta) -> Result<Chunk, Failure> {
    read(body, meta, true)
}

/// The choices that an event names; empty for one that only tells the usage.
pub(super) fn choices_of(data: &[u8]) -> SmallVec<[u32; 1]> {
    #[derive(Deserialize)]
    struct Choices {
        #[serde(default)]
        choices: Vec<Index>,
    }
    #[derive(Deserialize)]
    struct Index {
        #[serde(default)]
        index: Count,
    }
    let event: Option<Choices> = serde_json::from_slice(data).ok();
    let choices = event.map(|event| event.choices).unwrap_or_default();
    (0..)
        .zip(choices)
        .map(|(position, choice)| index(choice.index, position))
        .collect()
}

fn read(data: &Text, meta: &mut Meta, whole: bool) -> Result<Chunk, Failure> {
    let raw: Raw<'_> = serde_json::from_str(data).map_err(|error| unreadable(&error))?;
    if let Some(error) = raw.error {
        return Err(failure(error.get()));
    }
    // vLLM's errors have the error's fields at the top.
    if raw.object.get() == "error" {
        return Err(failure(data));
    }
    let is_sound = raw.is_sound(whole);
    meta.learn(data, raw.id, raw.model, raw.created.0.unwrap_or(0));
    let choices = raw.choices.unwrap_or_default();
    // An event mostly says one thing, a whole answer its text, its end and the usage.
    let usual = if whole {
        choices.len().saturating_mul(2).saturating_add(1)
    } else {
        1
    };
    let mut deltas = Deltas::with_capacity(usual);
    for (position, choice) in (0..).zip(choices) {
        read_choice(data, choice, position, &mut deltas)?;
    }
    let usage = raw.usage.and_then(read_usage);
    deltas.extend(usage.map(|usage| Delta::first(Kind::Usage(usage))));
    Ok(match is_sound {
        true => Protocol::Chat.chunk(data, deltas, whole),
        false => Chunk { event: None, deltas },
    })
}

fn read_choice(data: &Text, raw: Choice<'_>, position: u32, deltas: &mut Deltas) -> Result<(), Failure> {
    let choice = index(raw.index, position);
    let mut say = |kind| deltas.push(Delta { choice, kind });
    if let Some(said) = raw.delta {
        let reasoning = said
            .reasoning_content
            .shared(data)
            .or_else(|| said.reasoning.shared(data));
        reasoning.map(Kind::Reasoning).map(&mut say);
        said.content.shared(data).map(Kind::Text).map(&mut say);
        said.refusal.shared(data).map(Kind::Refusal).map(&mut say);
        for (position, call) in (0..).zip(said.tool_calls.unwrap_or_default()) {
            let index = index(call.index, position);
            say(call_delta(data, index, call.id, call.function.unwrap_or_default()));
        }
        if let Some(function) = said.function_call {
            let function = serde_json::from_str(function.get()).map_err(|error| unreadable(&error))?;
            say(call_delta(data, 0, Str::default(), function));
        }
    }
    if let Some(word) = raw.finish_reason.some() {
        say(Kind::Finish(finish_reason(&word)?));
    }
    Ok(())
}

fn call_delta(data: &Text, index: u32, id: Str<'_>, function: Function<'_>) -> Kind {
    Kind::ToolCall {
        index,
        id: id.shared(data),
        name: function.name.shared(data),
        arguments: function.arguments.shared(data).unwrap_or_default(),
    }
}

/// An index that is missing, or is none, is the position in the array.
fn index(index: Count, position: u32) -> u32 {
    index.0.and_then(|index| index.try_into().ok()).unwrap_or(position)
}

/// OpenAI's own words, and none.
fn is_finish_reason(word: &str) -> bool {
    matches!(
        word,
        "" | "stop" | "length" | "tool_calls" | "content_filter" | "function_call"
    )
}

/// A worker's word for the finish; a word that OpenAI does not know counts as `stop`, unless it means that there was none.
fn finish_reason(word: &str) -> Result<FinishReason, Failure> {
    match word {
        "length" | "max_tokens" => Ok(FinishReason::Length),
        "tool_calls" | "function_call" => Ok(FinishReason::ToolCalls),
        "content_filter" => Ok(FinishReason::ContentFilter),
        "abort" | "cancelled" => Err(truncated("The worker gave its answer up.")),
        "error" => Err(Failure::new(
            Code::UpstreamError,
            "The worker's answer ended in an error.",
        )),
        _ => Ok(FinishReason::Stop),
    }
}

/// Usage without both counts says nothing.
fn read_usage(raw: &RawValue) -> Option<Usage> {
    let raw: RawUsage = serde_json::from_str(raw.get()).ok()?;
    Some(Usage {
        prompt_tokens: raw.prompt_tokens.0?,
        completion_tokens: raw.completion_tokens.0?,
        cached_tokens: raw
            .prompt_tokens_details
            .and_then(|details| details.cached_tokens.0)
            .unwrap_or(0),
        reasoning_tokens: raw
            .completion_tokens_details
            .and_then(|details| details.reasoning_tokens.0)
            .unwrap_or(0),
    })
}

#[cfg(test)]
mod tests;
