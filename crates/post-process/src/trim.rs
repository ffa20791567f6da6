//! White space at the start and at the end of a whole text.

use crate::Trim;

/// White space in a row beyond which it counts as text, so that what is held back is bounded.
const MAX_SPACE: usize = 64 << 10;

/// One text whose ends are trimmed.
#[derive(Debug, Default)]
pub(crate) struct Trimming {
    has_begun: bool,
    /// White space that is at the end as long as nothing follows.
    held: String,
    /// Whether the white space that is running has grown beyond the limit.
    is_beyond: bool,
}

// === impl Trim ===

impl Trim {
    fn at_start(self) -> bool {
        matches!(self, Trim::Start | Trim::Both)
    }

    fn at_end(self) -> bool {
        matches!(self, Trim::End | Trim::Both)
    }
}

// === impl Trimming ===

impl Trimming {
    /// Takes more text and appends to `out` what is certainly not to be trimmed. The white space that is still held when
    /// no more text comes is what is trimmed.
    pub(crate) fn push(&mut self, trim: Trim, text: &str, out: &mut String) {
        let begun = self.has_begun || !trim.at_start();
        let text = if begun { text } else { text.trim_start() };
        if text.is_empty() {
            return;
        }
        self.has_begun = true;
        if trim.at_end() {
            self.hold_end(text, out);
        } else {
            out.push_str(text);
        }
    }

    fn hold_end(&mut self, text: &str, out: &mut String) {
        let body = text.trim_end();
        if !body.is_empty() {
            out.push_str(&self.held);
            out.push_str(body);
            self.held.clear();
            self.is_beyond = false;
        }
        self.held.push_str(text.get(body.len()..).unwrap_or_default());
        if self.is_beyond || self.held.len() > MAX_SPACE {
            out.push_str(&self.held);
            self.held.clear();
            self.is_beyond = true;
        }
    }
}

#[cfg(test)]
mod tests;
