//! The key that was meant, and the table where a key belongs.

use crate::shape::{Kind, Shape, listed};
use orchestrator_core::near;

/// Tables that are named for one misplaced key at most.
const MAX_TABLES: usize = 3;

/// What to do about a key that `table` does not have.
pub(crate) fn for_key(key: &str, table: Shape<'_>, root: Shape<'_>) -> String {
    if let Some(near) = near(key, table.fields().map(|(name, _)| name)) {
        return format!("did you mean `{near}`?");
    }
    if let Some((_, field)) = root.fields().find(|(name, _)| *name == key) {
        return match field.kind() {
            Some(Kind::Table) => format!("write `[{key}]`, which stands in no other table"),
            _ => format!("write `{key} = ...` before the first table"),
        };
    }
    let mut tables = Vec::new();
    tables_with(key, root, String::new(), &mut tables);
    match tables.len() {
        1..=MAX_TABLES => format!("`{key}` belongs in {}", listed(tables.iter().map(String::as_str))),
        _ => "take it out; `orchestrator schema` lists all keys".to_owned(),
    }
}

/// The headers of the tables that have such a key.
fn tables_with(key: &str, shape: Shape<'_>, path: String, tables: &mut Vec<String>) {
    let below = |name: &str| match path.as_str() {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    if shape.fields().any(|(name, _)| name == key) {
        tables.push(format!("[{path}]"));
    }
    for (name, field) in shape.fields() {
        match field.kind() {
            Some(Kind::Array) => {
                let items = field
                    .items()
                    .into_iter()
                    .filter(|item| item.fields().any(|(name, _)| name == key));
                tables.extend(items.map(|_| format!("[[{}]]", below(name))));
            }
            _ => tables_with(key, field, below(name), tables),
        }
    }
    if let Some(entry) = shape.entry() {
        tables_with(key, entry, below("NAME"), tables);
    }
}

#[cfg(test)]
mod tests;
