//! JSON by borrowing: texts as slices of the body they came in, the places of an object's fields, and the little writing
//! that events need. No value is built that nobody asks for.

use bytes::Bytes;
use orchestrator_core::{Code, Failure, Field, Text};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, ops::Range};

/// The deepest nesting of a request. Values that are passed on unread are not bounded by the parser itself.
pub(crate) const MAX_DEPTH: usize = 128;
/// Fields of one object that we look into; far more than any API knows.
pub(crate) const MAX_FIELDS: usize = 256;
/// The largest count that is believed: the largest whole number that every JSON reader keeps exact.
const MAX_COUNT: u64 = 1 << 53;
/// Characters of a client's own value that an error text repeats.
const SHOWN: usize = 40;

/// A text, or nothing where it is `null` or not there; borrowed where it has no escapes. (`Option<Cow<str>>` never borrows.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Str<'a>(pub(crate) Option<Cow<'a, str>>);

/// A count that some servers get wrong: anything but a plausible whole number counts as absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) Option<u64>);

/// The fields of an object in order, no name twice.
#[derive(Debug)]
pub(crate) struct Fields<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

/// The name of a field, borrowed where it has no escapes.
#[derive(Deserialize)]
pub(crate) struct Name<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

// === impl Str ===

impl<'a> Str<'a> {
    /// The text unless it is empty.
    pub(crate) fn some(self) -> Option<Cow<'a, str>> {
        self.0.filter(|text| !text.is_empty())
    }

    /// The text as a shared slice of `whole`, unless it is empty.
    pub(crate) fn shared(self, whole: &Text) -> Option<Text> {
        self.some().map(|text| shared(whole, text))
    }

    /// The text, empty where there is none.
    pub(crate) fn get(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;

        impl<'de> Visitor<'de> for Words {
            type Value = Str<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or null")
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Str(None))
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Str(Some(Cow::Borrowed(text))))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Str(Some(Cow::Owned(text.to_owned()))))
            }
        }

        deserializer.deserialize_any(Words)
    }
}

// === impl Count ===

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Count(raw.get().parse().ok().filter(|count| *count <= MAX_COUNT)))
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// Reads the object that `text` is; the failure names `at`, the object's path in the request.
    pub(crate) fn read(text: &'a str, at: &str) -> Result<Self, Failure> {
        if !text.trim_start().starts_with('{') {
            return Err(wrong(at, "an object", text));
        }
        serde_json::from_str(text).map_err(|error| broken(at, &error))
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// The fields' places in `whole`, which they were read from.
    pub(crate) fn places(&self, whole: &str) -> Vec<Field> {
        let place = |(name, value): &(Cow<'a, str>, &'a RawValue)| {
            Some(Field {
                name: name.as_ref().into(),
                value: range(whole, value.get())?,
            })
        };
        self.0.iter().filter_map(place).collect()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    if fields.len() >= MAX_FIELDS || fields.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom("a field stands twice, or there are too many"));
                    }
                    fields.push((name, map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

// === reading ===

/// The body as text; the failure says where it is no UTF-8, or that it is nested too deep.
pub(crate) fn body_text(body: Bytes) -> Result<Text, Failure> {
    let text = Text::try_from(body.clone()).map_err(|error| {
        let place = place(&body, error.valid_up_to());
        invalid("", format!("The body is not valid UTF-8 at {place}."))
    })?;
    if let Some(at) = too_deep(&text) {
        let text = format!(
            "The body is nested more than {MAX_DEPTH} levels deep at {}.",
            place(&body, at)
        );
        return Err(invalid("", text));
    }
    Ok(text)
}

/// Where brackets first stand deeper than [`MAX_DEPTH`], for any text; strings are skipped as JSON has them.
fn too_deep(text: &str) -> Option<usize> {
    // Most texts have too few brackets to be too deep.
    memchr::memchr2_iter(b'[', b'{', text.as_bytes()).nth(MAX_DEPTH)?;
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b'[' | b'{') => depth = depth.saturating_add(1),
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Some(at);
        }
    }
    None
}

/// A text out of `whole` as a shared slice of it, or on its own where it had to be unescaped.
pub(crate) fn shared(whole: &Text, text: Cow<'_, str>) -> Text {
    match text {
        Cow::Borrowed(part) if range(whole, part).is_some() => whole.slice_ref(part),
        text => text.into_owned().into(),
    }
}

/// Where `part`, a slice of `whole`, stands in it; `None` when it is no slice of it.
pub(crate) fn range(whole: &str, part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(part.len()).filter(|end| *end <= whole.len())?;
    Some(start..end)
}

/// The text that a JSON value is; `None` when it is none, or has a broken escape such as half of a surrogate pair.
pub(crate) fn string(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    match memchr::memchr(b'\\', inner.as_bytes()) {
        None => Some(Cow::Borrowed(inner)),
        Some(_) => serde_json::from_str(value).ok().map(Cow::Owned),
    }
}

// === error texts ===

/// A failure at a place in the request; `""` is the body as a whole, which has no path.
pub(crate) fn invalid(at: &str, text: String) -> Failure {
    match at {
        "" => Failure::new(Code::InvalidRequest, text),
        at => Failure::invalid(at, text),
    }
}

/// A failure that says what was found at `at` and what is allowed there.
pub(crate) fn wrong(at: &str, allowed: &str, found: &str) -> Failure {
    invalid(
        at,
        format!("{} must be {allowed}, found {}.", named(at), describe(found)),
    )
}

/// A failure for JSON that the parser refused. Its line and column hold for the body as a whole only; what it says of types
/// quotes the value, which is left out.
pub(crate) fn broken(at: &str, error: &serde_json::Error) -> Failure {
    let mut text = error.to_string();
    if !at.is_empty() {
        text.truncate(text.rfind(" at line ").unwrap_or(text.len()));
    }
    if let Some((_, expected)) = text.rsplit_once(", expected ").filter(|_| error.is_data()) {
        text = format!("expected {expected}");
    }
    invalid(at, format!("{} is not valid: {text}.", named(at)))
}

fn named(at: &str) -> String {
    match at {
        "" => "The body".to_owned(),
        at => format!("`{at}`"),
    }
}

/// What a value is, in words: for error texts. Numbers and single words are repeated, texts that could be content are not.
fn describe(value: &str) -> String {
    let value = value.trim_ascii();
    let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    match value.as_bytes().first() {
        Some(b'"') => match string(value).filter(|text| text.len() <= SHOWN && is_word(text)) {
            Some(word) => format!("the text \"{word}\""),
            None => "a text".to_owned(),
        },
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "an array".to_owned(),
        Some(b't' | b'f' | b'n') => brief(value),
        Some(b'-' | b'0'..=b'9') => format!("the number {}", brief(value)),
        _ => "nothing that is JSON".to_owned(),
    }
}

/// The beginning of a text, for repeating it.
pub(crate) fn brief(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

/// Line and column, from 1, of the byte at `offset`.
fn place(body: &[u8], offset: usize) -> String {
    let before = body.get(..offset).unwrap_or(body);
    let line = memchr::memchr_iter(b'\n', before).count().saturating_add(1);
    let start = memchr::memrchr(b'\n', before).map_or(0, |at| at.saturating_add(1));
    let column = before.len().saturating_sub(start).saturating_add(1);
    format!("line {line} column {column}")
}

// === writing ===

/// Appends `text` as a JSON string.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing a text to memory cannot fail.
    serde_json::to_writer(out, text).unwrap_or_default();
}

/// Appends a number.
pub(crate) fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// `value` as JSON text. What is handed in serializes by its type, so that it cannot fail.
pub(crate) fn render(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
