//! A chat completion in Ollama's own words.

use crate::{
    Protocol,
    chat::turn::{Piece, Turn},
    json::{Name, render as json, string},
    request::{Target, stops},
    table::{carried, refused},
};
use bytes::Bytes;
use orchestrator_core::{Failure, Prompt, Role};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

#[derive(Default, Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Speech<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Think>,
    #[serde(skip_serializing_if = "Options::is_empty")]
    options: Options<'a>,
}

/// One turn.
#[derive(Serialize)]
struct Speech<'a> {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Call<'a> {
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: Cow<'a, str>,
    arguments: Box<RawValue>,
}

/// Whether to think, and how much.
#[derive(Serialize)]
#[serde(untagged)]
enum Think {
    No(bool),
    Level(&'static str),
}

#[derive(Default, Serialize)]
struct Options<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop: Vec<Cow<'a, str>>,
    /// Options that have the same name and the same values in both dialects.
    #[serde(flatten)]
    same: BTreeMap<&'a str, &'a RawValue>,
}

/// Renders the body of a call.
pub(crate) fn render(prompt: &Prompt, target: &Target<'_>) -> Result<Bytes, Failure> {
    let mut body = Body {
        model: target.model(prompt),
        stream: target.stream,
        ..Body::default()
    };
    body.options.num_predict = target.max_tokens(prompt);
    body.options.temperature = target.temperature(prompt);
    let mut called = HashMap::new();
    for (index, message) in prompt.request.messages.iter().enumerate() {
        let speech = Speech::of(Turn::read(index, message)?, &mut called)?;
        body.messages.push(speech);
    }
    let mut without_tools = false;
    for (field, value) in carried(Protocol::Ollama, &prompt.request.original)? {
        match field {
            "tool_choice" if value == "\"none\"" => without_tools = true,
            // There is no way to force a tool.
            "tool_choice" => return Err(refused(field)),
            field => body.take(field, value)?,
        }
    }
    if without_tools {
        body.tools = None;
    }
    Ok(json(&body).into())
}

// === impl Body ===

impl<'a> Body<'a> {
    fn take(&mut self, field: &'a str, value: &'a str) -> Result<(), Failure> {
        match field {
            "top_p" | "top_k" | "min_p" | "seed" | "frequency_penalty" | "presence_penalty" => {
                let value = serde_json::from_str(value).map_err(|_| refused(field))?;
                self.options.same.insert(field, value);
            }
            "stop" => self.options.stop = stops(value)?,
            "tools" => self.tools = Some(serde_json::from_str(value).map_err(|_| refused(field))?),
            "response_format" => self.format = Some(format(value)?),
            "reasoning_effort" => self.think = Some(think(value)?),
            // All others stand in the view, from which they were taken.
            _ => {}
        }
        Ok(())
    }
}

/// Ollama takes the word `json`, or the schema itself.
fn format(value: &str) -> Result<Cow<'_, RawValue>, Failure> {
    #[derive(Deserialize)]
    struct Given<'a> {
        #[serde(borrow, rename = "type")]
        kind: Name<'a>,
        #[serde(borrow)]
        json_schema: Option<Schema<'a>>,
    }
    #[derive(Deserialize)]
    struct Schema<'a> {
        #[serde(borrow)]
        schema: &'a RawValue,
    }
    let given: Given<'_> = serde_json::from_str(value).map_err(|_| refused("response_format"))?;
    match (&*given.kind.0, given.json_schema) {
        ("json_schema", Some(schema)) => Ok(Cow::Borrowed(schema.schema)),
        ("json_object", _) => serde_json::value::to_raw_value("json")
            .map(Cow::Owned)
            .map_err(|_| refused("response_format")),
        _ => Err(refused("response_format")),
    }
}

fn think(value: &str) -> Result<Think, Failure> {
    match string(value).as_deref() {
        Some("none") => Ok(Think::No(false)),
        Some("minimal" | "low") => Ok(Think::Level("low")),
        Some("medium") => Ok(Think::Level("medium")),
        Some("high" | "xhigh" | "max") => Ok(Think::Level("high")),
        _ => Err(refused("reasoning_effort")),
    }
}

// === impl Speech ===

impl<'a> Speech<'a> {
    /// Says a turn. `called` holds the names of the tools that were called, by the id of the call: Ollama names the tool
    /// that a result belongs to.
    fn of(turn: Turn<'a>, called: &mut HashMap<Cow<'a, str>, Cow<'a, str>>) -> Result<Self, Failure> {
        let role = match turn.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        };
        let tool_name = turn.answers.as_ref().and_then(|id| called.get(id)).cloned();
        let content = turn.text();
        let mut images = Vec::new();
        for piece in turn.pieces {
            match piece {
                Piece::Text(_) => {}
                Piece::Image { base64, .. } => images.push(base64),
                Piece::Link { at, .. } => {
                    let text = format!("`{at}` must be a data: URL in base64: this worker fetches nothing.");
                    return Err(Failure::invalid(at, text));
                }
            }
        }
        let mut tool_calls = Vec::with_capacity(turn.calls.len());
        for call in turn.calls {
            called.insert(call.id, call.name.clone());
            let function = Function {
                name: call.name,
                arguments: call.input,
            };
            tool_calls.push(Call { function });
        }
        Ok(Speech {
            role,
            content,
            images,
            tool_calls,
            tool_name,
        })
    }
}

// === impl Options ===

impl Options<'_> {
    fn is_empty(&self) -> bool {
        self.num_predict.is_none() && self.temperature.is_none() && self.stop.is_empty() && self.same.is_empty()
    }
}

#[cfg(test)]
mod tests;
