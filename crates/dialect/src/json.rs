//! Reading JSON by borrowing: the places of an object's fields, texts as slices of the body, and what a value is in words.

use bytes::Bytes;
use orchestrator_core::{Failure, Field, Text};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, ops::Range};

/// Fields that an object of ours may have at its top; far more than any API knows.
const MAX_FIELDS: usize = 256;

/// The top-level fields of an object in order, no name twice.
pub(crate) struct Fields<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

// === impl Fields ===

impl<'a> Fields<'a> {
    /// Reads one JSON object; the failure says in which line and column it is broken.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Failure> {
        serde_json::from_slice(body).map_err(|error| Failure::invalid("", format!("The body is not valid: {error}.")))
    }

    /// The fields' places in `body`, which they were read from.
    pub(crate) fn places(&self, body: &[u8]) -> Vec<Field> {
        let place = |(name, value): &(Cow<'a, str>, &'a RawValue)| {
            Some(Field {
                name: name.as_ref().into(),
                value: range(body, value.get())?,
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
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(16);
                while let Some(Name(name)) = map.next_key()? {
                    if fields.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format_args!("the field `{name}` stands twice")));
                    }
                    if fields.len() >= MAX_FIELDS {
                        return Err(A::Error::custom(format_args!("more than {MAX_FIELDS} fields")));
                    }
                    fields.push((name, map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// Borrows where the text has no escapes.
#[derive(Deserialize)]
pub(crate) struct Name<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// A count that some servers get wrong: anything but a whole number from 0 counts as absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Any {
            Count(u64),
            Other(IgnoredAny),
        }
        Ok(Count(match Any::deserialize(deserializer)? {
            Any::Count(count) => Some(count),
            Any::Other(IgnoredAny) => None,
        }))
    }
}

/// A text of `body` as a shared slice of it, or on its own where it had to be unescaped.
pub(crate) fn shared(body: &Bytes, text: Cow<'_, str>) -> Text {
    match text {
        Cow::Borrowed(text) => match range(body, text) {
            Some(range) => Text::try_from(body.slice(range)).unwrap_or_default(),
            None => text.into(),
        },
        Cow::Owned(text) => text.into(),
    }
}

/// Where `part`, a slice of `whole`, stands in it; `None` when it is no slice of it.
pub(crate) fn range(whole: &[u8], part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(part.len()).filter(|end| *end <= whole.len())?;
    Some(start..end)
}

/// What a value is, in words and with its beginning: for error texts.
pub(crate) fn describe(value: &RawValue) -> String {
    let text = value.get();
    let kind = match text.as_bytes().first() {
        Some(b'"') => "the string",
        Some(b'{') => return "an object".to_owned(),
        Some(b'[') => return "an array".to_owned(),
        Some(b't' | b'f') => "the boolean",
        Some(b'n') => return "null".to_owned(),
        _ => "the number",
    };
    let shown: String = text.chars().take(40).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    format!("{kind} {shown}{more}")
}

#[cfg(test)]
mod tests;
