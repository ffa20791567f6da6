//! What a worker is asked: the client's body as it came, with the fields patched that must differ, or the same in the words
//! of another dialect.

use crate::{
    Protocol,
    json::{Fields, render as json, string},
    messages, ollama,
    table::refused,
};
use bytes::Bytes;
use orchestrator_core::{Code, Dialect, Failure, Message, Original, Prompt};
use std::borrow::Cow;

/// The names of the limit on tokens; where a client says both, the first counts.
const LIMITS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

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

/// Renders the body of a call. A body that need not differ from the client's is the client's, byte for byte; one in another
/// dialect follows [`table`](crate::table). Fails where the request says what the worker cannot be told, or with `Internal`
/// where the original is in a dialect that nobody translates.
pub fn render(protocol: Protocol, prompt: &Prompt, target: &Target<'_>) -> Result<Bytes, Failure> {
    if prompt.request.original.dialect != Dialect::Chat {
        return Err(Failure::new(
            Code::Internal,
            "The request cannot be translated for this worker.",
        ));
    }
    match protocol {
        Protocol::Chat => Ok(chat(prompt, target)),
        Protocol::Messages => messages::render(prompt, target),
        Protocol::Ollama => ollama::render(prompt, target),
    }
}

// === impl Target ===

impl Target<'_> {
    /// The model that the worker is asked for.
    pub(crate) fn model<'p>(&'p self, prompt: &'p Prompt) -> &'p str {
        self.model.unwrap_or(&prompt.request.model)
    }

    pub(crate) fn max_tokens(&self, prompt: &Prompt) -> Option<u64> {
        prompt.max_tokens(self.max_tokens)
    }

    pub(crate) fn temperature(&self, prompt: &Prompt) -> Option<f64> {
        prompt.request.params.temperature.or(self.temperature)
    }
}

fn chat(prompt: &Prompt, target: &Target<'_>) -> Bytes {
    let request = &prompt.request;
    let original = &request.original;
    let mut patches: Vec<(&str, Option<Vec<u8>>)> = Vec::new();
    let model = target.model(prompt);
    let said = original.field("model").and_then(string);
    if !model.is_empty() && said.as_deref() != Some(model) {
        patches.push(("model", Some(json(&model))));
    }
    if prompt.rewritten {
        patches.push(("messages", Some(array(&request.messages))));
    }
    let max_tokens = target.max_tokens(prompt);
    if let Some(most) = max_tokens.filter(|_| max_tokens != request.params.max_tokens) {
        patches.push((limit_field(original, model), Some(json(&most))));
    }
    if let (None, Some(temperature)) = (request.params.temperature, target.temperature) {
        patches.push(("temperature", Some(json(&temperature))));
    }
    let streamed = original.field("stream") == Some("true");
    if target.stream != streamed {
        patches.push(("stream", Some(json(&target.stream))));
    }
    match target.stream {
        true => patches.extend(with_usage(original).map(|options| ("stream_options", Some(options)))),
        // Options of a stream are refused where there is none.
        false if streamed => patches.push(("stream_options", None)),
        false => {}
    }
    let absent = |(name, value): &(&str, Option<Vec<u8>>)| value.is_none() && original.field(name).is_none();
    patches.retain(|patch| !absent(patch));
    let patches: Vec<_> = patches.iter().map(|(name, value)| (*name, value.as_deref())).collect();
    original.patched(&patches)
}

/// One stop string or a list of them.
pub(crate) fn stops(value: &str) -> Result<Vec<Cow<'_, str>>, Failure> {
    match string(value) {
        Some(one) => Ok(vec![one]),
        None => serde_json::from_str(value).map_err(|_| refused("stop")),
    }
}

/// The name of the limit as the client says it, else as the model knows it: OpenAI's reasoning models refuse `max_tokens`, and
/// many other servers know no other name.
fn limit_field(original: &Original, model: &str) -> &'static str {
    let is_said = |name: &&&str| original.field(name).is_some_and(|value| value != "null");
    if let Some(said) = LIMITS.iter().find(is_said) {
        return said;
    }
    let name = model.rsplit('/').next().unwrap_or(model).as_bytes();
    match name {
        [b'o', b'1'..=b'9', ..] | [b'g', b'p', b't', b'-', b'5'..=b'9', ..] => "max_completion_tokens",
        _ => "max_tokens",
    }
}

/// The assembled messages, each as it came or was rendered.
fn array(messages: &[Message]) -> Vec<u8> {
    let size: usize = messages.iter().map(|message| message.raw.len().saturating_add(1)).sum();
    let mut array = Vec::with_capacity(size.saturating_add(2));
    array.push(b'[');
    for message in messages {
        if array.len() > 1 {
            array.push(b',');
        }
        array.extend_from_slice(&message.raw);
    }
    array.push(b']');
    array
}

/// `stream_options` as they must be: the client's, but with the usage, which we always want to know. `None` when they are so
/// already.
fn with_usage(original: &Original) -> Option<Vec<u8>> {
    let given = original
        .field("stream_options")
        .filter(|given| given.starts_with('{'))
        .unwrap_or("{}");
    let fields = Fields::read(given, "stream_options").ok()?;
    if fields.get("include_usage").is_some_and(|asked| asked.get() == "true") {
        return None;
    }
    let options = Original {
        dialect: original.dialect,
        fields: fields.places(given),
        body: Bytes::copy_from_slice(given.as_bytes()),
    };
    Some(options.patched(&[("include_usage", Some(b"true"))]).into())
}

#[cfg(test)]
mod tests;
