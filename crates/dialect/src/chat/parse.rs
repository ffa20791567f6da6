//! A client's chat completion: checked, with the view that stages read, and with its body as it came.

use crate::json::{Fields, Name, describe, shared};
use bytes::Bytes;
use orchestrator_core::{Dialect, Failure, Message, Original, Params, Role, Text};
use serde::Deserialize;
use serde_json::value::RawValue;
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

/// Choices that a request may ask for, as OpenAI has it.
const MAX_CHOICES: u64 = 128;

/// A chat completion as stages read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The body as it came.
    pub original: Original,
    /// The model that the client names; empty when it names none.
    pub model: Text,
    /// The conversation; never empty.
    pub messages: Vec<Message>,
    /// The parameters that stages read.
    pub params: Params,
    /// Whether the client asks for a stream.
    pub stream: bool,
    /// Whether a stream shall end with what it used.
    pub include_usage: bool,
}

/// Reads a chat completion. Fields that we do not know stay in the original; those that we read are checked, and a failure
/// names the place, what was found and what is allowed.
pub fn parse_request(body: Bytes) -> Result<Parsed, Failure> {
    let fields = Fields::read(&body)?;
    let mut model = Text::default();
    let mut messages = None;
    let mut params = Params::default();
    let (mut stream, mut include_usage) = (false, false);
    for (name, value) in fields.0.iter().filter(|(_, value)| value.get() != "null") {
        match &**name {
            "model" => model = text(&body, "model", value)?,
            "messages" => messages = Some(read_messages(&body, value)?),
            "max_tokens" | "max_completion_tokens" => params.max_tokens = Some(at_least_one(name, value, u64::MAX)?),
            "n" => drop(at_least_one(name, value, MAX_CHOICES)?),
            "temperature" => params.temperature = Some(temperature(value)?),
            "stream" => stream = boolean("stream", value)?,
            "stream_options" => include_usage = read_include_usage(value)?,
            _ => {}
        }
    }
    let missing = || {
        Failure::invalid(
            "messages",
            "The field `messages` is missing: it must hold at least one message.",
        )
    };
    let messages = messages.ok_or_else(missing)?;
    let places = fields.places(&body);
    let original = Original {
        dialect: Dialect::Chat,
        fields: places,
        body,
    };
    Ok(Parsed {
        original,
        model,
        messages,
        params,
        stream,
        include_usage,
    })
}

fn read_messages(body: &Bytes, value: &RawValue) -> Result<Vec<Message>, Failure> {
    let raw: Vec<&RawValue> =
        serde_json::from_str(value.get()).map_err(|_| wrong("messages", "an array of messages", value))?;
    if raw.is_empty() {
        return Err(Failure::invalid(
            "messages",
            "`messages` is empty: it must hold at least one message.",
        ));
    }
    raw.into_iter()
        .enumerate()
        .map(|(index, message)| read_message(body, index, message))
        .collect()
}

#[derive(Deserialize)]
struct RawMessage<'a> {
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
}

fn read_message(body: &Bytes, index: usize, value: &RawValue) -> Result<Message, Failure> {
    let at = format!("messages[{index}]");
    let message: RawMessage<'_> = match value.get().starts_with('{') {
        true => serde_json::from_str(value.get())
            .map_err(|error| Failure::invalid(&at, format!("`{at}` is not valid: {error}.")))?,
        false => return Err(wrong(&at, "an object with `role` and `content`", value)),
    };
    let role_at = format!("{at}.role");
    let missing = || {
        Failure::invalid(
            &role_at,
            format!("`{role_at}` is missing: use system, developer, user, assistant or tool."),
        )
    };
    let role = read_role(&role_at, message.role.ok_or_else(missing)?)?;
    let calls = message.tool_calls.is_some() || message.function_call.is_some();
    let texts = match message.content.filter(|content| content.get() != "null") {
        Some(content) => read_content(body, &format!("{at}.content"), content)?,
        None if role == Role::Assistant && calls => SmallVec::new(),
        None => {
            let at = format!("{at}.content");
            return Err(Failure::invalid(
                &at,
                format!("`{at}` is missing: it must be a text or an array of parts."),
            ));
        }
    };
    let raw = shared(body, Cow::Borrowed(value.get())).into_bytes();
    Ok(Message { role, texts, raw })
}

fn read_role(at: &str, value: &RawValue) -> Result<Role, Failure> {
    let role: Option<Name<'_>> = serde_json::from_str(value.get()).ok();
    match role.as_ref().map(|Name(role)| &**role) {
        Some("system" | "developer") => Ok(Role::System),
        Some("user") => Ok(Role::User),
        Some("assistant") => Ok(Role::Assistant),
        Some("tool" | "function") => Ok(Role::Tool),
        _ => Err(wrong(at, "system, developer, user, assistant or tool", value)),
    }
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

fn read_content(body: &Bytes, at: &str, value: &RawValue) -> Result<SmallVec<[Text; 1]>, Failure> {
    if value.get().starts_with('"') {
        return Ok(smallvec![text(body, at, value)?]);
    }
    let parts: Vec<&RawValue> =
        serde_json::from_str(value.get()).map_err(|_| wrong(at, "a text or an array of parts", value))?;
    let mut texts = SmallVec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let at = format!("{at}[{index}]");
        let read: Part<'_> = serde_json::from_str(part.get())
            .map_err(|_| wrong(&at, "an object with a `type`, and a `text` where that is `text`", part))?;
        match read.text {
            Some(text) if read.kind == "text" => texts.push(shared(body, text)),
            None if read.kind == "text" => return Err(wrong(&at, "a part with a `text`", part)),
            _ => {}
        }
    }
    Ok(texts)
}

fn read_include_usage(value: &RawValue) -> Result<bool, Failure> {
    #[derive(Deserialize)]
    struct StreamOptions<'a> {
        #[serde(borrow)]
        include_usage: Option<&'a RawValue>,
    }
    let at = "stream_options";
    let options: StreamOptions<'_> = match value.get().starts_with('{') {
        true => serde_json::from_str(value.get())
            .map_err(|error| Failure::invalid(at, format!("`{at}` is not valid: {error}.")))?,
        false => return Err(wrong(at, "an object", value)),
    };
    let asked = options.include_usage.filter(|asked| asked.get() != "null");
    asked.map_or(Ok(false), |asked| boolean("stream_options.include_usage", asked))
}

fn text(body: &Bytes, at: &str, value: &RawValue) -> Result<Text, Failure> {
    let read: Result<Name<'_>, _> = serde_json::from_str(value.get());
    // A broken escape, such as half of a surrogate pair, is no text either.
    read.map(|Name(text)| shared(body, text))
        .map_err(|_| wrong(at, "a text", value))
}

fn boolean(at: &str, value: &RawValue) -> Result<bool, Failure> {
    serde_json::from_str(value.get()).map_err(|_| wrong(at, "true or false", value))
}

fn at_least_one(at: &str, value: &RawValue, most: u64) -> Result<u64, Failure> {
    let number: Option<u64> = serde_json::from_str(value.get()).ok();
    let allowed = || match most {
        u64::MAX => "a whole number from 1".to_owned(),
        most => format!("a whole number from 1 to {most}"),
    };
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| wrong(at, &allowed(), value))
}

fn temperature(value: &RawValue) -> Result<f64, Failure> {
    let number: Option<f64> = serde_json::from_str(value.get()).ok();
    number
        .filter(|number| (0.0..=2.0).contains(number))
        .ok_or_else(|| wrong("temperature", "a number from 0 to 2", value))
}

fn wrong(at: &str, allowed: &str, found: &RawValue) -> Failure {
    Failure::invalid(at, format!("`{at}` must be {allowed}, found {}.", describe(found)))
}

#[cfg(test)]
mod tests;
