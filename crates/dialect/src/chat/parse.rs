//! A client's chat completion: checked, with the view that stages read, and with its body as it came.

use super::scan::{Element, Scan};
use crate::json::{body_text, broken, shared, string, wrong};
use bytes::Bytes;
use orchestrator_core::{Dialect, Failure, Field, Message, Original, Params, Role, Text};
use serde::Deserialize;
use serde_json::value::RawValue;
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

/// Choices that a request may ask for, as OpenAI has it.
const MAX_CHOICES: u64 = 128;
/// The most tokens that a request may ask for; more is a mistake, and many servers count in 32 bits.
const MAX_TOKENS: u64 = i32::MAX as u64;
/// The most messages of a request: beyond what any window holds, each would only cost memory and time.
const MAX_MESSAGES: usize = 100_000;
/// The longest name of a model, in bytes: it goes into logs and headers.
const MAX_MODEL: usize = 256;
/// The roles that a message may have, in words.
const ROLES: &str = "system, developer, user, assistant, tool or function";

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

/// The top-level fields that are read.
#[derive(Default)]
struct View {
    model: Text,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    temperature: Option<f64>,
    choices: Option<u32>,
    stream: bool,
    include_usage: bool,
    has_messages: bool,
}

/// Reads a chat completion in one pass. Fields that we do not know stay in the original; those that we read are checked,
/// `null` counting as absent, and a failure names the place, what was found and what is allowed.
pub fn parse_request(body: Bytes) -> Result<Parsed, Failure> {
    let whole = body_text(body)?;
    let scan = Scan::read(&whole)?;
    let mut view = View::default();
    for (name, range) in &scan.fields {
        match scan.value(range) {
            "null" => {}
            value => view.take(&whole, name, value)?,
        }
    }
    if !view.has_messages || scan.messages.is_empty() {
        let text = "`messages` must hold at least one message.";
        return Err(Failure::invalid("messages", text));
    }
    if scan.messages.len() > MAX_MESSAGES {
        let text = format!("`messages` must hold at most {MAX_MESSAGES} messages.");
        return Err(Failure::invalid("messages", text));
    }
    let messages = (0..)
        .zip(&scan.messages)
        .map(|(i, element)| message(&whole, i, element));
    let messages = messages.collect::<Result<_, _>>()?;
    let fields = scan.fields.into_iter().map(|(name, value)| Field {
        name: name.into(),
        value,
    });
    Ok(Parsed {
        original: Original {
            dialect: Dialect::Chat,
            fields: fields.collect(),
            body: whole.as_bytes().clone(),
        },
        model: view.model,
        messages,
        params: Params {
            max_tokens: view.max_completion_tokens.or(view.max_tokens),
            temperature: view.temperature,
            choices: view.choices,
        },
        stream: view.stream,
        include_usage: view.include_usage,
    })
}

// === impl View ===

impl View {
    fn take(&mut self, whole: &Text, name: &str, value: &str) -> Result<(), Failure> {
        match name {
            "model" => self.model = model(whole, value)?,
            "messages" if value.starts_with('[') => self.has_messages = true,
            "messages" => return Err(wrong(name, "an array of messages", value)),
            "max_tokens" => self.max_tokens = Some(number(name, value, MAX_TOKENS)?),
            "max_completion_tokens" => self.max_completion_tokens = Some(number(name, value, MAX_TOKENS)?),
            "n" => self.choices = u32::try_from(number(name, value, MAX_CHOICES)?).ok(),
            "temperature" => self.temperature = Some(temperature(value)?),
            "stream" => self.stream = boolean(name, value)?,
            "stream_options" => self.include_usage = include_usage(value)?,
            _ => {}
        }
        Ok(())
    }
}

fn model(whole: &Text, value: &str) -> Result<Text, Failure> {
    let name = string(value).filter(|name| (1..=MAX_MODEL).contains(&name.len()));
    name.map(|name| shared(whole, name)).ok_or_else(|| {
        wrong(
            "model",
            &format!("the name of a model, at most {MAX_MODEL} bytes"),
            value,
        )
    })
}

fn number(at: &str, value: &str, most: u64) -> Result<u64, Failure> {
    let number = value.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| wrong(at, &format!("a whole number from 1 to {most}"), value))
}

fn temperature(value: &str) -> Result<f64, Failure> {
    // A JSON number never begins with a letter, so that no `inf` gets through, and 1e400 is out of range.
    let number = value.parse().ok().filter(|number| (0.0..=2.0).contains(number));
    number.ok_or_else(|| wrong("temperature", "a number from 0 to 2", value))
}

fn boolean(at: &str, value: &str) -> Result<bool, Failure> {
    value.parse().map_err(|_| wrong(at, "true or false", value))
}

fn include_usage(value: &str) -> Result<bool, Failure> {
    #[derive(Deserialize)]
    struct Options<'a> {
        #[serde(borrow)]
        include_usage: Option<&'a RawValue>,
    }
    let at = "stream_options";
    if !value.starts_with('{') {
        return Err(wrong(at, "an object", value));
    }
    let options: Options<'_> = serde_json::from_str(value).map_err(|error| broken(at, &error))?;
    options
        .include_usage
        .map_or(Ok(false), |asked| boolean("stream_options.include_usage", asked.get()))
}

// === messages ===

fn message(whole: &Text, index: usize, element: &Element<'_>) -> Result<Message, Failure> {
    let at = |field: &str| format!("messages[{index}]{field}");
    if !element.raw.starts_with('{') {
        return Err(wrong(&at(""), "an object with `role` and `content`", element.raw));
    }
    let Some(role) = element.role else {
        let at = at(".role");
        return Err(Failure::invalid(&at, format!("`{at}` is missing: it must be {ROLES}.")));
    };
    let role = read_role(role).ok_or_else(|| wrong(&at(".role"), ROLES, role))?;
    let texts = match element.content {
        Some(content) => content_texts(whole, content, &|| at(".content"))?,
        // An assistant's turn may hold nothing but tool calls, a refusal or sound.
        None if role == Role::Assistant => SmallVec::new(),
        None => {
            let at = at(".content");
            let text = format!("`{at}` is missing: it must be a text or an array of parts.");
            return Err(Failure::invalid(at, text));
        }
    };
    let raw = shared(whole, Cow::Borrowed(element.raw)).into_bytes();
    Ok(Message { role, texts, raw })
}

fn read_role(value: &str) -> Option<Role> {
    match &*string(value)? {
        "system" | "developer" => Some(Role::System),
        "user" => Some(Role::User),
        "assistant" => Some(Role::Assistant),
        "tool" | "function" => Some(Role::Tool),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

fn content_texts(whole: &Text, content: &str, at: &dyn Fn() -> String) -> Result<SmallVec<[Text; 1]>, Failure> {
    if content.starts_with('"') {
        let text = string(content).ok_or_else(|| escape(&at()))?;
        return Ok(smallvec![shared(whole, text)]);
    }
    if !content.starts_with('[') {
        return Err(wrong(&at(), "a text or an array of parts", content));
    }
    let parts: Vec<&RawValue> = serde_json::from_str(content).map_err(|error| broken(&at(), &error))?;
    if parts.is_empty() {
        let at = at();
        return Err(Failure::invalid(&at, format!("`{at}` must hold at least one part.")));
    }
    let mut texts = SmallVec::new();
    for (index, part) in parts.into_iter().enumerate() {
        texts.extend(part_text(whole, part.get(), &|| format!("{}[{index}]", at()))?);
    }
    Ok(texts)
}

/// The text of a part; `None` for a part of another type, which stands in the message's raw JSON only.
fn part_text(whole: &Text, part: &str, at: &dyn Fn() -> String) -> Result<Option<Text>, Failure> {
    if !part.starts_with('{') {
        return Err(wrong(&at(), "an object with a `type`", part));
    }
    let read: Part<'_> = serde_json::from_str(part).map_err(|error| broken(&at(), &error))?;
    let kind = read.kind.map_or("null", RawValue::get);
    let kind = string(kind).ok_or_else(|| wrong(&format!("{}.type", at()), "the type of a part, as text", kind))?;
    if kind != "text" {
        return Ok(None);
    }
    let text = read.text.map_or("null", RawValue::get);
    if !text.starts_with('"') {
        return Err(wrong(&format!("{}.text", at()), "a text", text));
    }
    let text = string(text).ok_or_else(|| escape(&format!("{}.text", at())))?;
    Ok(Some(shared(whole, text)))
}

fn escape(at: &str) -> Failure {
    let text = format!("`{at}` has a broken escape, such as half of a surrogate pair.");
    Failure::invalid(at, text)
}

#[cfg(test)]
mod tests;
