//! What the server does with a call.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const MARKER: &str = "[[script ";
const MARKER_END: &str = "]]";

/// What the server does with a call. The default is a good answer of four tokens at once.
///
/// As JSON (the header `x-script`, the marker, `POST /__script`) only what differs from the default need be said:
/// `{"tokens":32,"gap_ms":5}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// The status of the answer. Any but 200 answers with an error body.
    pub status: u16,
    /// More headers of the answer, such as `retry-after`.
    pub headers: BTreeMap<String, String>,
    /// How many pieces of text it says.
    pub tokens: usize,
    /// What each piece says: `{i}` is its number from 0, `{tag}` the call's tag, `{call}` the call's number from 1
    /// over all tags, by which two calls can be told apart.
    pub piece: String,
    /// The pieces word for word; when there are any, `tokens` and `piece` do not count.
    pub pieces: Vec<String>,
    /// Why it finishes, in OpenAI's words; `None`: the answer ends without a reason.
    pub finish: Option<String>,
    /// Whether a stream's last event comes: `[DONE]`, `message_stop`, `"done":true`.
    pub done: bool,
    /// The error event that comes in place of the finish.
    pub error: Option<String>,
    /// Milliseconds before the head.
    pub head_ms: u64,
    /// Milliseconds between the head, with the role, and the first token.
    pub first_ms: u64,
    /// Milliseconds between tokens; 0 writes all in one go.
    pub gap_ms: u64,
    /// When above 0, the body is written in pieces of so many bytes, one write each.
    pub split: usize,
    /// Milliseconds between those pieces; with 0 a client may read several at once.
    pub split_gap_ms: u64,
    /// How the body's length is told; `None`: chunked for a stream, by length else.
    pub framing: Option<Framing>,
    /// Ends the connection after so many bytes of the body, whatever its framing promised.
    pub cut_after: Option<usize>,
    /// Whether a cut is a reset rather than an orderly end. What the client has not read yet may be lost with it.
    pub reset: bool,
    /// Falls silent after so many bytes of the body, until the client leaves.
    pub stall_after: Option<usize>,
    /// The body word for word, in place of an answer.
    pub body: Option<String>,
    /// The body in hex, for bytes that are not UTF-8.
    pub body_hex: Option<String>,
    /// Whether `body`, `body_hex` stand for the whole response, head included; the connection ends after it. A cut
    /// counts its bytes from the head's first; after 0 bytes the client hears nothing at all.
    pub raw: bool,
    /// How many calls of a tag follow this script before `then`; 0: all.
    pub times: u32,
    /// What the calls after them follow.
    pub then: Option<Box<Script>>,
}

/// How the length of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// `transfer-encoding: chunked`, each event a chunk.
    Chunked,
    /// `content-length`.
    Length,
    /// Not at all: the body ends with the connection.
    Close,
}

// === impl Script ===

impl Default for Script {
    fn default() -> Self {
        Script {
            status: 200,
            headers: BTreeMap::new(),
            tokens: 4,
            piece: "tok{i} ".into(),
            pieces: Vec::new(),
            finish: Some("stop".into()),
            done: true,
            error: None,
            head_ms: 0,
            first_ms: 0,
            gap_ms: 0,
            split: 0,
            split_gap_ms: 0,
            framing: None,
            cut_after: None,
            reset: false,
            stall_after: None,
            body: None,
            body_hex: None,
            raw: false,
            times: 0,
            then: None,
        }
    }
}

impl Script {
    /// `tokens` pieces, `gap_ms` apart.
    pub fn paced(tokens: usize, gap_ms: u64) -> Self {
        Script {
            tokens,
            gap_ms,
            first_ms: gap_ms,
            ..Script::default()
        }
    }

    /// An answer with this status and an error body.
    pub fn failing(status: u16) -> Self {
        Script {
            status,
            ..Script::default()
        }
    }

    /// Sends the head and then nothing, until the client leaves.
    pub fn silent() -> Self {
        Script {
            stall_after: Some(0),
            ..Script::default()
        }
    }

    /// Adds a header to the answer.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// The first `times` calls of a tag follow this script, those after them `then`.
    pub fn then(self, times: u32, then: Script) -> Self {
        Script {
            times,
            then: Some(Box::new(then)),
            ..self
        }
    }

    /// The marker that makes a call follow this script, to be put into its last message.
    pub fn marker(&self) -> String {
        format!("{MARKER}{}{MARKER_END}", self.json())
    }

    /// The script as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a script is JSON")
    }

    /// Reads a script; `Err` says what is wrong with it.
    pub fn parse(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| format!("no such script: {error}: {json}"))
    }

    /// The part of the script that the n-th call of a tag follows, from 1.
    pub(super) fn part(&self, nth: u64) -> &Script {
        let (mut script, mut nth) = (self, nth);
        while let Some(then) = &script.then {
            if script.times == 0 || nth <= u64::from(script.times) {
                break;
            }
            nth -= u64::from(script.times);
            script = then;
        }
        script
    }

    /// Whether every call that follows it is answered with the same bytes.
    pub(super) fn is_constant(&self) -> bool {
        let varies = |piece: &String| piece.contains("{tag}") || piece.contains("{call}");
        !varies(&self.piece) && !self.pieces.iter().any(varies)
    }
}

/// Takes the marker out of a message's text: what is left, and the script's JSON.
pub(super) fn unmark(text: &str) -> (String, Option<&str>) {
    let found = text.split_once(MARKER).and_then(|(before, rest)| {
        let (json, after) = rest.split_once(MARKER_END)?;
        Some((format!("{before}{after}"), json))
    });
    match found {
        Some((left, json)) => (left.trim().to_owned(), Some(json)),
        None => (text.to_owned(), None),
    }
}
