//! What a scripted model says, in the words of each provider. Written by hand and from the providers' documents alone,
//! so that our own reading and writing of these formats is tested against something else.

use super::Script;
use serde_json::{Value, json};

const CREATED: u64 = 1_767_225_600;
const ID: &str = "chatcmpl-scripted";
/// What a scripted prompt is said to have cost.
const PROMPT_TOKENS: usize = 7;

/// The format that a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Format {
    Chat,
    Messages,
    Ollama,
}

/// What a call is to be answered with.
pub(super) struct Saying<'a> {
    pub(super) format: Format,
    pub(super) script: &'a Script,
    pub(super) model: &'a str,
    pub(super) include_usage: bool,
    pub(super) pieces: Vec<String>,
}

/// A stream as the client shall read it.
pub(super) struct Streamed {
    /// What comes with the head, before any token.
    pub(super) opening: String,
    /// One event a token.
    pub(super) tokens: Vec<String>,
    /// What follows the last token.
    pub(super) closing: String,
}

// === impl Format ===

impl Format {
    /// The format of the endpoint at this path.
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or(path);
        match path {
            _ if path.ends_with("/chat/completions") => Some(Format::Chat),
            _ if path.ends_with("/messages") => Some(Format::Messages),
            _ if path.ends_with("/api/chat") => Some(Format::Ollama),
            _ => None,
        }
    }

    pub(super) fn content_type(self, streams: bool) -> &'static str {
        match (self, streams) {
            (_, false) => "application/json",
            (Format::Ollama, true) => "application/x-ndjson",
            (_, true) => "text/event-stream",
        }
    }

    /// The body of an answer with a status other than 200.
    pub(super) fn error(self, status: u16, message: &str) -> String {
        let error = match self {
            Format::Chat => {
                json!({"error": {"message": message, "type": "scripted_error", "param": null, "code": status}})
            }
            Format::Messages => json!({"type": "error", "error": {"type": "api_error", "message": message}}),
            Format::Ollama => json!({"error": message}),
        };
        error.to_string()
    }
}

// === impl Saying ===

impl Saying<'_> {
    /// The whole answer as one JSON body.
    pub(super) fn whole(&self) -> String {
        let (text, tokens) = (self.pieces.concat(), self.pieces.len());
        let answer = match self.format {
            Format::Chat => json!({
                "id": ID, "object": "chat.completion", "created": CREATED, "model": self.model,
                "choices": [{
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": null},
                    "logprobs": null,
                    "finish_reason": self.script.finish,
                }],
                "usage": chat_usage(tokens),
            }),
            Format::Messages => json!({
                "id": ID, "type": "message", "role": "assistant", "model": self.model,
                "content": [{"type": "text", "text": text}],
                "stop_reason": self.stop_reason(), "stop_sequence": null,
                "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": tokens},
            }),
            Format::Ollama => self.ollama(&text, true),
        };
        answer.to_string()
    }

    /// The answer as a stream.
    pub(super) fn stream(&self) -> Streamed {
        match self.format {
            Format::Chat => self.chat_stream(),
            Format::Messages => self.messages_stream(),
            Format::Ollama => self.ollama_stream(),
        }
    }

    fn chat_stream(&self) -> Streamed {
        let finish = self
            .script
            .finish
            .as_ref()
            .map(|reason| self.chunk(&json!({}), Some(reason)));
        let ending = match &self.script.error {
            Some(message) => Some(data(
                &json!({"error": {"message": message, "type": "server_error", "code": null}}),
            )),
            None => finish,
        };
        let usage = json!({
            "id": ID, "object": "chat.completion.chunk", "created": CREATED, "model": self.model,
            "choices": [], "usage": chat_usage(self.pieces.len()),
        });
        let usage = self.include_usage.then(|| data(&usage));
        let done = self.is_done().then(|| "data: [DONE]\n\n".to_owned());
        Streamed {
            opening: self.chunk(&json!({"role": "assistant", "content": ""}), None),
            tokens: self
                .pieces
                .iter()
                .map(|text| self.chunk(&json!({"content": text}), None))
                .collect(),
            closing: [ending, usage.filter(|_| self.is_done()), done]
                .into_iter()
                .flatten()
                .collect(),
        }
    }

    fn chunk(&self, delta: &Value, finish: Option<&str>) -> String {
        data(&json!({
            "id": ID, "object": "chat.completion.chunk", "created": CREATED, "model": self.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }))
    }

    fn messages_stream(&self) -> Streamed {
        let start = json!({"type": "message_start", "message": {
            "id": ID, "type": "message", "role": "assistant", "model": self.model, "content": [],
            "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": 1},
        }});
        let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
        let token = |text: &String| {
            named(&json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}))
        };
        let finish = json!({
            "type": "message_delta", "delta": {"stop_reason": self.stop_reason(), "stop_sequence": null},
            "usage": {"output_tokens": self.pieces.len()},
        });
        let mut ending = vec![named(&json!({"type": "content_block_stop", "index": 0}))];
        match (&self.script.error, &self.script.finish) {
            (Some(message), _) => {
                ending = vec![named(
                    &json!({"type": "error", "error": {"type": "api_error", "message": message}}),
                )];
            }
            (None, Some(_)) => ending.push(named(&finish)),
            (None, None) => {}
        }
        if self.is_done() {
            ending.push(named(&json!({"type": "message_stop"})));
        }
        Streamed {
            opening: named(&start) + &named(&block) + &named(&json!({"type": "ping"})),
            tokens: self.pieces.iter().map(token).collect(),
            closing: ending.concat(),
        }
    }

    fn ollama_stream(&self) -> Streamed {
        let ending = match &self.script.error {
            Some(message) => json!({"error": message}).to_string() + "\n",
            None if self.is_done() => self.ollama("", true).to_string() + "\n",
            None => String::new(),
        };
        let token = |text: &String| self.ollama(text, false).to_string() + "\n";
        Streamed {
            opening: String::new(),
            tokens: self.pieces.iter().map(token).collect(),
            closing: ending,
        }
    }

    fn ollama(&self, text: &str, done: bool) -> Value {
        let mut line = json!({
            "model": self.model, "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": text}, "done": done,
        });
        if let (true, Value::Object(fields)) = (done, &mut line) {
            if let Some(reason) = &self.script.finish {
                fields.insert("done_reason".into(), json!(reason));
            }
            let counts = [
                ("total_duration", 5_000_000),
                ("load_duration", 1_000_000),
                ("prompt_eval_count", PROMPT_TOKENS),
                ("prompt_eval_duration", 1_000_000),
                ("eval_count", self.pieces.len()),
                ("eval_duration", 3_000_000),
            ];
            fields.extend(counts.map(|(name, count)| (name.to_owned(), json!(count))));
        }
        line
    }

    fn is_done(&self) -> bool {
        self.script.done && self.script.error.is_none()
    }

    fn stop_reason(&self) -> Option<&str> {
        self.script.finish.as_deref().map(|reason| match reason {
            "stop" => "end_turn",
            "length" => "max_tokens",
            "tool_calls" => "tool_use",
            "content_filter" => "refusal",
            other => other,
        })
    }
}

fn chat_usage(tokens: usize) -> Value {
    json!({
        "prompt_tokens": PROMPT_TOKENS, "completion_tokens": tokens, "total_tokens": PROMPT_TOKENS + tokens,
        "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0},
    })
}

/// An event of a stream without names.
fn data(json: &Value) -> String {
    format!("data: {json}\n\n")
}

/// An event of a stream whose events are named after their type.
fn named(json: &Value) -> String {
    format!("event: {}\ndata: {json}\n\n", json["type"].as_str().unwrap_or_default())
}
