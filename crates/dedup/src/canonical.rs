//! JSON in one spelling: no blanks, keys in order, texts without escapes. Numbers keep their text, since what a server
//! makes of `1.0` and `1` is not known here.
//!
//! Works on bytes that are known to be valid JSON, and on any others without a panic. Each byte is spelt once, in the order
//! of the document, and copied once, in the order of the keys, however deep it stands.

use memchr::memchr2;
use std::{borrow::Cow, ops::Range};

/// Objects and arrays inside each other; deeper ones are refused.
const MAX_DEPTH: usize = 128;

/// The value is nested too deeply, or is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Spells values; keeps its memory from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Speller {
    /// The value, its keys in the order of the document.
    spelt: Vec<u8>,
    /// The objects whose keys are to be put in order, by where they begin.
    objects: Vec<Object>,
    /// The entries of these objects, in the order of their keys.
    entries: Vec<Entry>,
}

/// An object, from its brace to before the other one.
#[derive(Debug)]
struct Object {
    spelt: Range<usize>,
    entries: Range<usize>,
}

/// A key and its value.
#[derive(Debug)]
struct Entry {
    spelt: Range<usize>,
    key_end: usize,
}

struct Reader<'a, 's> {
    rest: &'a str,
    to: &'s mut Speller,
}

// === impl Speller ===

impl Speller {
    /// Appends the canonical spelling of a JSON value. Each text carries its length, so that no two values are spelt alike.
    pub(crate) fn write(&mut self, value: &str, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        self.spelt.clear();
        self.objects.clear();
        self.entries.clear();
        let mut reader = Reader { rest: value, to: self };
        reader.value(0)?;
        reader.skip_blanks();
        if !reader.rest.is_empty() {
            return Err(Unreadable);
        }
        self.objects.sort_unstable_by_key(|object| object.spelt.start);
        out.reserve(self.spelt.len());
        self.emit(0..self.spelt.len(), out);
        Ok(())
    }

    /// Empties the buffers, and gives back what is more than about these bytes of each.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        // An object or an entry takes at most 32 bytes.
        let items = bytes / 32;
        self.spelt.clear();
        self.spelt.shrink_to(bytes);
        self.objects.clear();
        self.objects.shrink_to(items);
        self.entries.clear();
        self.entries.shrink_to(items);
    }

    /// Copies what is spelt in a range, with the keys of all objects in it in order.
    fn emit(&self, range: Range<usize>, out: &mut Vec<u8>) {
        let mut at = range.start;
        loop {
            let next = self.objects.partition_point(|object| object.spelt.start < at);
            let object = self.objects.get(next).filter(|object| object.spelt.start < range.end);
            let end = object.map_or(range.end, |object| object.spelt.start);
            out.extend_from_slice(self.spelt.get(at..end).unwrap_or_default());
            let Some(object) = object else { return };
            out.push(b'{');
            for entry in self.entries.get(object.entries.clone()).unwrap_or_default() {
                self.emit(entry.spelt.clone(), out);
            }
            at = object.spelt.end;
        }
    }

    /// Notes an object that has just been spelt, if its keys are not in order.
    fn end(&mut self, start: usize, mut entries: Vec<Entry>) {
        let key = |entry: &Entry| self.spelt.get(entry.spelt.start..entry.key_end).unwrap_or_default();
        if entries.is_sorted_by_key(key) {
            return;
        }
        // A stable order: a key that stands twice keeps both values, in their order.
        entries.sort_by(|a, b| key(a).cmp(key(b)));
        let first = self.entries.len();
        self.entries.extend(entries);
        self.objects.push(Object {
            spelt: start..self.spelt.len(),
            entries: first..self.entries.len(),
        });
    }
}

// === impl Reader ===

impl<'a> Reader<'a, '_> {
    fn value(&mut self, depth: usize) -> Result<(), Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable);
        }
        self.skip_blanks();
        match self.rest.as_bytes().first() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => {
                let text = self.text()?;
                write_text(&text, &mut self.to.spelt);
                Ok(())
            }
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Unreadable> {
        self.take('{')?;
        let begin = self.to.spelt.len();
        self.to.spelt.push(b'{');
        let mut entries: Vec<Entry> = Vec::new();
        while !self.try_take('}') {
            if !entries.is_empty() {
                self.take(',')?;
                self.skip_blanks();
            }
            let start = self.to.spelt.len();
            let key = self.text()?;
            write_text(&key, &mut self.to.spelt);
            let key_end = self.to.spelt.len();
            self.take(':')?;
            self.value(depth.saturating_add(1))?;
            entries.push(Entry {
                spelt: start..self.to.spelt.len(),
                key_end,
            });
        }
        self.to.end(begin, entries);
        self.to.spelt.push(b'}');
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), Unreadable> {
        self.take('[')?;
        self.to.spelt.push(b'[');
        let mut first = true;
        while !self.try_take(']') {
            if !std::mem::take(&mut first) {
                self.take(',')?;
            }
            self.value(depth.saturating_add(1))?;
        }
        self.to.spelt.push(b']');
        Ok(())
    }

    /// A text without its quotes; borrowed unless it has escapes.
    fn text(&mut self) -> Result<Cow<'a, str>, Unreadable> {
        let inner = self.rest.strip_prefix('"').ok_or(Unreadable)?;
        let mut escaped = false;
        let mut from = 0;
        loop {
            let at = inner
                .as_bytes()
                .get(from..)
                .and_then(|rest| memchr2(b'"', b'\\', rest))
                .and_then(|at| at.checked_add(from));
            let at = at.ok_or(Unreadable)?;
            if inner.as_bytes().get(at) == Some(&b'"') {
                let (text, rest) = inner.split_at(at);
                let quoted_len = text.len().saturating_add(2);
                let quoted = self.rest.get(..quoted_len).ok_or(Unreadable)?;
                self.rest = rest.get(1..).ok_or(Unreadable)?;
                return match escaped {
                    false => Ok(Cow::Borrowed(text)),
                    true => serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| Unreadable),
                };
            }
            escaped = true;
            from = at.saturating_add(2);
        }
    }

    /// A number, `true`, `false` or `null`, by its text.
    fn word(&mut self) -> Result<(), Unreadable> {
        let end = self.rest.bytes().position(|byte| b",]} \t\n\r".contains(&byte));
        let end = end.unwrap_or(self.rest.len());
        let (word, rest) = self
            .rest
            .split_at_checked(end)
            .filter(|(word, _)| !word.is_empty())
            .ok_or(Unreadable)?;
        self.to.spelt.extend_from_slice(word.as_bytes());
        self.to.spelt.push(b' ');
        self.rest = rest;
        Ok(())
    }

    fn take(&mut self, c: char) -> Result<(), Unreadable> {
        if self.try_take(c) { Ok(()) } else { Err(Unreadable) }
    }

    fn try_take(&mut self, c: char) -> bool {
        self.skip_blanks();
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        if rest.is_some() {
            self.skip_blanks();
        }
        rest.is_some()
    }

    fn skip_blanks(&mut self) {
        let blanks = self.rest.bytes().take_while(|byte| b" \t\n\r".contains(byte));
        self.rest = self.rest.get(blanks.count()..).unwrap_or_default();
    }
}

/// A text with its length before it.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(&text.len().to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests;
