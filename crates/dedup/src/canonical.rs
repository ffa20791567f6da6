//! JSON in one spelling: no blanks, keys in order, texts without escapes. Numbers keep their text, since what a server
//! makes of `1.0` and `1` is not known here.
//!
//! Works on bytes that are known to be valid JSON, and on any others without a panic.

use std::borrow::Cow;

/// Objects and arrays inside each other; deeper ones are refused.
const MAX_DEPTH: usize = 128;

/// The value is nested too deeply, or is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Appends the canonical spelling of a JSON value. Each text carries its length, so that no two values are spelt alike.
pub(crate) fn write(value: &str, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    let mut reader = Reader { rest: value };
    reader.value(out, 0)?;
    reader.skip_blanks();
    if reader.rest.is_empty() {
        Ok(())
    } else {
        Err(Unreadable)
    }
}

struct Reader<'a> {
    rest: &'a str,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable);
        }
        self.skip_blanks();
        match self.rest.as_bytes().first() {
            Some(b'{') => self.object(out, depth),
            Some(b'[') => self.array(out, depth),
            Some(b'"') => {
                write_text(&self.text()?, out);
                Ok(())
            }
            _ => self.word(out),
        }
    }

    fn object(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), Unreadable> {
        self.take('{')?;
        let mut entries: Vec<(Cow<'a, str>, Vec<u8>)> = Vec::new();
        while !self.try_take('}') {
            if !entries.is_empty() {
                self.take(',')?;
                self.skip_blanks();
            }
            let key = self.text()?;
            self.take(':')?;
            let mut value = Vec::new();
            self.value(&mut value, depth.saturating_add(1))?;
            entries.push((key, value));
        }
        // A stable order: a key that stands twice keeps both values, in their order.
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        out.push(b'{');
        for (key, value) in entries {
            write_text(&key, out);
            out.extend_from_slice(&value);
        }
        out.push(b'}');
        Ok(())
    }

    fn array(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), Unreadable> {
        self.take('[')?;
        out.push(b'[');
        let mut first = true;
        while !self.try_take(']') {
            if !std::mem::take(&mut first) {
                self.take(',')?;
            }
            self.value(out, depth.saturating_add(1))?;
        }
        out.push(b']');
        Ok(())
    }

    /// A text without its quotes; borrowed unless it has escapes.
    fn text(&mut self) -> Result<Cow<'a, str>, Unreadable> {
        let inner = self.rest.strip_prefix('"').ok_or(Unreadable)?;
        let mut escaped = false;
        let mut from = 0;
        loop {
            let at = inner
                .get(from..)
                .and_then(|rest| rest.find(['"', '\\']))
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
    fn word(&mut self, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let end = self
            .rest
            .find([',', ']', '}', ' ', '\t', '\n', '\r'])
            .unwrap_or(self.rest.len());
        let (word, rest) = self
            .rest
            .split_at_checked(end)
            .filter(|(word, _)| !word.is_empty())
            .ok_or(Unreadable)?;
        out.extend_from_slice(word.as_bytes());
        out.push(b' ');
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
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
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
