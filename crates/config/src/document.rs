//! A document as a tree that knows where each key and value stands, also those that were set from outside.
//!
//! The tree's spans are bytes of the text. What a variable or flag sets has a span behind the text's end, one byte each,
//! so that every value in the tree leads back to where it was written.

use crate::{
    Finding, Findings,
    path::{Path, Step},
    shape::{Kind, Shape},
    source::Source,
};
use std::ops::Range;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The findings that are shown; it takes time to look up the place of each.
const MAX_FINDINGS: usize = 100;
/// The lines that are shown of what is no TOML: one slip confuses what follows.
const MAX_SYNTAX: usize = 3;

/// A value and where it stands.
pub(crate) type Node<'a> = Spanned<DeValue<'a>>;

/// A document on its way to a configuration.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    pub(crate) source: &'a Source,
    pub(crate) root: Node<'a>,
    /// The variables and flags that set something.
    outside: Vec<&'a str>,
}

// === impl Document ===

impl<'a> Document<'a> {
    /// Parses a text; else says in which lines it is no TOML.
    pub(crate) fn parse(source: &'a Source) -> Result<Self, Findings> {
        let (root, mut errors) = DeTable::parse_recoverable(&source.text);
        if errors.is_empty() {
            let (span, table) = (root.span(), root.into_inner());
            return Ok(Document {
                source,
                root: Spanned::new(span, DeValue::Table(table)),
                outside: Vec::new(),
            });
        }
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        let line = |error: &toml::de::Error| {
            let start = error.span().map_or(0, |span| span.start);
            source.text.get(..start).and_then(|before| before.rfind('\n'))
        };
        errors.dedup_by_key(|error| line(error));
        errors.truncate(MAX_SYNTAX);
        let suspects = source.suspects();
        Err(Findings(
            errors
                .iter()
                .map(|error| unreadable(source, error, &suspects))
                .collect(),
        ))
    }

    /// The span for what `name`, a variable or a flag, sets.
    pub(crate) fn span_outside(&mut self, name: &'a str) -> Range<usize> {
        let at = self
            .source
            .text
            .len()
            .saturating_add(self.outside.len())
            .saturating_add(1);
        self.outside.push(name);
        at..at.saturating_add(1)
    }

    /// The value at a path, if there is one.
    pub(crate) fn value(&self, path: &Path) -> Option<&Node<'a>> {
        path.steps()
            .iter()
            .try_fold(&self.root, |node, step| below(node, step).map(|(_, node)| node))
    }

    /// The path of the value that stands at `span`.
    pub(crate) fn path(&self, span: &Range<usize>) -> Option<Path> {
        let mut found = None;
        visit(&self.root, Path::default(), None, &mut |path, node, _| {
            found = found.take().or_else(|| (node.span() == *span).then(|| path.clone()));
        });
        found
    }

    /// Whether a variable or flag set the value at a path.
    pub(crate) fn is_from_outside(&self, path: &Path) -> bool {
        self.value(path)
            .is_some_and(|node| self.variable(&node.span()).is_some())
    }

    /// Gives findings their places, in the order of the document.
    pub(crate) fn located(&self, mut findings: Vec<Finding>, shape: Shape<'_>) -> Vec<Finding> {
        let mut masks = Vec::new();
        visit(&self.root, Path::default(), Some(shape), &mut |_, node, shape| {
            masks.extend(may_be_secret(node.get_ref(), shape).then(|| node.span()));
        });
        let span = |finding: &Finding| finding.span.clone().unwrap_or_else(|| self.span(&finding.path));
        findings.sort_by_key(|finding| span(finding).start);
        let more = findings.split_off(findings.len().min(MAX_FINDINGS));
        for finding in &mut findings {
            let span = span(finding);
            finding.variable = self.variable(&span).map(str::to_owned);
            finding.file = self.source.file.clone().filter(|_| finding.variable.is_none());
            if finding.variable.is_none() && !span.is_empty() {
                self.source.show(finding, span, &masks);
            }
        }
        if let Some(severity) = more.iter().map(|finding| finding.severity).min() {
            let unseen = self.source.finding("there are more findings than are shown");
            let help = Some("mend those above first".to_owned());
            findings.push(Finding {
                severity,
                help,
                ..unseen
            });
        }
        findings
    }

    /// Where the value at a path stands, or else the nearest table above it that is there.
    fn span(&self, path: &Path) -> Range<usize> {
        let (mut node, mut span) = (&self.root, 0..0);
        for step in path.steps() {
            let Some((key, next)) = below(node, step) else { break };
            let is_table = Kind::of(next.get_ref()) == Kind::Table;
            span = key.filter(|_| is_table).unwrap_or_else(|| next.span());
            node = next;
        }
        span
    }

    fn variable(&self, span: &Range<usize>) -> Option<&'a str> {
        let number = span.start.checked_sub(self.source.text.len())?.checked_sub(1)?;
        self.outside.get(number).copied()
    }
}

/// The child of a node, with the span of its key.
fn below<'n, 'a>(node: &'n Node<'a>, step: &Step) -> Option<(Option<Range<usize>>, &'n Node<'a>)> {
    match (node.get_ref(), step) {
        (DeValue::Table(table), Step::Key(key)) => table
            .get_key_value(key.as_str())
            .map(|(key, node)| (Some(key.span()), node)),
        (DeValue::Array(items), Step::Index(index)) => items.get(*index).map(|node| (None, node)),
        _ => None,
    }
}

/// A place where a text is no TOML.
fn unreadable(source: &Source, error: &toml::de::Error, suspects: &[Range<usize>]) -> Finding {
    let (message, expected) = error
        .message()
        .split_once(", expected ")
        .unwrap_or((error.message(), "nothing"));
    let help = match message {
        "duplicate key" => "it stands above already: take one out, or put all keys of a table under one header",
        "string values must be quoted" => "put the text in quotes",
        _ => "https://toml.io has the whole language on one page",
    };
    let mut finding = source.finding(format!("this is no TOML: {message}")).help(help);
    finding.allowed = Some(expected.to_owned()).filter(|expected| expected != "nothing");
    if let Some(span) = error.span() {
        source.show(&mut finding, span, suspects);
    }
    finding
}

/// Calls `each` with the values of a tree, from the top down, and what may stand there.
pub(crate) fn visit<'n, 's>(
    node: &'n Node<'_>,
    path: Path,
    shape: Option<Shape<'s>>,
    each: &mut dyn FnMut(&Path, &'n Node<'_>, Option<Shape<'s>>),
) {
    each(&path, node, shape);
    match node.get_ref() {
        DeValue::Table(table) => {
            for (key, node) in table {
                let shape = shape.and_then(|shape| shape.field(key.get_ref()));
                visit(node, path.key(key.get_ref()), shape, each);
            }
        }
        DeValue::Array(items) => {
            for (index, node) in items.iter().enumerate() {
                visit(node, path.index(index), shape.and_then(Shape::items), each);
            }
        }
        _ => {}
    }
}

/// Whether nobody shall read a value: that of a secret, whatever its type, a string of which nobody knows what it is, and a
/// URL with a user or password in it.
fn may_be_secret(value: &DeValue<'_>, shape: Option<Shape<'_>>) -> bool {
    let DeValue::String(text) = value else {
        return shape.is_some_and(Shape::is_secret);
    };
    let host = text.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    let is_open = shape.is_some_and(|shape| !shape.is_secret()) && !host.is_some_and(|host| host.contains('@'));
    !is_open && !is_reference(text)
}

/// Whether a text says where its value is, and not the value itself.
pub(crate) fn is_reference(text: &str) -> bool {
    text.strip_prefix("${")
        .is_some_and(|rest| rest.ends_with('}') && !rest.contains(":-"))
}

#[cfg(test)]
mod tests;
