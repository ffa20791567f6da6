//! What a worker is asked: the client's body as it came, with the fields patched that must differ.

use crate::Protocol;
use bytes::Bytes;
use orchestrator_core::{Failure, Original, Prompt};
use serde_json::{Map, Value};

/// How a worker wants to be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Target<'a> {
    /// The model's name at the worker; `None` passes the client's on.
    pub model: Option<&'a str>,
    /// The most tokens, for a request that does not say.
    pub max_tokens: Option<u64>,
    /// The temperature, for a request that does not say.
    pub temperature: Option<f64>,
    /// Whether to ask for a stream.
    pub stream: bool,
}

/// Renders the body of a call. A body that need not differ from the client's is the client's, byte for byte.
pub fn render(protocol: Protocol, prompt: &Prompt, target: &Target<'_>) -> Result<Bytes, Failure> {
    match protocol {
        Protocol::Chat => Ok(chat(prompt, target)),
    }
}

fn chat(prompt: &Prompt, target: &Target<'_>) -> Bytes {
    let request = &prompt.request;
    let original = &request.original;
    let mut patches: Vec<(&str, Option<Vec<u8>>)> = Vec::new();
    let model = target.model.unwrap_or(&request.model);
    if *model != *request.model || original.field("model").is_none() {
        patches.push(("model", Some(Value::from(model).to_string().into_bytes())));
    }
    if prompt.rewritten {
        patches.push(("messages", Some(messages(prompt))));
    }
    if let (None, Some(max_tokens)) = (request.params.max_tokens, target.max_tokens) {
        patches.push(("max_tokens", Some(max_tokens.to_string().into_bytes())));
    }
    if let (None, Some(temperature)) = (request.params.temperature, target.temperature) {
        patches.push(("temperature", Some(Value::from(temperature).to_string().into_bytes())));
    }
    if target.stream != request.stream {
        patches.push(("stream", Some(target.stream.to_string().into_bytes())));
    }
    if let Some(options) = stream_options(original, target.stream) {
        patches.push(("stream_options", options));
    }
    let patches: Vec<_> = patches.iter().map(|(name, value)| (*name, value.as_deref())).collect();
    original.patched(&patches)
}

/// The assembled messages as an array, each as it came or was rendered.
fn messages(prompt: &Prompt) -> Vec<u8> {
    let mut array = vec![b'['];
    for message in &prompt.request.messages {
        if array.len() > 1 {
            array.push(b',');
        }
        array.extend_from_slice(&message.raw);
    }
    array.push(b']');
    array
}

/// How `stream_options` must differ: a stream is always asked for its usage, with the client's other options kept; a body
/// without a stream must not have them.
fn stream_options(original: &Original, stream: bool) -> Option<Option<Vec<u8>>> {
    let given = original.field("stream_options");
    if !stream {
        return given.map(|_| None);
    }
    let mut options: Map<String, Value> = given
        .and_then(|given| serde_json::from_str(given).ok())
        .unwrap_or_default();
    if options.get("include_usage") == Some(&Value::Bool(true)) {
        return None;
    }
    options.insert("include_usage".to_owned(), Value::Bool(true));
    Some(Some(Value::Object(options).to_string().into_bytes()))
}

#[cfg(test)]
mod tests;
