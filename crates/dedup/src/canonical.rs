//! JSON in one spelling: no blanks, keys in order, texts without escapes. Numbers keep their text, since what a server
//! makes of `1.0` and `1` is not known here.
//!
//! Works on bytes that are known to be valid JSON, and on any others without a panic. Each byte is spelt once, in the order
//! of the document, and copied once, in the order of the keys, however deep it stands.

use memchr::memchr2;
use std::ops::Range;

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
    /// The entries of the objects that are being read, one inside the other.
    open: Vec<Entry>,
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
    rest: &'a [u8],
    to: &'s mut Speller,
}

// === impl Speller ===

impl Speller {
    /// Appends the canonical spelling of a JSON value. Each text carries its length, so that no two values are spelt alike.
    pub(crate) fn write(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Unreadable> {
        self.spelt.clear();
        self.objects.clear();
        self.entries.clear();
        self.open.clear();
        let mut reader = Reader { rest: value, to: self };
        reader.value(0)?;
        if reader.peek().is_some() {
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
        self.open.clear();
        self.open.shrink_to(items);
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

    /// Ends the object that began at `start`, whose entries are open from `first` on; notes it, if its keys are not in order.
    fn end(&mut self, start: usize, first: usize) {
        let Speller { spelt, open, .. } = self;
        let key = |entry: &Entry| spelt.get(entry.spelt.start..entry.key_end).unwrap_or_default();
        let entries = open.get_mut(first..).unwrap_or_default();
        if !entries.is_sorted_by_key(key) {
            // A stable order: a key that stands twice keeps both values, in their order.
            entries.sort_by(|a, b| key(a).cmp(key(b)));
            let noted = self.entries.len();
            self.entries.extend(self.open.drain(first..));
            self.objects.push(Object {
                spelt: start..self.spelt.len(),
                entries: noted..self.entries.len(),
            });
        }
        self.open.truncate(first);
    }
}

// === impl Reader ===

impl<'a> Reader<'a, '_> {
    fn value(&mut self, depth: usize) -> Result<(), Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable);
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.text(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Unreadable> {
        self.take(b'{')?;
        let (start, first) = (self.to.spelt.len(), self.to.open.len());
        self.to.spelt.push(b'{');
        while !self.ends(b'}', self.to.open.len() == first)? {
            let start = self.to.spelt.len();
            self.text()?;
            let key_end = self.to.spelt.len();
            self.take(b':')?;
            self.value(depth.saturating_add(1))?;
            self.to.open.push(Entry {
                spelt: start..self.to.spelt.len(),
                key_end,
            });
        }
        self.to.end(start, first);
        self.to.spelt.push(b'}');
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), Unreadable> {
        self.take(b'[')?;
        self.to.spelt.push(b'[');
        let mut is_first = true;
        while !self.ends(b']', is_first)? {
            self.value(depth.saturating_add(1))?;
            is_first = false;
        }
        self.to.spelt.push(b']');
        Ok(())
    }

    /// Whether the object or array ends here; if not, the comma before all but the first entry is stepped over.
    fn ends(&mut self, bracket: u8, is_first: bool) -> Result<bool, Unreadable> {
        if self.peek() == Some(bracket) {
            return self.take(bracket).map(|()| true);
        }
        if !is_first {
            self.take(b',')?;
        }
        Ok(false)
    }

    /// A text by what it says: without its quotes and escapes.
    fn text(&mut self) -> Result<(), Unreadable> {
        self.peek();
        let [b'"', inner @ ..] = self.rest else {
            return Err(Unreadable);
        };
        let mut len = end_of_plain(inner, 0)?;
        let mut is_escaped = false;
        while inner.get(len) == Some(&b'\\') {
            is_escaped = true;
            len = end_of_plain(inner, len.saturating_add(2))?;
        }
        let (text, rest) = inner.split_at_checked(len).ok_or(Unreadable)?;
        if is_escaped {
            let quoted = self.rest.get(..len.saturating_add(2)).ok_or(Unreadable)?;
            let text: String = serde_json::from_slice(quoted).map_err(|_| Unreadable)?;
            write_text(text.as_bytes(), &mut self.to.spelt);
        } else {
            write_text(text, &mut self.to.spelt);
        }
        self.rest = rest.get(1..).unwrap_or_default();
        Ok(())
    }

    /// A number, `true`, `false` or `null`, by its text.
    fn word(&mut self) -> Result<(), Unreadable> {
        let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        if word.is_empty() {
            return Err(Unreadable);
        }
        self.to.spelt.extend_from_slice(word);
        self.to.spelt.push(b' ');
        self.rest = rest;
        Ok(())
    }

    /// Steps over the byte that must come next.
    fn take(&mut self, byte: u8) -> Result<(), Unreadable> {
        self.peek().filter(|next| *next == byte).ok_or(Unreadable)?;
        self.rest = self.rest.get(1..).unwrap_or_default();
        Ok(())
    }

    /// The first byte behind the blanks.
    fn peek(&mut self) -> Option<u8> {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        self.rest.first().copied()
    }
}

/// Where the first quote or backslash stands from `from` on.
fn end_of_plain(text: &[u8], from: usize) -> Result<usize, Unreadable> {
    let found = text.get(from..).and_then(|rest| memchr2(b'"', b'\\', rest));
    found.and_then(|at| at.checked_add(from)).ok_or(Unreadable)
}

/// A text with its length before it: seven bits a byte, the lowest first, and a high bit where more follow (LEB128).
pub(crate) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut len = text.len();
    while len >= 0x80 {
        let [low, ..] = len.to_le_bytes();
        out.push(low | 0x80);
        len >>= 7;
    }
    let [low, ..] = len.to_le_bytes();
    out.push(low);
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests;
