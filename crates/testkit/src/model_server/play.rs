//! From a script to the writes that play it.

use super::{
    Framing, Script, http,
    render::{Format, Saying, Streamed},
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// The plays that are kept; a benchmark needs one.
const KEPT: usize = 64;

/// The writes of one answer.
#[derive(Debug, Default)]
pub(super) struct Play {
    pub(super) writes: Vec<Write>,
    pub(super) ending: Ending,
}

/// Bytes that go out in one write, after a pause.
#[derive(Debug, Default)]
pub(super) struct Write {
    pub(super) after: Duration,
    pub(super) bytes: Vec<u8>,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    /// It serves the next request.
    #[default]
    Keep,
    /// It is closed in order.
    Close,
    /// It is reset.
    Reset,
    /// It stays silent until the client leaves.
    Stall,
}

/// What a call asks for, as far as the answer depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) format: Format,
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
}

/// Plays that are the same for every call.
#[derive(Default)]
pub(super) struct Cache(HashMap<(Asked, Script), Arc<Play>>);

/// A part of a body that the client shall see as one, after a pause.
struct Part {
    after: Duration,
    bytes: Vec<u8>,
}

// === impl Cache ===

impl Cache {
    /// The play of a script for the call numbered `call` with this tag.
    pub(super) fn play(&mut self, asked: Asked, script: &Script, tag: &str, call: u64) -> Arc<Play> {
        if !script.is_constant() {
            return Arc::new(Play::of(&asked, script, tag, call));
        }
        let key = (asked, script.clone());
        if let Some(kept) = self.0.get(&key) {
            return kept.clone();
        }
        let play = Arc::new(Play::of(&key.0, script, tag, call));
        if self.0.len() < KEPT {
            self.0.insert(key, play.clone());
        }
        play
    }
}

// === impl Play ===

impl Play {
    fn of(asked: &Asked, script: &Script, tag: &str, call: u64) -> Self {
        let body = verbatim(script);
        if let (true, Some(bytes)) = (script.raw, &body) {
            let whole = Part::new(script.head_ms, bytes.as_slice());
            let (parts, ending) = limited(script, vec![whole], Framing::Close);
            return Play::default().with(script, parts, ending);
        }
        let streams = asked.stream && script.status == 200;
        let parts = match body {
            Some(bytes) => vec![Part::new(script.first_ms, bytes)],
            None if script.status != 200 => {
                let error = asked.format.error(script.status, "The script says so.");
                vec![Part::new(0, error)]
            }
            None => parts(&saying(asked, script, tag, call), streams),
        };
        let default = if streams { Framing::Chunked } else { Framing::Length };
        let framing = script.framing.unwrap_or(default);
        let len = parts.iter().map(|part| part.bytes.len()).sum();
        let head = http::head(script, asked.format.content_type(streams), framing, len);
        let (parts, ending) = limited(script, parts, framing);
        let mut framed = vec![Part::new(script.head_ms, head)];
        framed.extend(parts.into_iter().map(|part| part.framed(framing)));
        if framing == Framing::Chunked && matches!(ending, Ending::Keep) {
            framed.push(Part::new(0, "0\r\n\r\n"));
        }
        Play::default().with(script, framed, ending)
    }

    /// Gathers parts that follow each other without a pause into one write, unless they are to be split.
    fn with(mut self, script: &Script, parts: Vec<Part>, ending: Ending) -> Self {
        for part in parts {
            match self.writes.last_mut() {
                Some(last) if part.after.is_zero() && script.split == 0 => last.bytes.extend(part.bytes),
                _ => self.writes.push(Write {
                    after: part.after,
                    bytes: part.bytes,
                }),
            }
        }
        self.ending = ending;
        self
    }
}

// === impl Part ===

impl Part {
    fn new(after_ms: u64, bytes: impl Into<Vec<u8>>) -> Self {
        Part {
            after: Duration::from_millis(after_ms),
            bytes: bytes.into(),
        }
    }

    fn framed(self, framing: Framing) -> Self {
        if framing != Framing::Chunked || self.bytes.is_empty() {
            return self;
        }
        let mut bytes = format!("{:x}\r\n", self.bytes.len()).into_bytes();
        bytes.extend(self.bytes);
        bytes.extend(b"\r\n");
        Part {
            after: self.after,
            bytes,
        }
    }

    /// The part in pieces of `size` bytes; the first waits as long as the part did.
    fn split(self, size: usize, gap_ms: u64) -> Vec<Part> {
        let mut pieces: Vec<Part> = self.bytes.chunks(size).map(|piece| Part::new(gap_ms, piece)).collect();
        if let Some(first) = pieces.first_mut() {
            first.after = self.after;
        }
        pieces
    }
}

fn saying<'a>(asked: &'a Asked, script: &'a Script, tag: &str, call: u64) -> Saying<'a> {
    let fill = |piece: &str, nth: usize| {
        let piece = piece
            .replace("{i}", &nth.to_string())
            .replace("{call}", &call.to_string());
        piece.replace("{tag}", tag)
    };
    let pieces = match script.pieces.as_slice() {
        [] => (0..script.tokens).map(|nth| fill(&script.piece, nth)).collect(),
        words => words.iter().enumerate().map(|(nth, word)| fill(word, nth)).collect(),
    };
    Saying {
        format: asked.format,
        script,
        model: &asked.model,
        include_usage: asked.include_usage,
        pieces,
    }
}

/// The body of a good answer, each part when it is due.
fn parts(saying: &Saying<'_>, streams: bool) -> Vec<Part> {
    let Script { first_ms, gap_ms, .. } = *saying.script;
    if !streams {
        let gaps = u64::try_from(saying.pieces.len().saturating_sub(1)).unwrap_or(0);
        return vec![Part::new(first_ms + gap_ms * gaps, saying.whole())];
    }
    let Streamed {
        opening,
        tokens,
        closing,
    } = saying.stream();
    let pause = |nth: usize| if nth == 0 { first_ms } else { gap_ms };
    let tokens = tokens
        .into_iter()
        .enumerate()
        .map(|(nth, token)| Part::new(pause(nth), token));
    [Part::new(0, opening)]
        .into_iter()
        .chain(tokens)
        .chain(split_events(&closing).map(|event| Part::new(0, event)))
        .filter(|part| !part.bytes.is_empty())
        .collect()
}

/// The events of a text, each with its blank line.
fn split_events(text: &str) -> impl Iterator<Item = &str> {
    let border = if text.contains("\n\n") { "\n\n" } else { "\n" };
    text.split_inclusive(border)
}

/// Keeps what the script lets through of a body, in pieces if it says so; and what comes after.
fn limited(script: &Script, parts: Vec<Part>, framing: Framing) -> (Vec<Part>, Ending) {
    let (mut left, ending) = match (script.cut_after, script.stall_after, framing) {
        (Some(bytes), _, _) if script.reset => (bytes, Ending::Reset),
        (Some(bytes), _, _) => (bytes, Ending::Close),
        (None, Some(bytes), _) => (bytes, Ending::Stall),
        (None, None, Framing::Close) => (usize::MAX, Ending::Close),
        (None, None, _) => (usize::MAX, Ending::Keep),
    };
    let mut kept = Vec::new();
    for mut part in parts {
        if left == 0 {
            break;
        }
        part.bytes.truncate(left);
        left -= part.bytes.len();
        match script.split {
            0 => kept.push(part),
            size => kept.extend(part.split(size, script.split_gap_ms)),
        }
    }
    (kept, ending)
}

fn verbatim(script: &Script) -> Option<Vec<u8>> {
    let hex = script.body_hex.as_ref().map(|hex| {
        let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits
            .chunks(2)
            .map(|pair| u8::try_from(pair.iter().fold(0, |sum, digit| sum * 16 + digit)).unwrap_or(0))
            .collect()
    });
    hex.or_else(|| script.body.clone().map(String::into_bytes))
}
