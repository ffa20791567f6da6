//! The text of a document: how it is read, and how a place in it is shown without its secrets.

use crate::{Finding, Findings, Place, path::Path};
use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    path::{Path as FilePath, PathBuf},
};

/// The largest document, in bytes.
const MAX_DOCUMENT: u64 = 4 << 20;
/// The longest line that is shown, in bytes.
const MAX_LINE: usize = 1_000;
/// Keys with such a word in them may hold secrets, whatever table they stand in.
const SECRET_WORDS: [&str; 6] = ["key", "token", "secret", "password", "credential", "authorization"];

/// The text of a document and its name.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) file: Option<PathBuf>,
    pub(crate) text: String,
}

// === impl Source ===

impl Source {
    /// Takes a text without its byte order mark; `file` is what findings name.
    pub(crate) fn new(file: Option<&FilePath>, text: &str) -> Self {
        Source {
            file: file.map(FilePath::to_owned),
            text: text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        }
    }

    /// Reads a file, or says why it is no text.
    pub(crate) fn read(file: &FilePath) -> Result<Self, Findings> {
        let refuse = |message: &str, help: &str| {
            let finding = Source::new(Some(file), "").finding(message);
            Err(Findings(vec![finding.help(help)]))
        };
        if file.is_dir() {
            return refuse("this is a directory", "name a TOML file in it");
        }
        let bytes = match read(file, MAX_DOCUMENT) {
            Ok(bytes) => bytes,
            Err(error) => {
                let help = "name a TOML file that the program may read, of at most 4 MiB";
                return refuse(&format!("the file cannot be read: {error}"), help);
            }
        };
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return refuse("the file is UTF-16", "save it as UTF-8");
        }
        let text = String::from_utf8_lossy(&bytes);
        let source = Source::new(Some(file), &text);
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(source),
            Err(error) => {
                let at = error
                    .valid_up_to()
                    .saturating_sub(text.len().saturating_sub(source.text.len()));
                let mut finding = source
                    .finding("the file is not UTF-8 from here on")
                    .help("save it as UTF-8");
                source.show(&mut finding, at..at, &source.suspects());
                Err(Findings(vec![finding]))
            }
        }
    }

    /// A finding about the document as a whole.
    pub(crate) fn finding(&self, message: impl Into<String>) -> Finding {
        Finding {
            file: self.file.clone(),
            ..Finding::error(&Path::default(), message)
        }
    }

    /// Gives a finding the place of these bytes and their line, in which `masks` cover what may be secret.
    pub(crate) fn show(&self, finding: &mut Finding, span: Range<usize>, masks: &[Range<usize>]) {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
        let rest = self.text.get(start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let end = span.end.min(start.saturating_add(line.len()));
        let marked = self.text.get(span.start..end).unwrap_or_default();
        let column = before.get(start..).unwrap_or_default().chars().count();
        finding.place = Some(Place {
            line: before.matches('\n').count().saturating_add(1),
            column: column.saturating_add(1),
            length: marked.chars().count().max(1),
        });
        let line_end = start.saturating_add(line.len());
        let masks = masks.iter().filter(|mask| mask.start < line_end && start < mask.end);
        finding.source = (line.len() <= MAX_LINE).then(|| masked(line, start, &masks.collect::<Vec<_>>()));
    }

    /// What may be secret in a text that is no document: all that comes after a key that sounds like one, up to the next
    /// key or table.
    pub(crate) fn suspects(&self) -> Vec<Range<usize>> {
        let mut suspects = Vec::new();
        let (mut at, mut is_secret) = (0_usize, false);
        for line in self.text.split_inclusive('\n') {
            let end = at.saturating_add(line.len());
            let from = secret_from(line);
            is_secret = from.is_some() || (is_secret && !starts_anew(line));
            if is_secret {
                suspects.push(at.saturating_add(from.unwrap_or_default())..end);
            }
            at = end;
        }
        suspects
    }
}

/// Where the value of a key begins that may hold a secret.
fn secret_from(line: &str) -> Option<usize> {
    line.match_indices('=').find_map(|(at, _)| {
        let key = line
            .get(..at)?
            .trim_end()
            .trim_end_matches(['"', '\''])
            .to_ascii_lowercase();
        let is_secret = SECRET_WORDS.iter().any(|word| key.ends_with(word));
        let value = line.get(at..)?.trim_start_matches(['=', ' ', '\t']);
        is_secret.then(|| line.len().saturating_sub(value.len()))
    })
}

/// Whether a line begins a table or another key, rather than going on with a value.
fn starts_anew(line: &str) -> bool {
    let value = line.split_once('=').map_or("", |(_, value)| value.trim());
    line.trim_start().starts_with('[') || !(value.is_empty() || value.starts_with('='))
}

/// The line that begins at `start` in its document, with `*` for all in the masks but quotes.
fn masked(line: &str, start: usize, masks: &[&Range<usize>]) -> String {
    let mask = |(at, c): (usize, char)| {
        let is_masked = masks.iter().any(|mask| mask.contains(&start.saturating_add(at)));
        if is_masked && !matches!(c, '"' | '\'') { '*' } else { c }
    };
    line.char_indices().map(mask).collect()
}

/// Reads a file that is no larger than `most` bytes.
pub(crate) fn read(file: &FilePath, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= most) {
        true => Ok(bytes),
        false => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {most} bytes"),
        )),
    }
}

#[cfg(test)]
mod tests;
