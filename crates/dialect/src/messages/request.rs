//! A chat completion in the words of Anthropic Messages.

use crate::{
    Protocol,
    chat::turn::{Call, Piece, Turn},
    json::{render as json, string},
    request::{Target, stops},
    table::{carried, refused},
};
use bytes::Bytes;
use orchestrator_core::{Failure, Prompt, Role};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What Messages asks for and Chat does not: a limit on the answer, for a request and a configuration that have none.
const MAX_TOKENS: u64 = 4096;

#[derive(Default, Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
    messages: Vec<Speech<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Output::is_default")]
    output_config: Output<'a>,
}

/// All that one side says before the other does.
#[derive(Serialize)]
struct Speech<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: Cow<'a, str>,
    },
    Image {
        source: Source,
    },
    ToolUse {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        input: Box<RawValue>,
    },
    ToolResult {
        tool_use_id: Cow<'a, str>,
        content: Vec<Block<'a>>,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source {
    Base64 { media_type: String, data: String },
    Url { url: String },
}

#[derive(Serialize)]
struct Tool<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a RawValue>,
    input_schema: Schema<'a>,
}

/// A tool without parameters takes an empty object.
#[derive(Serialize)]
#[serde(untagged)]
enum Schema<'a> {
    Given(&'a RawValue),
    Empty {
        #[serde(rename = "type")]
        kind: &'static str,
    },
}

#[derive(Default, Serialize)]
struct Choice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

#[derive(Default, Serialize)]
struct Output<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
}

#[derive(Serialize)]
struct Format<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: &'a RawValue,
}

/// Renders the body of a call.
pub(crate) fn render(prompt: &Prompt, target: &Target<'_>) -> Result<Bytes, Failure> {
    let mut body = Body {
        model: target.model(prompt),
        max_tokens: target.max_tokens(prompt).unwrap_or(MAX_TOKENS),
        stream: target.stream,
        temperature: target.temperature(prompt).map(|temperature| temperature.min(1.0)),
        ..Body::default()
    };
    for (index, message) in prompt.request.messages.iter().enumerate() {
        body.say(Turn::read(index, message)?)?;
    }
    if body.messages.is_empty() {
        let text = "`messages` must hold a turn that is no system message.";
        return Err(Failure::invalid("messages", text));
    }
    let mut one_at_a_time = false;
    for (field, value) in carried(Protocol::Messages, &prompt.request.original)? {
        match field {
            "parallel_tool_calls" => one_at_a_time = value == "false",
            field => body.take(field, value)?,
        }
    }
    if one_at_a_time && !body.tools.is_empty() {
        let choice = body.tool_choice.get_or_insert(Choice::of("auto"));
        // "none" asks for no tools at all, and has no such field.
        choice.disable_parallel_tool_use = choice.kind != "none";
    }
    Ok(json(&body).into())
}

// === impl Body ===

impl<'a> Body<'a> {
    /// Adds a turn: system turns go to their own field, and adjacent ones of a side become one.
    fn say(&mut self, turn: Turn<'a>) -> Result<(), Failure> {
        let role = match turn.role {
            Role::System => {
                if !self.system.is_empty() {
                    self.system.push_str("\n\n");
                }
                self.system.push_str(&turn.text());
                return Ok(());
            }
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
        };
        let blocks = blocks(turn)?;
        match self.messages.last_mut() {
            _ if blocks.is_empty() => {}
            Some(last) if last.role == role => last.content.extend(blocks),
            _ => self.messages.push(Speech { role, content: blocks }),
        }
        Ok(())
    }

    fn take(&mut self, field: &str, value: &'a str) -> Result<(), Failure> {
        match field {
            "top_p" => self.top_p = Some(raw(field, value)?),
            "top_k" => self.top_k = Some(raw(field, value)?),
            "stop" => self.stop_sequences = stops(value)?,
            "tools" => self.tools = tools(value)?,
            "tool_choice" => self.tool_choice = Some(tool_choice(value)?),
            "reasoning_effort" => self.output_config.effort = effort(value)?,
            "response_format" => self.output_config.format = Some(format(value)?),
            // All others stand in the view, from which they were taken.
            _ => {}
        }
        Ok(())
    }
}

fn blocks(turn: Turn<'_>) -> Result<Vec<Block<'_>>, Failure> {
    let pieces = turn.pieces.into_iter().map(Block::from);
    if turn.role != Role::Tool {
        return Ok(pieces.chain(turn.calls.into_iter().map(Block::from)).collect());
    }
    let at = format!("{}.tool_call_id", turn.at);
    let missing = || {
        Failure::invalid(
            &at,
            format!("`{at}` is missing: it must name the call that is answered."),
        )
    };
    Ok(vec![Block::ToolResult {
        tool_use_id: turn.answers.ok_or_else(missing)?,
        content: pieces.collect(),
    }])
}

fn raw<'a>(field: &str, value: &'a str) -> Result<&'a RawValue, Failure> {
    serde_json::from_str(value).map_err(|_| refused(field))
}

fn tools(value: &str) -> Result<Vec<Tool<'_>>, Failure> {
    #[derive(Deserialize)]
    struct Given<'a> {
        #[serde(borrow)]
        function: Function<'a>,
    }
    #[derive(Deserialize)]
    struct Function<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
        #[serde(borrow)]
        description: Option<&'a RawValue>,
        #[serde(borrow)]
        parameters: Option<&'a RawValue>,
    }
    // A tool of another kind than a function has no field `function`.
    let given: Vec<Given<'_>> = serde_json::from_str(value).map_err(|_| refused("tools"))?;
    let tool = |Given { function }| Tool {
        name: function.name,
        description: function.description,
        input_schema: function
            .parameters
            .map_or(Schema::Empty { kind: "object" }, Schema::Given),
    };
    Ok(given.into_iter().map(tool).collect())
}

fn tool_choice(value: &str) -> Result<Choice<'_>, Failure> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        function: Function<'a>,
    }
    #[derive(Deserialize)]
    struct Function<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
    }
    match string(value).as_deref() {
        Some("auto") => Ok(Choice::of("auto")),
        Some("required") => Ok(Choice::of("any")),
        Some("none") => Ok(Choice::of("none")),
        _ => {
            let named: Named<'_> = serde_json::from_str(value).map_err(|_| refused("tool_choice"))?;
            Ok(Choice {
                name: Some(named.function.name),
                ..Choice::of("tool")
            })
        }
    }
}

/// OpenAI's steps in Anthropic's; `none` is what Anthropic does unasked.
fn effort(value: &str) -> Result<Option<&'static str>, Failure> {
    match string(value).as_deref() {
        Some("none") => Ok(None),
        Some("minimal" | "low") => Ok(Some("low")),
        Some("medium") => Ok(Some("medium")),
        Some("high") => Ok(Some("high")),
        Some("xhigh" | "max") => Ok(Some("max")),
        _ => Err(refused("reasoning_effort")),
    }
}

fn format(value: &str) -> Result<Format<'_>, Failure> {
    #[derive(Deserialize)]
    struct Given<'a> {
        #[serde(borrow)]
        json_schema: Schema<'a>,
    }
    #[derive(Deserialize)]
    struct Schema<'a> {
        #[serde(borrow)]
        schema: &'a RawValue,
    }
    let given: Given<'_> = serde_json::from_str(value).map_err(|_| refused("response_format"))?;
    Ok(Format {
        kind: "json_schema",
        schema: given.json_schema.schema,
    })
}

// === impl Block ===

impl<'a> From<Piece<'a>> for Block<'a> {
    fn from(piece: Piece<'a>) -> Self {
        match piece {
            Piece::Text(text) => Block::Text { text },
            Piece::Image { media_type, base64 } => Block::Image {
                source: Source::Base64 {
                    media_type,
                    data: base64,
                },
            },
            Piece::Link { url, .. } => Block::Image {
                source: Source::Url { url },
            },
        }
    }
}

impl<'a> From<Call<'a>> for Block<'a> {
    fn from(call: Call<'a>) -> Self {
        Block::ToolUse {
            id: call.id,
            name: call.name,
            input: call.input,
        }
    }
}

// === impl Choice ===

impl Choice<'_> {
    fn of(kind: &'static str) -> Self {
        Choice {
            kind,
            name: None,
            disable_parallel_tool_use: false,
        }
    }
}

// === impl Output ===

impl Output<'_> {
    fn is_default(&self) -> bool {
        self.effort.is_none() && self.format.is_none()
    }
}

#[cfg(test)]
mod tests;
