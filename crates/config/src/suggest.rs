//! The nearest right word, and the table where a key belongs.

use crate::shape::{Kind, Shape, listed};

/// Tables that are named for one misplaced key at most.
const MAX_TABLES: usize = 3;

/// The word that was meant, if one of them is near: two letters in six may differ, however it is cased and joined.
pub(crate) fn near<'a>(found: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = joined(found);
    let distances = words.into_iter().map(|word| {
        let plain = joined(word);
        let most = found.chars().count().max(plain.chars().count()).div_ceil(3);
        (strsim::damerau_levenshtein(&found, &plain), most, word)
    });
    let near = distances.filter(|(distance, most, _)| distance <= most);
    near.min_by_key(|(distance, ..)| *distance).map(|(.., word)| word)
}

/// What to do about a key that `table` does not have.
pub(crate) fn for_key(key: &str, table: Shape<'_>, root: Shape<'_>) -> String {
    if let Some(near) = near(key, table.fields().map(|(name, _)| name)) {
        return format!("did you mean `{near}`?");
    }
    if root.fields().any(|(name, _)| name == key) {
        return format!("write `[{key}]`, which stands in no other table");
    }
    let mut tables = Vec::new();
    tables_with(key, root, String::new(), &mut tables);
    match tables.len() {
        1..=MAX_TABLES => format!("`{key}` belongs in {}", listed(tables.iter().map(String::as_str))),
        _ => "take it out; `orchestrator schema` lists all keys".to_owned(),
    }
}

/// Names in any case and with any of `-`, `_` and nothing between their parts are one.
fn joined(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
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
