//! What comes from outside the document: variables and flags that set fields, and the values of references.

use crate::{
    Finding,
    document::Document,
    path::Path,
    shape::{Kind, Shape},
    suggest,
};
use orchestrator_core::Secret;
use std::{collections::BTreeMap, fmt, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What the names of variables that set a field begin with; the keys of its path follow with `__` between them.
const PREFIX: &str = "ORCHESTRATOR__";

/// The environment variables and the flags of the process. A flag goes before a variable, that before the document.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    flags: Vec<Flag>,
}

/// A flag that sets a field.
#[derive(Clone)]
struct Flag {
    name: String,
    /// Its keys with `__` between them, as in a variable.
    path: String,
    value: String,
}

// === impl Environment ===

impl Environment {
    /// The variables of the process, those apart that are not UTF-8.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os();
        variables
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// With a flag that sets the field at `path`, such as `server.listen`.
    #[must_use]
    pub fn with_flag(mut self, name: &str, path: &str, value: impl ToString) -> Self {
        self.flags.push(Flag {
            name: name.to_owned(),
            path: path.replace('.', "__"),
            value: value.to_string(),
        });
        self
    }

    /// The value of a variable.
    pub(crate) fn lookup(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    /// The value of a secret, or what is missing.
    pub(crate) fn resolve(&self, secret: &Secret) -> Result<String, String> {
        secret.resolve(|name| self.lookup(name))
    }

    /// Sets in the document what variables and flags say.
    pub(crate) fn set<'a>(&'a self, document: &mut Document<'a>, root: Shape<'_>) -> Vec<Finding> {
        let variables = self.variables.iter();
        let variables = variables.filter_map(|(name, value)| Some((name, name.strip_prefix(PREFIX)?, value)));
        let flags = self
            .flags
            .iter()
            .map(|flag| (&flag.name, flag.path.as_str(), &flag.value));
        let mut findings = Vec::new();
        for (name, path, value) in variables.chain(flags) {
            let span = document.span_outside(name);
            if let DeValue::Table(table) = document.root.get_mut() {
                findings.extend(set(table, path, value, span, root));
            }
        }
        findings
    }

    /// Puts values in the place of references, in all strings but secrets.
    pub(crate) fn fill(&self, document: &mut Document<'_>, root: Shape<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.fill_in(&Path::default(), document.root.get_mut(), root, &mut findings);
        findings
    }

    fn fill_in(&self, path: &Path, value: &mut DeValue<'_>, shape: Shape<'_>, findings: &mut Vec<Finding>) {
        match value {
            DeValue::String(text) if text.contains("${") && !shape.is_secret() => match self.filled(text) {
                Ok(filled) => *text = filled.into(),
                Err((message, help)) => findings.push(Finding::error(path, message).help(help)),
            },
            DeValue::Table(table) => {
                for (key, node) in table.iter_mut() {
                    if let Some(shape) = shape.field(key.get_ref()) {
                        self.fill_in(&path.key(key.get_ref()), node.get_mut(), shape, findings);
                    }
                }
            }
            DeValue::Array(items) => {
                for (index, (item, shape)) in items.iter_mut().zip(std::iter::repeat(shape.items())).enumerate() {
                    shape
                        .into_iter()
                        .for_each(|shape| self.fill_in(&path.index(index), item.get_mut(), shape, findings));
                }
            }
            _ => {}
        }
    }

    /// The text with its references' values, or what is wrong with one and how to mend it.
    fn filled(&self, text: &str) -> Result<String, (String, &'static str)> {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                filled.extend([before, "${"]);
                rest = after;
                continue;
            }
            let (reference, after) = after
                .split_once('}')
                .filter(|(reference, _)| is_reference(reference))
                .ok_or((
                    "`${` begins no reference here".to_owned(),
                    "write `${NAME}`, `${NAME:-default}` or `${file:/path}`, or `$${` for the characters themselves",
                ))?;
            let value = self.resolve(&Secret::new(format!("${{{reference}}}")));
            filled.push_str(before);
            filled.push_str(&value.map_err(|missing| (missing, mend(reference)))?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

/// How to mend a reference that leads nowhere.
pub(crate) fn mend(reference: &str) -> &'static str {
    match reference.contains("file:") {
        true => "name a text file that the program may read, of at most 1 MiB",
        false => "set it, or give a default: `${NAME:-default}`",
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Environment {
            variables: variables.into_iter().collect(),
            flags: Vec::new(),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = self.flags.iter().map(|flag| &flag.name);
        f.debug_set().entries(self.variables.keys()).entries(flags).finish()
    }
}

/// Whether this may stand between `${` and `}`.
pub(crate) fn is_reference(inner: &str) -> bool {
    let name = inner.split_once(":-").map_or(inner, |(name, _)| name);
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    inner.starts_with("file:") || (is_name && name.starts_with(|c: char| !c.is_ascii_digit()))
}

/// Sets the field at `path` to `value`, with all its tables; returns what is wrong with the path.
fn set<'a>(
    table: &mut DeTable<'a>,
    path: &str,
    value: &'a str,
    span: Range<usize>,
    root: Shape<'_>,
) -> Option<Finding> {
    let (mut table, mut shape, mut at) = (table, root, Path::default());
    let mut steps = path.split("__").peekable();
    while let Some(step) = steps.next() {
        let key = key(step, table, shape);
        at = at.key(&key);
        let Some(field) = shape.field(&key) else {
            let unknown = Finding::error(&at, format!("nothing is called `{at}`")).at(span);
            return Some(unknown.help(suggest::for_key(&key, shape, root)));
        };
        let key = Spanned::new(span.clone(), key.into());
        if steps.peek().is_none() {
            table.insert(key, typed(value, field, span));
            return None;
        }
        let empty = || Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
        match table.entry(key).or_insert_with(empty).get_mut() {
            DeValue::Table(below) => (table, shape) = (below, field),
            // What the document has here is no table, which it is told.
            _ => return None,
        }
    }
    None
}

/// The key that a step of a variable's name means, since such names have neither case nor `-`.
fn key(step: &str, table: &DeTable<'_>, shape: Shape<'_>) -> String {
    let present = table.keys().map(|key| key.get_ref().as_ref());
    let mut keys = shape.fields().map(|(name, _)| name).chain(present);
    let key = keys.find(|key| key.replace('-', "_").eq_ignore_ascii_case(step));
    key.map_or_else(|| step.to_ascii_lowercase(), str::to_owned)
}

/// A variable's text as the field wants it: strings as they are, all else as TOML.
fn typed<'a>(value: &'a str, shape: Shape<'_>, span: Range<usize>) -> Spanned<DeValue<'a>> {
    let parsed = match shape.kind() {
        Some(Kind::String) => None,
        _ => DeValue::parse(value).ok(),
    };
    moved(
        parsed.map_or_else(|| DeValue::String(value.into()), Spanned::into_inner),
        &span,
    )
}

/// The same value with all of it at `span`.
fn moved<'a>(value: DeValue<'a>, span: &Range<usize>) -> Spanned<DeValue<'a>> {
    let moved = match value {
        DeValue::Array(items) => {
            let items = items.into_iter().map(|item| moved(item.into_inner(), span));
            DeValue::Array(items.collect())
        }
        DeValue::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| {
                (
                    Spanned::new(span.clone(), key.into_inner()),
                    moved(value.into_inner(), span),
                )
            });
            DeValue::Table(entries.collect())
        }
        other => other,
    };
    Spanned::new(span.clone(), moved)
}

#[cfg(test)]
mod tests;
