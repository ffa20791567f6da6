//! A worker's event of a stream, and its whole answer.

use super::finish_reason;
use crate::{
    error::message,
    json::{Count, shared},
    protocol::Meta,
};
use bytes::Bytes;
use orchestrator_core::{Chunk, Code, Delta, Dialect, Event, Failure, Kind, Text, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;
use smallvec::SmallVec;
use std::borrow::Cow;

type Deltas = SmallVec<[Delta; 1]>;
type MaybeText<'a> = Option<Cow<'a, str>>;

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    id: MaybeText<'a>,
    #[serde(borrow)]
    model: MaybeText<'a>,
    #[serde(default)]
    created: Count,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<u32>,
    #[serde(borrow, alias = "message")]
    delta: Option<Said<'a>>,
    #[serde(borrow)]
    finish_reason: MaybeText<'a>,
}

/// What a choice says: a delta of a stream or a whole message, which have the same fields.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    content: MaybeText<'a>,
    #[serde(borrow)]
    reasoning_content: MaybeText<'a>,
    #[serde(borrow)]
    reasoning: MaybeText<'a>,
    #[serde(borrow)]
    refusal: MaybeText<'a>,
    #[serde(borrow)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
}

#[derive(Deserialize)]
struct ToolCall<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    id: MaybeText<'a>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: MaybeText<'a>,
    #[serde(borrow)]
    arguments: MaybeText<'a>,
}

#[derive(Default, Deserialize)]
struct RawUsage {
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Count,
}

#[derive(Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Count,
}

/// Reads the JSON of one event; `meta` learns what it says of the answer.
pub(crate) fn read_event(data: &Bytes, meta: &mut Meta) -> Result<Chunk, Failure> {
    read(data, meta, false)
}

/// Reads a whole answer. One without a finish reason was cut off.
pub(crate) fn read_whole(body: &Bytes) -> Result<(Meta, Chunk), Failure> {
    let mut meta = Meta::default();
    let chunk = read(body, &mut meta, true)?;
    let finished = chunk.deltas.iter().any(|delta| matches!(delta.kind, Kind::Finish(_)));
    match finished {
        true => Ok((meta, chunk)),
        false => Err(Failure::new(
            Code::UpstreamTruncated,
            "The worker's answer has no finish reason.",
        )),
    }
}

fn read(data: &Bytes, meta: &mut Meta, whole: bool) -> Result<Chunk, Failure> {
    let raw: Raw<'_> = serde_json::from_slice(data).map_err(|error| {
        // The error's own text may quote the answer, so only its place is passed on.
        let place = format!("line {}, column {}", error.line(), error.column());
        Failure::new(
            Code::UpstreamProtocol,
            format!("The worker sent what is no chat completion ({place})."),
        )
    })?;
    if let Some(error) = raw.error {
        let said = message(error).unwrap_or_default();
        return Err(Failure::new(
            Code::UpstreamError,
            format!("The worker reports an error: {said}"),
        ));
    }
    if meta.id.is_empty() {
        meta.id = raw.id.map(|id| shared(data, id)).unwrap_or_default();
    }
    if meta.model.is_empty() {
        meta.model = raw.model.map(|model| shared(data, model)).unwrap_or_default();
    }
    meta.created = raw.created.0.unwrap_or(meta.created);
    if raw.choices.is_none() && raw.usage.is_none() {
        return Err(Failure::new(
            Code::UpstreamProtocol,
            "The worker sent an event without choices.",
        ));
    }
    let mut deltas = Deltas::new();
    for (position, choice) in (0..).zip(raw.choices.unwrap_or_default()) {
        read_choice(data, choice, position, &mut deltas);
    }
    deltas.extend(
        raw.usage
            .and_then(read_usage)
            .map(|usage| Delta::first(Kind::Usage(usage))),
    );
    let event = Event {
        dialect: Dialect::Chat,
        whole,
        data: data.clone(),
    };
    Ok(Chunk {
        event: Some(event),
        deltas,
    })
}

fn read_choice(data: &Bytes, raw: Choice<'_>, position: u32, deltas: &mut Deltas) {
    let choice = raw.index.unwrap_or(position);
    let mut say = |kind| deltas.push(Delta { choice, kind });
    let text = |text: MaybeText<'_>| text.filter(|text| !text.is_empty()).map(|text| shared(data, text));
    if let Some(said) = raw.delta {
        text(said.reasoning_content.or(said.reasoning))
            .map(Kind::Reasoning)
            .map(&mut say);
        text(said.content).map(Kind::Text).map(&mut say);
        text(said.refusal).map(Kind::Refusal).map(&mut say);
        for (position, call) in (0..).zip(said.tool_calls.unwrap_or_default()) {
            say(read_call(data, call, position));
        }
    }
    if let Some(word) = raw.finish_reason {
        say(Kind::Finish(finish_reason(&word)));
    }
}

fn read_call(data: &Bytes, call: ToolCall<'_>, position: u32) -> Kind {
    let (name, arguments) = call
        .function
        .map_or((None, None), |function| (function.name, function.arguments));
    Kind::ToolCall {
        index: call.index.unwrap_or(position),
        id: call.id.map(|id| shared(data, id)),
        name: name.map(|name| shared(data, name)),
        arguments: arguments.map_or_else(Text::default, |arguments| shared(data, arguments)),
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
