//! Edits of a configuration that is at work: a merge patch over one of its tables, checked as a document is.
//!
//! Only what the schema marks with `x-live` may change. What remains is found by the same walk beside the schema and the
//! same rules that a document meets, so no edit leads to a configuration that no document could hold.

use crate::{
    Config, Finding, Findings, Severity, check,
    check::shown,
    document::Document,
    path::Path,
    rules, schema,
    shape::{Shape, listed},
    source::Source,
    suggest,
};
use serde::Deserialize;
use serde_json::{Map, Number, Value};
use toml::de::ValueDeserializer;

/// The findings that are told of one edit.
const MAX_FINDINGS: usize = 100;

/// What an edit leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Edited {
    /// The whole configuration.
    pub config: Config,
    /// What is another than before.
    pub changes: Vec<Change>,
}

/// A setting that is another than before; null where it is not set.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which.
    pub path: Path,
    /// Before.
    pub from: Value,
    /// Now.
    pub to: Value,
}

/// A table of a configuration, to be edited.
struct Table<'a> {
    path: Path,
    shape: Shape<'a>,
    root: Shape<'a>,
    /// The keys that may be changed; none: all that may change at work.
    keys: Option<&'a [&'a str]>,
}

/// Changes the table at `section`, such as `["routes", "default"]`, by a JSON merge patch (RFC 7396): null takes a key out,
/// which puts its default in force. With `keys` no others may be changed. What a configuration only implies is not there to
/// be edited: [`Config::in_full`].
///
/// # Errors
/// All that is wrong with the patch, and with what it leads to.
pub fn edit(
    config: &Config,
    section: &[&str],
    keys: Option<&[&str]>,
    patch: &Map<String, Value>,
) -> Result<Edited, Findings> {
    let path = section.iter().fold(Path::default(), |path, key| path.key(key));
    let gone = || Findings(vec![Finding::error(&path, "there is no such table")]);
    let schema = schema();
    let root = Shape::of(&schema).ok_or_else(gone)?;
    let shape = root.at(&path).ok_or_else(gone)?;
    let table = Table {
        path: path.clone(),
        shape,
        root,
        keys,
    };
    let mut tree = serde_json::to_value(config).unwrap_or_default();
    let before = at(&mut tree, section).ok_or_else(gone)?.clone();
    let (taken, mut findings) = table.sorted(patch);
    if let Some(values) = at(&mut tree, section) {
        merge(values, taken);
    }
    let config = match table.checked(tree) {
        Ok(config) if findings.is_empty() => config,
        Ok(_) => return Err(Findings(findings)),
        Err(more) => {
            findings.extend(more);
            findings.truncate(MAX_FINDINGS);
            return Err(Findings(findings));
        }
    };
    let mut tree = serde_json::to_value(&config).unwrap_or_default();
    let after = at(&mut tree, section).ok_or_else(gone)?;
    let changes = patch.keys().filter_map(|key| table.change(key, &before, after));
    Ok(Edited {
        changes: changes.collect(),
        config,
    })
}

// === impl Table ===

impl<'a> Table<'a> {
    /// The values that may be taken, and what is wrong with the keys of the others.
    fn sorted(&self, patch: &Map<String, Value>) -> (Map<String, Value>, Vec<Finding>) {
        let (mut taken, mut findings) = (Map::new(), Vec::new());
        for (key, value) in patch {
            match self.refused(key) {
                Some(finding) => findings.push(finding.allowed(listed(self.editable()))),
                None => drop(taken.insert(key.clone(), value.clone())),
            }
        }
        findings.truncate(MAX_FINDINGS);
        (taken, findings)
    }

    /// Why a key may not be changed.
    fn refused(&self, key: &str) -> Option<Finding> {
        let path = self.path.key(key);
        let Some(field) = self.shape.field(key) else {
            let unknown = Finding::error(&path, format!("unknown key `{}`", shown(key)));
            return Some(unknown.help(suggest::for_key(key, self.shape, self.root)));
        };
        if !field.is_live() {
            let fixed = Finding::error(&path, "this takes effect with a restart only");
            return Some(fixed.help("change it in the document, and start the program anew"));
        }
        let is_elsewhere = self.keys.is_some_and(|keys| !keys.contains(&key));
        is_elsewhere.then(|| Finding::error(&path, "this is not changed here"))
    }

    /// The keys that may be changed.
    fn editable(&self) -> Vec<&'a str> {
        let live = self.shape.fields().filter(|(_, field)| field.is_live());
        let names = live.map(|(name, _)| name);
        names
            .filter(|name| self.keys.is_none_or(|keys| keys.contains(name)))
            .collect()
    }

    /// The configuration that a tree holds, or all that is wrong with it.
    fn checked(&self, tree: Value) -> Result<Config, Vec<Finding>> {
        let unwritable = || vec![Finding::error(&self.path, "these values cannot stand in a document")];
        let text = toml::to_string(&in_toml(tree)).map_err(|_| unwritable())?;
        let source = Source::new(None, &text);
        let document = Document::parse(&source).map_err(|_| unwritable())?;
        let findings = check::check(&document.root, self.root);
        if !findings.is_empty() {
            return Err(findings);
        }
        let config = Config::deserialize(ValueDeserializer::from(document.root.clone()));
        let config = config.map_err(|error| vec![Finding::error(&self.path, error.message())])?;
        let mut findings = rules::check_live(&config, &document);
        findings.retain(|finding| finding.severity == Severity::Error);
        match findings.is_empty() {
            true => Ok(config),
            false => Err(findings),
        }
    }

    fn change(&self, key: &str, before: &Value, after: &Value) -> Option<Change> {
        let value = |table: &Value| table.get(key).cloned().unwrap_or_default();
        let (from, to) = (value(before), value(after));
        let path = self.path.key(key);
        (from != to).then_some(Change { path, from, to })
    }
}

fn at<'v>(tree: &'v mut Value, section: &[&str]) -> Option<&'v mut Value> {
    section.iter().try_fold(tree, |value, key| value.get_mut(key))
}

/// RFC 7396.
fn merge(target: &mut Value, patch: Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (key, value) in patch {
        match value {
            Value::Null => drop(fields.shift_remove(&key)),
            Value::Object(patch) => merge(fields.entry(key).or_insert(Value::Null), patch),
            value => drop(fields.insert(key, value)),
        }
    }
}

/// The value as TOML has it: without null, and with no whole number that is longer than its own.
fn in_toml(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            fields.map(|(key, value)| (key, in_toml(value))).collect()
        }
        Value::Array(items) => {
            let items = items.into_iter().filter(|item| !item.is_null());
            items.map(in_toml).collect()
        }
        Value::Number(number) if number.as_i64().is_none() => {
            let float = number.as_f64().and_then(Number::from_f64);
            Value::Number(float.unwrap_or(number))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
