//! The walk over a document beside its schema: all that a schema can find wrong, at once.

use crate::{
    Finding,
    document::Node,
    path::Path,
    shape::{Kind, Shape, listed},
    suggest,
};
use orchestrator_core::near;
use regex::Regex;
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

/// The longest value that a message repeats, in characters.
const MAX_SHOWN: usize = 60;

/// The findings after which the walk ends; far fewer are shown.
const MAX_FINDINGS: usize = 1_000;

/// Finds all values that the schema `root` does not allow.
pub(crate) fn check(document: &Node<'_>, root: Shape<'_>) -> Vec<Finding> {
    let mut walk = Walk {
        root,
        findings: Vec::new(),
    };
    walk.value(&Path::default(), document, root);
    walk.findings
}

struct Walk<'a> {
    root: Shape<'a>,
    findings: Vec<Finding>,
}

// === impl Walk ===

impl Walk<'_> {
    fn value(&mut self, path: &Path, node: &Node<'_>, shape: Shape<'_>) {
        let found = Kind::of(node.get_ref());
        if let Some(wanted) = shape.kind().filter(|wanted| !wanted.takes(found)) {
            let message = format!("wrong type: {} where {} is wanted", found.name(), wanted.name());
            return self.say(Finding::error(path, message).allowed(shape.allowed()), node);
        }
        let finding = match node.get_ref() {
            DeValue::Table(table) => return self.table(path, node, table, shape),
            DeValue::String(text) => text_finding(path, text, shape),
            DeValue::Integer(number) => number_finding(path, &number.to_string(), whole(number), shape),
            DeValue::Float(number) => {
                let value = number.as_str().parse().unwrap_or(f64::NAN);
                number_finding(path, number.as_str(), value, shape)
            }
            DeValue::Array(items) => match beyond(items.len() as f64, shape, ("few", "many")) {
                Some(beyond) => Some(Finding::error(path, format!("{} items are too {beyond}", items.len()))),
                None => return self.items(path, items, shape),
            },
            DeValue::Boolean(_) | DeValue::Datetime(_) => None,
        };
        if let Some(finding) = finding {
            self.say(finding.allowed(shape.allowed()), node);
        }
    }

    fn items(&mut self, path: &Path, items: &DeArray<'_>, shape: Shape<'_>) {
        let Some(shape) = shape.items() else { return };
        for (index, item) in items.iter().enumerate() {
            self.value(&path.index(index), item, shape);
        }
    }

    fn table(&mut self, path: &Path, node: &Node<'_>, table: &DeTable<'_>, shape: Shape<'_>) {
        for (key, node) in table {
            if self.findings.len() > MAX_FINDINGS {
                return;
            }
            let path = path.key(key.get_ref());
            match shape.field(key.get_ref()) {
                Some(shape) => self.value(&path, node, shape),
                None => {
                    let unknown =
                        Finding::error(&path, format!("unknown key `{}`", shown(key.get_ref()))).at(key.span());
                    let help = suggest::for_key(key.get_ref(), shape, self.root);
                    let allowed = listed(shape.fields().map(|(name, _)| name));
                    self.findings.push(unknown.allowed(allowed).help(help));
                }
            }
        }
        for name in shape.required().filter(|name| !table.contains_key(*name)) {
            let allowed = shape.field(name).map(Shape::allowed).unwrap_or_default();
            let missing = Finding::error(&path.key(name), format!("`{name}` is missing")).allowed(allowed);
            self.say(missing.help(format!("add `{name} = ...` to this table")), node);
        }
    }

    fn say(&mut self, finding: Finding, node: &Node<'_>) {
        self.findings.push(finding.at(node.span()));
    }
}

fn text_finding(path: &Path, text: &str, shape: Shape<'_>) -> Option<Finding> {
    let words = shape.words();
    if !words.is_empty() && !words.contains(&text) {
        let unknown = Finding::error(path, format!("unknown value `{}`", shown(text)));
        return Some(match near(text, words) {
            Some(near) => unknown.help(format!("did you mean `{near}`?")),
            None => unknown,
        });
    }
    let length = text.chars().count();
    if let Some(beyond) = beyond(length as f64, shape, ("short", "long")) {
        let message = match length {
            0 => "the text is empty".to_owned(),
            length => format!("a text of {length} characters is too {beyond}"),
        };
        return Some(Finding::error(path, message));
    }
    let pattern = Regex::new(shape.pattern()?).ok()?;
    (!pattern.is_match(text)).then(|| Finding::error(path, format!("`{}` is not in this form", shown(text))))
}

fn number_finding(path: &Path, written: &str, value: f64, shape: Shape<'_>) -> Option<Finding> {
    if value.is_nan() {
        return Some(Finding::error(path, format!("{written} is no number")));
    }
    let beyond = beyond(value, shape, ("small", "large"));
    beyond.map(|beyond| Finding::error(path, format!("{} is too {beyond}", shown(written))))
}

/// The word for what lies beyond the limits, if it does.
fn beyond(value: f64, shape: Shape<'_>, (less, more): (&'static str, &'static str)) -> Option<&'static str> {
    match shape.limits() {
        (Some(least), _) if value < least => Some(less),
        (_, Some(most)) if value > most => Some(more),
        _ => None,
    }
}

/// An integer of any length; no limit is near the numbers that a float does not hold.
fn whole(number: &DeInteger<'_>) -> f64 {
    let negative = number.as_str().starts_with('-');
    let infinite = if negative { f64::NEG_INFINITY } else { f64::INFINITY };
    i128::from_str_radix(number.as_str(), number.radix()).map_or(infinite, |number| number as f64)
}

/// A value as messages repeat it.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests;
