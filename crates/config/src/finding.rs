//! What is wrong with a configuration, and where.

use crate::path::Path;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};
use serde::Serialize;
use std::{fmt, ops::Range, path::PathBuf};

/// One thing that is wrong, or that its author may not have meant. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it keeps the program from running.
    pub severity: Severity,
    /// The document, when the value comes from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The environment variable or flag, when the value comes from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// Where in the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The line of the document, with `*` for what may be a secret; none when it is too long to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The field; empty when it is the document as a whole.
    pub path: Path,
    /// What was found.
    pub message: String,
    /// What may stand there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The bytes of the document, where they are not those of the field.
    #[serde(skip)]
    pub(crate) span: Option<Range<usize>>,
}

/// Whether a finding keeps the program from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but something may not be as its author meant it.
    Warning,
}

/// A place in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The first character in the line, from 1.
    pub column: usize,
    /// Characters in this line, at least 1.
    pub length: usize,
}

/// All that is wrong with a configuration, in the order of the document, warnings among them; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n\n"))]
pub struct Findings(pub Vec<Finding>);

// === impl Finding ===

impl Finding {
    /// Something that keeps the program from running.
    pub(crate) fn error(path: &Path, message: impl Into<String>) -> Self {
        Finding {
            severity: Severity::Error,
            file: None,
            variable: None,
            place: None,
            source: None,
            path: path.clone(),
            message: message.into(),
            allowed: None,
            help: None,
            span: None,
        }
    }

    /// Something that may not be meant.
    pub(crate) fn warning(path: &Path, message: impl Into<String>) -> Self {
        Finding {
            severity: Severity::Warning,
            ..Finding::error(path, message)
        }
    }

    pub(crate) fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    pub(crate) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The finding for a terminal, in colours.
    pub fn coloured(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let path = Some(self.path.to_string()).filter(|path| !path.is_empty());
        let notes = [("field", &path), ("allowed", &self.allowed), ("help", &self.help)];
        let notes = notes.into_iter().filter_map(|(name, note)| {
            let note = normalize_untrusted_str(note.as_ref()?);
            Some(Level::NOTE.with_name(name).message(note))
        });
        let group = self.located(Group::with_title(level.primary_title(&self.message)));
        renderer.render(&[group.elements(notes)])
    }

    /// Adds the place, with its line of the document where that is known.
    fn located<'a>(&'a self, group: Group<'a>) -> Group<'a> {
        let file = self.file.as_ref().map(|file| file.display().to_string());
        match (&self.variable, file, self.place, &self.source) {
            (Some(variable), ..) => group.element(Origin::path(format!("environment: {variable}"))),
            (_, None, ..) => group,
            (_, Some(file), None, _) => group.element(Origin::path(file)),
            (_, Some(file), Some(place), None) => {
                group.element(Origin::path(file).line(place.line).char_column(place.column))
            }
            (_, Some(file), Some(place), Some(source)) => {
                let mark = AnnotationKind::Primary.span(place.bytes_of(source));
                let snippet = Snippet::source(source).line_start(place.line).path(file);
                group.element(snippet.annotation(mark))
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

// === impl Place ===

impl Place {
    /// The bytes of the place in its line.
    fn bytes_of(self, line: &str) -> Range<usize> {
        let byte = |chars: usize| line.char_indices().nth(chars).map_or(line.len(), |(byte, _)| byte);
        let start = self.column.saturating_sub(1);
        byte(start)..byte(start.saturating_add(self.length))
    }
}

#[cfg(test)]
mod tests;
