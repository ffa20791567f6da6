//! A chat message taken apart, for dialects that say the same in other words. Everything that it holds is either carried or
//! refused with its place; only a speaker's `name` and an old turn's reasoning are left out.

use crate::json::{Fields, Str, broken, string, wrong};
use orchestrator_core::{Failure, Message, Role};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// One turn.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    /// Who speaks.
    pub(crate) role: Role,
    /// Its path in the request.
    pub(crate) at: String,
    /// What it says, in order; no piece is empty.
    pub(crate) pieces: Vec<Piece<'a>>,
    /// The tools that it asks for.
    pub(crate) calls: Vec<Call<'a>>,
    /// The call that it answers.
    pub(crate) answers: Option<Cow<'a, str>>,
}

/// A piece of what a turn says.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    Text(Cow<'a, str>),
    /// An image in base64, with its media type.
    Image {
        media_type: String,
        base64: String,
    },
    /// An image at an HTTP address; with the place where it is said.
    Link {
        url: String,
        at: String,
    },
}

/// A tool call.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) name: Cow<'a, str>,
    /// Its arguments: a JSON object.
    pub(crate) input: Box<RawValue>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    role: &'a RawValue,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Str<'a>,
    #[serde(borrow)]
    tool_calls: Option<Vec<RawCall<'a>>>,
    #[serde(borrow, default)]
    tool_call_id: Str<'a>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    audio: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawCall<'a> {
    #[serde(borrow, default)]
    id: Str<'a>,
    #[serde(borrow)]
    function: Option<RawFunction<'a>>,
}

#[derive(Deserialize)]
struct RawFunction<'a> {
    #[serde(borrow, default)]
    name: Str<'a>,
    #[serde(borrow, default)]
    arguments: Str<'a>,
}

/// A message's part; which fields it has follows from its type.
#[derive(Deserialize)]
struct RawPart<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Str<'a>,
    #[serde(borrow, default)]
    text: Str<'a>,
    #[serde(borrow, default)]
    refusal: Str<'a>,
    #[serde(borrow)]
    image_url: Option<&'a RawValue>,
}

// === impl Turn ===

impl<'a> Turn<'a> {
    /// Takes the message at `index` apart.
    pub(crate) fn read(index: usize, message: &'a Message) -> Result<Self, Failure> {
        let at = format!("messages[{index}]");
        let raw: Raw<'a> = serde_json::from_slice(&message.raw).map_err(|error| broken(&at, &error))?;
        let legacy = string(raw.role.get()).is_some_and(|role| role == "function");
        for (refused, field) in [
            (legacy, "role"),
            (raw.function_call.is_some(), "function_call"),
            (raw.audio.is_some(), "audio"),
        ] {
            if refused {
                return Err(not_known(&format!("{at}.{field}")));
            }
        }
        let mut pieces = match raw.content {
            Some(content) => pieces(&format!("{at}.content"), content.get())?,
            None => Vec::new(),
        };
        pieces.extend(raw.refusal.some().map(Piece::Text));
        let calls = raw.tool_calls.unwrap_or_default().into_iter().enumerate();
        let calls = calls.map(|(index, call)| Call::read(&format!("{at}.tool_calls[{index}]"), call));
        Ok(Turn {
            role: message.role,
            pieces,
            calls: calls.collect::<Result<_, _>>()?,
            answers: raw.tool_call_id.some(),
            at,
        })
    }

    /// All text of the turn, its pieces joined by line breaks.
    pub(crate) fn text(&self) -> String {
        let texts = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(&**text),
            Piece::Image { .. } | Piece::Link { .. } => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}

fn pieces<'a>(at: &str, content: &'a str) -> Result<Vec<Piece<'a>>, Failure> {
    if content.starts_with('"') {
        let text = string(content).ok_or_else(|| wrong(at, "a text", content))?;
        return Ok(Some(text)
            .filter(|text| !text.is_empty())
            .map(Piece::Text)
            .into_iter()
            .collect());
    }
    let parts: Vec<RawPart<'a>> = serde_json::from_str(content).map_err(|error| broken(at, &error))?;
    let mut pieces = Vec::with_capacity(parts.len());
    for (index, part) in parts.into_iter().enumerate() {
        match (part.kind.get(), part.image_url) {
            ("text", _) => pieces.extend(part.text.some().map(Piece::Text)),
            ("refusal", _) => pieces.extend(part.refusal.some().map(Piece::Text)),
            ("image_url", Some(image)) => pieces.push(image_piece(&format!("{at}[{index}].image_url"), image)?),
            _ => return Err(not_known(&format!("{at}[{index}]"))),
        }
    }
    Ok(pieces)
}

fn image_piece<'a>(at: &str, image: &'a RawValue) -> Result<Piece<'a>, Failure> {
    let fields = Fields::read(image.get(), at)?;
    let at = format!("{at}.url");
    let url = fields.get("url").and_then(|url| string(url.get())).unwrap_or_default();
    if let Some((media_type, base64)) = url.strip_prefix("data:").and_then(|data| data.split_once(";base64,")) {
        return Ok(Piece::Image {
            media_type: media_type.to_owned(),
            base64: base64.to_owned(),
        });
    }
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(Piece::Link {
            url: url.into_owned(),
            at,
        });
    }
    let text = format!("`{at}` must be an http address or a data: URL in base64.");
    Err(Failure::invalid(at, text))
}

fn not_known(at: &str) -> Failure {
    Failure::invalid(
        at,
        format!("`{at}` cannot be told to the worker that serves this model."),
    )
}

// === impl Call ===

impl<'a> Call<'a> {
    fn read(at: &str, call: RawCall<'a>) -> Result<Self, Failure> {
        let Some(function) = call.function else {
            return Err(not_known(at));
        };
        let at = format!("{at}.function.arguments");
        let arguments = function.arguments.some().unwrap_or(Cow::Borrowed("{}")).into_owned();
        let input = RawValue::from_string(arguments)
            .ok()
            .filter(|input| input.get().starts_with('{'));
        let wrong = || Failure::invalid(&at, format!("`{at}` must be the text of a JSON object."));
        Ok(Call {
            id: call.id.some().unwrap_or_default(),
            name: function.name.some().unwrap_or_default(),
            input: input.ok_or_else(wrong)?,
        })
    }
}

#[cfg(test)]
mod tests;
