//! What a WebSocket client asks for.
//!
//! Input is hostile: names are bounded, nothing is guessed, and every refusal says which field and why.

use bytes::Bytes;
use orchestrator_core::{Code, Failure, Priority, RequestId, Text};
use serde::Deserialize;
use serde_json::{error::Category, value::RawValue};
use std::borrow::Cow;

/// The longest id that a client may give a request, in characters.
const MAX_ID: usize = 128;
/// The longest name of a session, in characters.
const MAX_SESSION: usize = 256;
/// The most that a refusal repeats of a word of the client's, in characters.
const MAX_WORD: usize = 60;
/// The most that a refusal repeats of the parser's words, which hold a name of the client's, in characters.
const MAX_REASON: usize = 160;

/// A frame from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Asks for an answer.
    Submit(Submit),
    /// Wants the answer to `id` no more.
    Cancel {
        /// The client's name for the request.
        id: Text,
    },
    /// Wants to hear an answer on.
    Resume(Resume),
}

/// A request under the name that the client gives it: at most 128 printable characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// The client's name for the request.
    pub id: Text,
    /// The body of a chat completion: one JSON object, a shared slice of the frame.
    pub request: Bytes,
    /// The lane that it asks for.
    pub priority: Option<Priority>,
    /// The client's session.
    pub session: Option<Text>,
}

/// An answer to hear on, after a connection that broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The client's name for the request on this socket.
    pub id: Text,
    /// Our name for it.
    pub request_id: RequestId,
    /// The last `seq` that the client has heard; `None` starts over.
    pub after: Option<usize>,
}

/// A frame that asks for nothing we can do.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The client's name for the request, where one could be read.
    pub id: Option<Text>,
    /// What is wrong with the frame.
    pub failure: Failure,
}

/// A field that is `null` counts as not there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
    #[serde(borrow)]
    priority: Option<&'a RawValue>,
    #[serde(borrow)]
    session: Option<&'a RawValue>,
    #[serde(borrow)]
    request_id: Option<&'a RawValue>,
    #[serde(borrow)]
    after: Option<&'a RawValue>,
}

/// Reads the id alone, from a frame whose other fields are wrong.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

// === impl Command ===

impl Command {
    /// Reads a text frame.
    pub fn parse(frame: &Bytes) -> Result<Self, Refused> {
        Fields::read(frame)
            .and_then(|fields| fields.command(frame))
            .map_err(|failure| Refused {
                id: id_alone(frame),
                failure,
            })
    }

    /// The client's name for the request.
    pub fn id(&self) -> &Text {
        match self {
            Command::Submit(Submit { id, .. }) | Command::Cancel { id } | Command::Resume(Resume { id, .. }) => id,
        }
    }
}

fn id_alone(frame: &[u8]) -> Option<Text> {
    let named: Named<'_> = serde_json::from_slice(frame).ok()?;
    name("id", Some(named.id), MAX_ID).ok()
}

// === impl Fields ===

impl<'a> Fields<'a> {
    fn read(frame: &'a [u8]) -> Result<Self, Failure> {
        if frame.trim_ascii_start().first() != Some(&b'{') {
            return Err(unreadable("A frame must be a JSON object."));
        }
        serde_json::from_slice(frame).map_err(|error| match error.classify() {
            // These name a field that is unknown or stands there twice.
            Category::Data => unreadable(format!(
                "The frame cannot be read: {}.",
                quote(&error.to_string(), MAX_REASON)
            )),
            _ => unreadable(format!(
                "The frame is not valid JSON: it breaks at line {}, column {}.",
                error.line(),
                error.column()
            )),
        })
    }

    fn command(&self, frame: &Bytes) -> Result<Command, Failure> {
        let kind = string("type", self.kind)?;
        match &*kind {
            "submit" => {
                self.refuse(&kind, &[("request_id", self.request_id), ("after", self.after)])?;
                self.submit(frame).map(Command::Submit)
            }
            "cancel" => {
                self.refuse(&kind, &self.of_submit())?;
                self.refuse(&kind, &[("request_id", self.request_id), ("after", self.after)])?;
                Ok(Command::Cancel { id: self.id()? })
            }
            "resume" => {
                self.refuse(&kind, &self.of_submit())?;
                self.resume().map(Command::Resume)
            }
            other => Err(Failure::invalid(
                "type",
                format!(
                    "`type` must be submit, cancel or resume, not `{}`.",
                    quote(other, MAX_WORD)
                ),
            )),
        }
    }

    fn submit(&self, frame: &Bytes) -> Result<Submit, Failure> {
        let request = self.request.ok_or_else(|| missing("request"))?.get();
        if !request.starts_with('{') {
            return Err(Failure::invalid("request", "`request` must be a JSON object."));
        }
        Ok(Submit {
            id: self.id()?,
            request: frame.slice_ref(request.as_bytes()),
            priority: self.priority.map(priority).transpose()?,
            session: self
                .session
                .map(|raw| name("session", Some(raw), MAX_SESSION))
                .transpose()?,
        })
    }

    fn resume(&self) -> Result<Resume, Failure> {
        let id = self.id()?;
        let request_id = string("request_id", self.request_id)?;
        let request_id = RequestId::parse(&request_id).ok_or_else(|| {
            Failure::invalid(
                "request_id",
                "`request_id` must be `req_` and 32 hex digits, as `accepted` gave it.",
            )
        })?;
        Ok(Resume {
            id,
            request_id,
            after: self.after.map(after).transpose()?,
        })
    }

    fn id(&self) -> Result<Text, Failure> {
        name("id", self.id, MAX_ID)
    }

    fn of_submit(&self) -> [(&'static str, Option<&'a RawValue>); 3] {
        [
            ("request", self.request),
            ("priority", self.priority),
            ("session", self.session),
        ]
    }

    /// Refuses fields that belong to another type of frame.
    fn refuse(&self, kind: &str, fields: &[(&'static str, Option<&RawValue>)]) -> Result<(), Failure> {
        match fields.iter().find(|(_, value)| value.is_some()) {
            Some((field, _)) => Err(Failure::invalid(
                *field,
                format!("A `{kind}` frame has no field `{field}`."),
            )),
            None => Ok(()),
        }
    }
}

/// A frame that is wrong as a whole.
fn unreadable(reason: impl Into<String>) -> Failure {
    Failure::new(Code::InvalidRequest, reason)
}

fn missing(field: &'static str) -> Failure {
    Failure::invalid(field, format!("The field `{field}` is missing."))
}

fn string<'a>(field: &'static str, value: Option<&'a RawValue>) -> Result<Cow<'a, str>, Failure> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
    let value = value.ok_or_else(|| missing(field))?;
    let text: Result<Borrowed<'_>, _> = serde_json::from_str(value.get());
    text.map(|text| text.0)
        .map_err(|_| Failure::invalid(field, format!("`{field}` must be a string.")))
}

/// A name that the client chooses.
fn name(field: &'static str, value: Option<&RawValue>, max: usize) -> Result<Text, Failure> {
    let text = string(field, value)?;
    let length = text.chars().take(max.saturating_add(1)).count();
    if length == 0 || length > max || text.chars().any(char::is_control) {
        let rule = format!("`{field}` must be 1 to {max} printable characters.");
        return Err(Failure::invalid(field, rule));
    }
    Ok(text.into_owned().into())
}

fn priority(value: &RawValue) -> Result<Priority, Failure> {
    let text = string("priority", Some(value))?;
    Priority::parse(&text).ok_or_else(|| {
        let found = quote(&text, MAX_WORD);
        Failure::invalid(
            "priority",
            format!("`priority` must be high, normal or low, not `{found}`."),
        )
    })
}

fn after(value: &RawValue) -> Result<usize, Failure> {
    serde_json::from_str(value.get()).map_err(|_| {
        Failure::invalid(
            "after",
            "`after` must be the last `seq` that was heard, a whole number from 0.",
        )
    })
}

/// Words of the client's that may go back to it: cut, and without control characters.
fn quote(text: &str, max: usize) -> String {
    let clean = text.chars().filter(|c| !c.is_control());
    clean.take(max).collect()
}

#[cfg(test)]
mod tests;
