//! Faults that come as JSON or as a header, checked against the schema that the configuration is checked against too: all
//! that is wrong is told at once.

use orchestrator_core::near;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// The most that is told of one value.
const MOST_FINDINGS: usize = 10;

/// The schema of a type, with all that it refers to in place.
pub(crate) fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().into()
}

/// What is wrong with a value, by paths such as `workers.fast.failure`; nothing when it fits.
pub(crate) fn check(value: &Value, schema: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    walk(value, schema, "", &mut findings);
    findings.truncate(MOST_FINDINGS);
    findings
}

fn walk(value: &Value, schema: &Value, path: &str, findings: &mut Vec<String>) {
    let (Some("object"), Value::Object(fields)) = (kind(schema), value) else {
        if !fits(value, schema) {
            let takes = takes(schema);
            findings.push(format!("{} is {value:.40}; it takes {takes}.", quoted(path)));
        }
        return;
    };
    for (name, value) in fields {
        let at = below(path, name);
        match field(schema, name) {
            Some(schema) => walk(value, schema, &at, findings),
            None => findings.push(unknown(name, path, schema)),
        }
    }
    for name in required(schema, fields) {
        let takes = field(schema, name).map_or_else(String::new, takes);
        findings.push(format!("{} is missing; it takes {takes}.", quoted(&below(path, name))));
    }
}

fn kind(schema: &Value) -> Option<&str> {
    schema.get("type")?.as_str()
}

/// The schema of a field; of any name, where the object is a table of names.
fn field<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let any = schema.get("additionalProperties").filter(|any| any.is_object());
    schema.get("properties").and_then(|fields| fields.get(name)).or(any)
}

fn required<'a>(schema: &'a Value, fields: &'a Map<String, Value>) -> impl Iterator<Item = &'a str> {
    let required = schema.get("required").and_then(Value::as_array);
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    names.filter(|name| !fields.contains_key(*name))
}

fn unknown(name: &str, path: &str, schema: &Value) -> String {
    let known = schema.get("properties").and_then(Value::as_object);
    let known = known.into_iter().flat_map(|fields| fields.keys().map(String::as_str));
    let at = quoted(&below(path, name));
    match near(name, known) {
        Some(near) => format!("{at} is unknown; did you mean `{near}`?"),
        None => format!("{at} is unknown."),
    }
}

fn fits(value: &Value, schema: &Value) -> bool {
    let bound = |name| schema.get(name).and_then(Value::as_f64);
    let in_bounds = |number: f64| {
        bound("minimum").is_none_or(|least| number >= least) && bound("maximum").is_none_or(|most| number <= most)
    };
    match kind(schema) {
        Some("integer") => value.as_u64().is_some_and(|number| in_bounds(number as f64)),
        Some("number") => value.as_f64().is_some_and(in_bounds),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.is_string(),
        _ => false,
    }
}

/// What may stand there, in words.
fn takes(schema: &Value) -> String {
    let what = match kind(schema) {
        Some("integer") => "whole numbers",
        Some("number") => "numbers",
        Some("boolean") => return "true or false".to_owned(),
        Some("string") => return "a text".to_owned(),
        _ => return "an object".to_owned(),
    };
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(least), Some(most)) => format!("{what} from {} to {}", plain(least), plain(most)),
        _ => what.to_owned(),
    }
}

/// A bound without a fraction that says nothing.
fn plain(bound: &Value) -> String {
    bound.to_string().trim_end_matches(".0").to_owned()
}

fn below(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// A path as it is shown; the whole has none.
fn quoted(path: &str) -> String {
    match path {
        "" => "The body".to_owned(),
        path => format!("`{path:.80}`"),
    }
}

#[cfg(test)]
mod tests;
