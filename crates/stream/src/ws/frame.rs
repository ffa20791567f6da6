//! What a WebSocket client hears of its requests.

use bytes::{Buf, Bytes};
use orchestrator_core::{Cache, Chunk, Delta, End, Failure, FinishReason, Head, Kind, RequestId, Usage};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use std::{fmt, sync::Arc, time::Duration};

/// A frame to a client. The frames between `Accepted` and the end are a [`token_head`] and a [`token_rest`].
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// A request was taken in and it is decided where its answer comes from.
    Accepted {
        /// The client's name for the request.
        id: &'a str,
        /// Our name for it, by which it can be resumed.
        request_id: RequestId,
        /// Where the answer comes from.
        cache: Cache,
    },
    /// The answer is complete.
    Done {
        /// The client's name for the request.
        id: &'a str,
        /// How it ended.
        end: &'a End,
        /// Who answered; `None` leaves worker and tier `null`.
        head: Option<&'a Head>,
        /// From the request to its first token; `None` leaves it `null`.
        ttft: Option<Duration>,
    },
    /// A request ended badly, or a frame of the client's could not be read.
    Error {
        /// The client's name for the request, where the frame named one.
        id: Option<&'a str>,
        /// How it ended.
        failure: &'a Failure,
    },
}

/// What all `token` frames of a request begin with.
pub fn token_head(id: &str) -> Vec<u8> {
    let mut head = Vec::new();
    write(&mut head, &Wire::Token { id });
    // What follows is more of the same object.
    if let Some(last) = head.last_mut() {
        *last = b',';
    }
    head
}

/// The rest of the `token` frame of `chunks`, whose last one has the index `seq` in the answer's log: the same for all who
/// hear them. Empty when they say nothing that belongs in a frame: mere roles, usage, or the finish of the first choice,
/// which `done` tells.
///
/// `text` is all the text of the first choice, empty when there is none. What else the model said comes as `delta`: an
/// array of objects in order, each with its `choice` and one of `text`, `reasoning`, `refusal`, `finish_reason` or
/// `tool_call` (`index`, `id` and `name` once, more of `arguments`).
pub fn token_rest(seq: usize, chunks: &[Arc<Chunk>]) -> Bytes {
    let deltas = || chunks.iter().flat_map(|chunk| chunk.deltas.iter());
    let text = Joined::from_iter(deltas().filter_map(main_text));
    let rest: Vec<&Delta> = deltas().filter(|delta| is_beside(delta)).collect();
    let has_news = text.0.iter().any(|part| !part.is_empty()) || !rest.is_empty();
    if !has_news {
        return Bytes::new();
    }
    let delta = (!rest.is_empty()).then(|| Beside(&rest));
    let mut out = Vec::with_capacity(128);
    write(&mut out, &Token { seq, text, delta });
    let mut rest = Bytes::from(out);
    // The object has begun with what the frame begins with.
    rest.advance(usize::from(rest.starts_with(b"{")));
    rest
}

/// The frames as they stand on the wire.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Wire<'a> {
    Accepted {
        id: &'a str,
        #[serde(serialize_with = "display")]
        request_id: RequestId,
        cache: &'static str,
    },
    Token {
        id: &'a str,
    },
    Done {
        id: &'a str,
        finish_reason: &'static str,
        usage: Option<Used>,
        worker: Option<&'a str>,
        tier: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        degraded: Option<&'static str>,
        ttft_ms: Option<u64>,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        error: Fault<'a>,
    },
}

#[derive(Serialize)]
struct Token<'a> {
    seq: usize,
    text: Joined<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Beside<'a>>,
}

#[derive(Serialize)]
struct Used {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

#[derive(Serialize)]
struct Fault<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// Pieces of text as one string.
struct Joined<'a>(Vec<&'a str>);

/// Deltas that do not fit into `text`.
struct Beside<'a>(&'a [&'a Delta]);

/// One object of `delta`.
#[derive(Serialize)]
struct Part<'a> {
    choice: u32,
    #[serde(flatten)]
    kind: PartKind<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum PartKind<'a> {
    Text(Joined<'a>),
    Reasoning(Joined<'a>),
    Refusal(Joined<'a>),
    ToolCall {
        index: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        arguments: &'a str,
    },
    FinishReason(&'static str),
}

// === impl Frame ===

impl Frame<'_> {
    /// Appends the frame's JSON text.
    pub fn write(&self, out: &mut Vec<u8>) {
        let wire = match *self {
            Frame::Accepted { id, request_id, cache } => Wire::Accepted {
                id,
                request_id,
                cache: cache.as_str(),
            },
            Frame::Done { id, end, head, ttft } => Wire::Done {
                id,
                finish_reason: end.finish.as_str(),
                usage: end.usage.map(Used::from),
                worker: head.map(|head| &*head.worker),
                tier: head.and_then(Head::tier_name),
                degraded: head.and_then(Head::degraded_name),
                ttft_ms: ttft.map(millis),
            },
            Frame::Error { id, failure } => Wire::Error {
                id,
                error: Fault {
                    code: failure.code().as_str(),
                    message: failure.public(),
                    retry_after_ms: failure.retry_after().map(millis),
                },
            },
        };
        write(out, &wire);
    }
}

/// Appends `wire`. Writing to memory cannot fail; should it ever, half a frame must not go out.
fn write(out: &mut Vec<u8>, wire: &impl Serialize) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, wire).is_err() {
        out.truncate(before);
    }
}

fn display<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn main_text(delta: &Delta) -> Option<&str> {
    match &delta.kind {
        Kind::Text(text) if delta.choice == 0 => Some(text),
        _ => None,
    }
}

/// Whether a delta belongs into `delta`.
fn is_beside(delta: &Delta) -> bool {
    match &delta.kind {
        Kind::Text(text) => delta.choice != 0 && !text.is_empty(),
        Kind::Reasoning(text) | Kind::Refusal(text) => !text.is_empty(),
        Kind::ToolCall { .. } => true,
        Kind::Finish(_) => delta.choice != 0,
        Kind::Usage(_) => false,
    }
}

// === impl Used ===

impl From<Usage> for Used {
    fn from(usage: Usage) -> Self {
        Used {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.total_tokens(),
        }
    }
}

// === impl Joined ===

impl<'a> FromIterator<&'a str> for Joined<'a> {
    fn from_iter<T: IntoIterator<Item = &'a str>>(parts: T) -> Self {
        Joined(parts.into_iter().collect())
    }
}

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| f.write_str(part))
    }
}

impl Serialize for Joined<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.serialize_str(one),
            _ => serializer.collect_str(self),
        }
    }
}

// === impl Beside ===

impl Serialize for Beside<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_seq(None)?;
        for run in self.0.chunk_by(|a, b| continues(a, b)) {
            if let Some(part) = Part::of(run) {
                parts.serialize_element(&part)?;
            }
        }
        parts.end()
    }
}

/// Whether `b` is more of the same text as `a`, so that both share one object.
fn continues(a: &Delta, b: &Delta) -> bool {
    let is_same_text = matches!(
        (&a.kind, &b.kind),
        (Kind::Text(_), Kind::Text(_))
            | (Kind::Reasoning(_), Kind::Reasoning(_))
            | (Kind::Refusal(_), Kind::Refusal(_))
    );
    a.choice == b.choice && is_same_text
}

// === impl Part ===

impl<'a> Part<'a> {
    /// The object of a run of deltas that share one; `None` for what never comes beside.
    fn of(run: &[&'a Delta]) -> Option<Self> {
        let first = *run.first()?;
        let texts = || run.iter().filter_map(|delta| text_of(delta)).collect();
        let kind = match &first.kind {
            Kind::Text(_) => PartKind::Text(texts()),
            Kind::Reasoning(_) => PartKind::Reasoning(texts()),
            Kind::Refusal(_) => PartKind::Refusal(texts()),
            Kind::ToolCall {
                index,
                id,
                name,
                arguments,
            } => PartKind::ToolCall {
                index: *index,
                id: id.as_deref(),
                name: name.as_deref(),
                arguments,
            },
            Kind::Finish(reason) => PartKind::FinishReason(FinishReason::as_str(*reason)),
            Kind::Usage(_) => return None,
        };
        Some(Part {
            choice: first.choice,
            kind,
        })
    }
}

fn text_of(delta: &Delta) -> Option<&str> {
    match &delta.kind {
        Kind::Text(text) | Kind::Reasoning(text) | Kind::Refusal(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
