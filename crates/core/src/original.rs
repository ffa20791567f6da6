//! A request's body as it came, with the places of its top-level fields.
//!
//! Whoever writes to a wire of the same dialect sends these bytes, with only the fields patched that must differ; so
//! unknown fields and the spelling of numbers survive, and nothing is built twice.

use bytes::Bytes;
use std::ops::Range;

/// A wire format that a body or an event is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI Chat Completions; vLLM and llama.cpp speak it too.
    Chat,
    /// Anthropic Messages.
    Messages,
    /// Ollama's own `/api/chat`.
    Ollama,
}

/// The place of one top-level field of a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name, unescaped.
    pub name: Box<str>,
    /// Where its value stands in the body, in bytes.
    pub value: Range<usize>,
}

/// A JSON object as it came: its bytes and the places of its top-level fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// The format that the body is written in.
    pub dialect: Dialect,
    /// The whole body: one valid JSON object.
    pub body: Bytes,
    /// Its top-level fields in order, no name twice.
    pub fields: Vec<Field>,
}

// === impl Original ===

impl Original {
    /// The JSON text of a top-level field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| *field.name == *name)?;
        self.body
            .get(field.value.clone())
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The body with some top-level fields replaced by new JSON text or, with `None`, taken out. A field that is not
    /// there yet is added at the end; the others keep their bytes and their order.
    pub fn patched(&self, patches: &[(&str, Option<&[u8]>)]) -> Bytes {
        if patches.is_empty() {
            return self.body.clone();
        }
        let patch = |name: &str| patches.iter().find(|(patched, _)| *patched == name);
        let kept = self.fields.iter().filter_map(|field| match patch(&field.name) {
            Some((_, new)) => new.map(|new| (&*field.name, new)),
            None => self.body.get(field.value.clone()).map(|old| (&*field.name, old)),
        });
        let is_new = |name: &str| self.fields.iter().all(|field| *field.name != *name);
        let added = patches
            .iter()
            .filter(|(name, _)| is_new(name))
            .filter_map(|(name, new)| Some((*name, (*new)?)));
        write_object(kept.chain(added), self.body.len().saturating_add(256))
    }
}

fn write_object<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>, capacity: usize) -> Bytes {
    let mut out = Vec::with_capacity(capacity);
    out.push(b'{');
    for (name, value) in fields {
        if out.len() > 1 {
            out.push(b',');
        }
        write_string(&mut out, name);
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
    out.into()
}

/// Appends `text` as a JSON string.
fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
            '\0'..='\x1f' => out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes()),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
