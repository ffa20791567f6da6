//! The table between the dialects: what becomes of each field of a chat completion at a worker that speaks another one.
//!
//! Nothing is lost in silence: a field that a worker cannot be told is refused with its name, unless its value is what the
//! worker does anyway. Dropped are only fields that do not change what the model is asked: names for accounting, storing
//! and caching, and hints of speed. A field that is not in the table is refused, since nobody knows what it would change.

use crate::{Protocol, json::brief};
use orchestrator_core::{Failure, Original};

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Said in the worker's own words.
    Carried,
    /// Refused with 400, unless the value is a neutral one.
    Refused,
    /// Left out, since it does not change what the model is asked.
    Dropped,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The field of a chat completion.
    pub field: &'static str,
    /// What becomes of it at an Anthropic worker.
    pub messages: Fate,
    /// What becomes of it at an Ollama worker.
    pub ollama: Fate,
    /// Values that mean what not saying the field means, as JSON without white space; `null` always is one.
    pub neutral: &'static [&'static str],
    /// How it is carried.
    pub how: &'static str,
}

use Fate::{Carried, Dropped, Refused};

/// All fields that we know.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row("model", Carried, Carried, &[], "the worker's own name goes before it"),
    row("messages", Carried, Carried, &[], "Messages: system turns in `system`, adjacent turns of a side are one; Ollama: images in base64 only"),
    row("stream", Carried, Carried, &[], "as the worker is called"),
    row("max_tokens", Carried, Carried, &[], "Messages: 4096 if nobody says; Ollama: `options.num_predict`"),
    row("max_completion_tokens", Carried, Carried, &[], "as `max_tokens`, before which it goes"),
    row("temperature", Carried, Carried, &[], "Messages: capped at 1, as Anthropic's own OpenAI face does; Ollama: in `options`"),
    row("top_p", Carried, Carried, &[], "Ollama: in `options`"),
    row("top_k", Carried, Carried, &[], "Ollama: in `options`"),
    row("min_p", Refused, Carried, &["0", "0.0"], "Ollama: in `options`"),
    row("stop", Carried, Carried, &["[]"], "Messages: `stop_sequences`; Ollama: `options.stop`"),
    row("seed", Dropped, Carried, &[], "promised as best effort only; Ollama: in `options`"),
    row("frequency_penalty", Refused, Carried, &["0", "0.0"], "Ollama: in `options`"),
    row("presence_penalty", Refused, Carried, &["0", "0.0"], "Ollama: in `options`"),
    row("tools", Carried, Carried, &["[]"], "functions only"),
    row("tool_choice", Carried, Carried, &["\"auto\""], "Ollama: `none` takes the tools away, any other is refused"),
    row("parallel_tool_calls", Carried, Refused, &["true"], "Messages: `tool_choice.disable_parallel_tool_use`"),
    row("response_format", Carried, Carried, &["{\"type\":\"text\"}"], "Messages: schemas only, in `output_config`; Ollama: `format`"),
    row("reasoning_effort", Carried, Carried, &[], "Messages: `output_config.effort`; Ollama: `think`"),
    row("n", Refused, Refused, &["1"], ""),
    row("logprobs", Refused, Refused, &["false"], ""),
    row("top_logprobs", Refused, Refused, &["0"], ""),
    row("logit_bias", Refused, Refused, &["{}"], ""),
    row("functions", Refused, Refused, &["[]"], "say `tools`"),
    row("function_call", Refused, Refused, &["\"auto\"", "\"none\""], "say `tool_choice`"),
    row("modalities", Refused, Refused, &["[\"text\"]"], ""),
    row("audio", Refused, Refused, &[], ""),
    row("web_search_options", Refused, Refused, &[], ""),
    row("verbosity", Refused, Refused, &["\"medium\""], ""),
    row("stream_options", Dropped, Dropped, &[], "obeyed by us"),
    row("user", Dropped, Dropped, &[], ""),
    row("safety_identifier", Dropped, Dropped, &[], ""),
    row("metadata", Dropped, Dropped, &[], ""),
    row("store", Dropped, Dropped, &[], ""),
    row("service_tier", Dropped, Dropped, &[], ""),
    row("prediction", Dropped, Dropped, &[], ""),
    row("prompt_cache_key", Dropped, Dropped, &[], ""),
    row("prompt_cache_retention", Dropped, Dropped, &[], ""),
];

const fn row(
    field: &'static str,
    messages: Fate,
    ollama: Fate,
    neutral: &'static [&'static str],
    how: &'static str,
) -> Row {
    Row {
        field,
        messages,
        ollama,
        neutral,
        how,
    }
}

/// What becomes of a field at a worker that speaks `protocol`.
pub fn fate(protocol: Protocol, field: &str) -> Fate {
    let row = find(field);
    match protocol {
        Protocol::Chat => Fate::Carried,
        Protocol::Messages => row.map_or(Fate::Refused, |row| row.messages),
        Protocol::Ollama => row.map_or(Fate::Refused, |row| row.ollama),
    }
}

/// The fields that are to be carried, with their JSON text; the failure names the first that is refused.
pub(crate) fn carried(protocol: Protocol, original: &Original) -> Result<Vec<(&str, &str)>, Failure> {
    let mut carried = Vec::with_capacity(original.fields.len());
    for field in &original.fields {
        let value = original.field(&field.name).unwrap_or("null");
        match fate(protocol, &field.name) {
            _ if is_neutral(&field.name, value) => {}
            Fate::Carried => carried.push((&*field.name, value)),
            Fate::Dropped => {}
            Fate::Refused => return Err(refused(&field.name)),
        }
    }
    Ok(carried)
}

/// A failure for a field, or a value of it, that the worker cannot be told.
pub(crate) fn refused(field: &str) -> Failure {
    let field = brief(field);
    let how = find(&field).map(|row| row.how).filter(|how| !how.is_empty());
    let how = how.map(|how| format!(" ({how})")).unwrap_or_default();
    let text = format!("The worker that serves this model cannot be told `{field}` as the request has it{how}.");
    Failure::invalid(field, text)
}

fn find(field: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.field == field)
}

fn is_neutral(field: &str, value: &str) -> bool {
    let is_plain = |neutral: &str| {
        value
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .eq(neutral.bytes())
    };
    value == "null" || find(field).is_some_and(|row| row.neutral.iter().any(|neutral| is_plain(neutral)))
}

#[cfg(test)]
mod tests;
