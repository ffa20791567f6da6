//! One line of the log, as JSON or for people.
//!
//! Whatever a value holds, a line stays one line: JSON escapes line breaks, and so does the other style.

use std::{
    cell::Cell,
    fmt::{self, Display, Write as _},
    io::Write as _,
    time::Duration,
};
use tracing::Level;

/// The most room that a thread keeps for its next line.
const KEPT_CAPACITY: usize = 16 << 10;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// The second of the last line, and how it is written.
    static SECOND: Cell<(u64, [u8; 20])> = const { Cell::new((0, *b"1970-01-01T00:00:00.")) };
}

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Json,
    Pretty { is_coloured: bool },
}

/// The value of a field.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Shown(&'a dyn Display),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Flag(bool),
    /// As it stands in a line of the same style.
    Rendered(&'a [u8]),
}

/// What each line begins with.
pub(crate) struct Heading<'a> {
    pub(crate) time: Duration,
    pub(crate) level: Level,
    pub(crate) target: &'a str,
    pub(crate) message: Value<'a>,
}

/// A line that is being written.
pub(crate) struct Line<'a> {
    out: &'a mut Vec<u8>,
    style: Style,
}

/// Makes a line in a buffer of the thread's and hands it over, its line break included. `fill` may itself log.
pub(crate) fn compose(style: Style, heading: &Heading<'_>, fill: impl FnOnce(&mut Line<'_>), emit: impl FnOnce(&[u8])) {
    let mut buffer = BUFFER.take();
    buffer.clear();
    let mut line = Line {
        out: &mut buffer,
        style,
    };
    line.begin(heading);
    fill(&mut line);
    line.end();
    emit(&buffer);
    if buffer.capacity() <= KEPT_CAPACITY {
        BUFFER.set(buffer);
    }
}

/// The value of a field, as it stands in a line.
pub(crate) fn rendered(style: Style, value: Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    Line { out: &mut out, style }.value(value);
    out
}

// === impl Line ===

impl Line<'_> {
    /// Appends a field whose name is a plain word.
    pub(crate) fn field(&mut self, name: &str, value: Value<'_>) {
        match self.style {
            Style::Json => {
                self.out.extend_from_slice(b",\"");
                self.out.extend_from_slice(name.as_bytes());
                self.out.extend_from_slice(b"\":");
            }
            Style::Pretty { .. } => {
                self.out.push(b' ');
                self.out.extend_from_slice(name.as_bytes());
                self.out.push(b'=');
            }
        }
        self.value(value);
    }

    /// Appends a field if it has a value.
    pub(crate) fn optional<'v>(&mut self, name: &str, value: Option<impl Into<Value<'v>>>) {
        if let Some(value) = value {
            self.field(name, value.into());
        }
    }

    fn begin(&mut self, heading: &Heading<'_>) {
        match self.style {
            Style::Json => {
                self.out.extend_from_slice(b"{\"timestamp\":\"");
                timestamp(self.out, heading.time);
                self.out.extend_from_slice(b"\"");
                self.field("level", Value::Text(heading.level.as_str()));
                self.field("target", Value::Text(heading.target));
                self.field("message", heading.message);
            }
            Style::Pretty { is_coloured } => {
                let paint = Paint::of(heading.level, is_coloured);
                self.out.extend_from_slice(paint.dim);
                timestamp(self.out, heading.time);
                print(
                    self.out,
                    format_args!(" {}{:>5}{} ", paint.level, heading.level, paint.reset),
                );
                print(
                    self.out,
                    format_args!("{}: {}", heading.target, OneLine(&heading.message)),
                );
            }
        }
    }

    fn end(&mut self) {
        let end: &[u8] = if self.style == Style::Json { b"}\n" } else { b"\n" };
        self.out.extend_from_slice(end);
    }

    fn value(&mut self, value: Value<'_>) {
        match value {
            Value::Unsigned(number) => self
                .out
                .extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            Value::Signed(number) => self
                .out
                .extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            Value::Flag(flag) => self.out.extend_from_slice(if flag { b"true" } else { b"false" }),
            Value::Float(number) if number.is_finite() => print(self.out, format_args!("{number:?}")),
            Value::Float(number) => self.text(&format_args!("{number}")),
            Value::Text(text) if self.style == Style::Json => json_text(self.out, text),
            Value::Text(text) => self.text(&text),
            Value::Shown(shown) => self.text(shown),
            Value::Rendered(value) => self.out.extend_from_slice(value),
        }
    }

    fn text(&mut self, text: &dyn Display) {
        match self.style {
            Style::Json => json_shown(self.out, text),
            Style::Pretty { .. } => print(self.out, format_args!("{}", OneWord(text))),
        }
    }
}

/// Writing to memory cannot fail.
fn print(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    out.write_fmt(text).ok();
}

fn json_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).ok();
}

/// The same of what shows itself piece by piece.
fn json_shown(out: &mut Vec<u8>, shown: &dyn Display) {
    serde::Serializer::collect_str(&mut serde_json::Serializer::new(out), &Forgiving(shown)).ok();
}

/// RFC 3339 in microseconds.
fn timestamp(out: &mut Vec<u8>, time: Duration) {
    let (mut second, mut text) = SECOND.get();
    if second != time.as_secs() {
        second = time.as_secs();
        text = written_second(second);
        SECOND.set((second, text));
    }
    out.extend_from_slice(&text);
    let micros = time.subsec_micros();
    out.extend([100_000, 10_000, 1_000, 100, 10, 1].map(|place| digit(micros, place)));
    out.push(b'Z');
}

/// Date and time up to the second and the point after it; the last one of the calendar for what lies beyond.
fn written_second(second: u64) -> [u8; 20] {
    let second = i64::try_from(second)
        .ok()
        .and_then(|second| jiff::Timestamp::from_second(second).ok());
    let text = format!("{:.0}", second.unwrap_or(jiff::Timestamp::MAX));
    let mut written = *b"0000-00-00T00:00:00.";
    for (to, from) in written.iter_mut().zip(text.trim_end_matches('Z').bytes()) {
        *to = from;
    }
    written
}

/// The digit of `number` at `place`, a power of ten.
fn digit(number: u32, place: u32) -> u8 {
    let digit = number.checked_div(place).unwrap_or_default() % 10;
    b'0'.saturating_add(u8::try_from(digit).unwrap_or_default())
}

/// Shows as much as a value shows before it fails. Both the formatting machinery and the JSON writer panic at a value
/// that fails for a reason of its own.
struct Forgiving<'a>(&'a dyn Display);

impl Display for Forgiving<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f).or(Ok(()))
    }
}

// === impl Value ===

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Unsigned(number)
    }
}

impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Shown(shown) => shown.fmt(f),
            Value::Unsigned(number) => number.fmt(f),
            Value::Signed(number) => number.fmt(f),
            Value::Float(number) => number.fmt(f),
            Value::Flag(flag) => flag.fmt(f),
            Value::Rendered(value) => String::from_utf8_lossy(value).fmt(f),
        }
    }
}

// === for people ===

/// The colours of a line.
struct Paint {
    dim: &'static [u8],
    level: &'static str,
    reset: &'static str,
}

impl Paint {
    fn of(level: Level, is_coloured: bool) -> Self {
        if !is_coloured {
            return Paint {
                dim: b"",
                level: "",
                reset: "",
            };
        }
        let level = match level {
            Level::ERROR => "\x1b[0;31m",
            Level::WARN => "\x1b[0;33m",
            Level::INFO => "\x1b[0;32m",
            _ => "\x1b[0;34m",
        };
        Paint {
            dim: b"\x1b[2m",
            level,
            reset: "\x1b[0m",
        }
    }
}

/// Text without control characters, which could forge a line or steer the terminal.
struct OneLine<'a>(&'a dyn Display);

impl Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", Forgiving(self.0))
    }
}

struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| {
            if c.is_control() {
                write!(self.0, "{}", c.escape_default())
            } else {
                self.0.write_char(c)
            }
        })
    }
}

/// Text that is quoted when it is not a plain word.
struct OneWord<'a>(&'a dyn Display);

impl Display for OneWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Forgiving(self.0).to_string();
        let is_plain = |c: char| c.is_alphanumeric() || "-_./:+@%#[]<>".contains(c);
        if !text.is_empty() && text.chars().all(is_plain) {
            f.write_str(&text)
        } else {
            write!(f, "{text:?}")
        }
    }
}

#[cfg(test)]
mod tests;
