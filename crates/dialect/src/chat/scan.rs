//! The one pass over a request: where its top-level fields stand, and where each message and its parts do.
//!
//! The parser hands out values as slices but not the ends of arrays and objects that are read in parts; those follow from
//! the last slice, since nothing but white space stands between it and the bracket.

use crate::json::{MAX_FIELDS, Name, brief, broken, invalid, range, wrong};
use orchestrator_core::Failure;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use smallvec::SmallVec;
use std::{borrow::Cow, fmt, ops::Range};

/// What stands where in a request.
#[derive(Debug, Default)]
pub(super) struct Scan<'a> {
    text: &'a str,
    /// The top-level fields in order, no name twice.
    pub(super) fields: Vec<(Cow<'a, str>, Range<usize>)>,
    /// The messages, where they are an array.
    pub(super) messages: Vec<Element<'a>>,
    /// Where the last value ended that was read as a slice.
    end: usize,
    /// What is wrong, where the parser does not know it.
    fault: Option<Failure>,
}

/// One element of `messages`.
#[derive(Debug, Default)]
pub(super) struct Element<'a> {
    /// Its text.
    pub(super) raw: &'a str,
    /// Its role; `None` also for an element that is no object.
    pub(super) role: Option<&'a str>,
    /// Its content, unless that is `null`.
    pub(super) content: Option<&'a str>,
}

struct Body<'s, 'a>(&'s mut Scan<'a>);
struct Messages<'s, 'a>(&'s mut Scan<'a>);
struct Message<'s, 'a>(&'s mut Scan<'a>);

// === impl Scan ===

impl<'a> Scan<'a> {
    /// Reads one JSON object to its end. The failure says in which line and column it is broken, or which field is.
    pub(super) fn read(text: &'a str) -> Result<Self, Failure> {
        if !text.trim_ascii_start().is_empty() && !text.trim_ascii_start().starts_with('{') {
            return Err(wrong("", "a JSON object", text));
        }
        let mut scan = Scan {
            text,
            ..Scan::default()
        };
        let mut parser = serde_json::Deserializer::from_str(text);
        let read = Body(&mut scan).deserialize(&mut parser).and_then(|()| parser.end());
        match (scan.fault.take(), read) {
            (Some(fault), _) => Err(fault),
            (None, Err(error)) => Err(broken("", &error)),
            (None, Ok(())) => Ok(scan),
        }
    }

    /// The text of a value in it.
    pub(super) fn value(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The first byte of the value that comes next, behind a comma or behind the next `after`.
    fn next_byte(&self, after: Option<u8>) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.end..)?;
        let rest = match after {
            Some(after) => rest.get(memchr::memchr(after, rest)?.saturating_add(1)..)?,
            None => rest,
        };
        let is_between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
        rest.iter().copied().find(|byte| !is_between(byte))
    }

    /// Steps over the bracket that comes next.
    fn step_over(&mut self, bracket: u8) -> usize {
        let rest = self.text.as_bytes().get(self.end..).unwrap_or_default();
        let at = memchr::memchr(bracket, rest).unwrap_or(rest.len());
        let start = self.end.saturating_add(at);
        self.end = start.saturating_add(1);
        start
    }

    fn take(&mut self, raw: &'a RawValue) -> &'a str {
        if let Some(range) = range(self.text, raw.get()) {
            self.end = range.end;
        }
        raw.get()
    }

    fn refuse<E: Error>(&mut self, at: String, text: String) -> E {
        self.fault = Some(invalid(&at, text));
        E::custom("refused")
    }
}

// === impl Body ===

impl<'a> DeserializeSeed<'a> for Body<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Body<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let scan = self.0;
        while let Some(Name(name)) = map.next_key()? {
            if scan.fields.iter().any(|(known, _)| *known == name) {
                let name = brief(&name);
                let text = format!("The field `{name}` stands twice: say it once.");
                return Err(scan.refuse(name, text));
            }
            if scan.fields.len() >= MAX_FIELDS {
                let text = format!("The body has more than {MAX_FIELDS} fields.");
                return Err(scan.refuse(String::new(), text));
            }
            let range = if name == "messages" && scan.next_byte(Some(b':')) == Some(b'[') {
                let start = scan.step_over(b'[');
                map.next_value_seed(Messages(scan))?;
                scan.step_over(b']');
                start..scan.end
            } else {
                let value = scan.take(map.next_value()?);
                scan.end.saturating_sub(value.len())..scan.end
            };
            scan.fields.push((name, range));
        }
        Ok(())
    }
}

// === impl Messages ===

impl<'a> DeserializeSeed<'a> for Messages<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for Messages<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element_seed(Message(self.0))? {
            self.0.messages.push(element);
        }
        Ok(())
    }
}

// === impl Message ===

impl<'a> DeserializeSeed<'a> for Message<'_, 'a> {
    type Value = Element<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Element<'a>, D::Error> {
        if self.0.next_byte(None) == Some(b'{') {
            return deserializer.deserialize_map(self);
        }
        let raw = self.0.take(<&RawValue>::deserialize(deserializer)?);
        Ok(Element {
            raw,
            ..Element::default()
        })
    }
}

impl<'a> Visitor<'a> for Message<'_, 'a> {
    type Value = Element<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Element<'a>, A::Error> {
        let scan = self.0;
        let start = scan.step_over(b'{');
        let mut names: SmallVec<[Cow<'a, str>; 4]> = SmallVec::new();
        let mut element = Element::default();
        while let Some(Name(name)) = map.next_key()? {
            let value = scan.take(map.next_value()?);
            if names.len() >= MAX_FIELDS || names.contains(&name) {
                let at = format!("messages[{}].{}", scan.messages.len(), brief(&name));
                let text = format!("`{at}` stands twice, or in a message with too many fields.");
                return Err(scan.refuse(at, text));
            }
            match &*name {
                "role" => element.role = Some(value),
                "content" => element.content = Some(value).filter(|value| *value != "null"),
                _ => {}
            }
            names.push(name);
        }
        scan.step_over(b'}');
        element.raw = scan.text.get(start..scan.end).unwrap_or_default();
        Ok(element)
    }
}

#[cfg(test)]
mod tests;
