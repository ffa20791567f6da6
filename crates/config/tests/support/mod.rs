//! The schema as a list of fields, and documents made of it.
#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) mod documents;

use orchestrator_config::{Environment, Findings, Loaded, parse, schema};
use serde_json::Value;
use std::path::Path;

/// A field that a document may have.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// The header of its table; empty at the root.
    pub(crate) header: String,
    /// Its key in there.
    pub(crate) key: String,
    /// Its path as findings tell it; workers are called `w`.
    pub(crate) path: String,
    /// Its schema.
    pub(crate) shape: Value,
    /// The keys that its table must have.
    pub(crate) required: Vec<String>,
}

// === impl Field ===

impl Field {
    /// A document with this field alone, and with what its table must have.
    pub(crate) fn document(&self, value: &str) -> String {
        let others = self.required.iter().filter(|required| **required != self.key);
        let others: String = others.map(|required| format!("{required} = \"echo\"\n")).collect();
        let header = match self.header.is_empty() {
            true => String::new(),
            false => format!("{}\n", self.header),
        };
        format!("{header}{others}{} = {value}\n", self.key)
    }

    /// The line of the field in [`Field::document`].
    pub(crate) fn line(&self) -> usize {
        let others = self.required.iter().filter(|required| **required != self.key).count();
        usize::from(!self.header.is_empty()) + others + 1
    }

    /// The type in the schema.
    pub(crate) fn kind(&self) -> &str {
        self.shape["type"].as_str().unwrap_or("string")
    }

    /// The words that it may have, if only some are allowed.
    pub(crate) fn words(&self) -> Vec<&str> {
        let words = self.shape["oneOf"].as_array().into_iter().flatten();
        words.filter_map(|word| word["const"].as_str()).collect()
    }
}

/// The schema as a reader of `orchestrator schema` sees it.
pub(crate) fn schema_json() -> Value {
    serde_json::to_value(schema()).unwrap()
}

/// Every field that is no table.
pub(crate) fn fields() -> Vec<Field> {
    all_fields()
        .into_iter()
        .filter(|field| field.kind() != "object")
        .collect()
}

/// Every field, tables among them.
pub(crate) fn all_fields() -> Vec<Field> {
    let mut fields = Vec::new();
    walk(&schema_json(), "", "", &mut fields);
    fields
}

fn walk(shape: &Value, path: &str, header: &str, fields: &mut Vec<Field>) {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    let required = shape["required"].as_array().into_iter().flatten();
    let required: Vec<String> = required.map(|name| name.as_str().unwrap().to_owned()).collect();
    for (key, shape) in shape["properties"].as_object().into_iter().flatten() {
        let path = below(key);
        fields.push(Field {
            header: header.to_owned(),
            key: key.clone(),
            path: path.clone(),
            shape: shape.clone(),
            required: required.clone(),
        });
        walk(shape, &path, &format!("[{path}]"), fields);
        if shape["items"]["type"] == "object" {
            walk(&shape["items"], &format!("{path}[0]"), &format!("[[{path}]]"), fields);
        }
    }
    if shape["additionalProperties"].is_object() {
        let path = below("w");
        walk(&shape["additionalProperties"], &path, &format!("[{path}]"), fields);
    }
}

/// Loads a text as `pipeline.toml` in an empty environment.
pub(crate) fn read(text: &str) -> Result<Loaded, Findings> {
    parse(Path::new("pipeline.toml"), text, &Environment::default())
}

/// What is wrong with a text.
pub(crate) fn findings(text: &str) -> Findings {
    match read(text) {
        Ok(_) => panic!("nothing is wrong with\n{text}"),
        Err(findings) => findings,
    }
}
