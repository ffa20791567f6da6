//! What may stand where: the JSON Schema that the parts' own types make, and how it is read.

use crate::{
    Config,
    path::{Path, Step},
};
use schemars::{
    Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform},
};
use serde_json::{Map, Value, json};
use toml::de::DeValue;

/// The schema of one field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a>(&'a Map<String, Value>);

/// The types of TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Integer,
    Float,
    Boolean,
    Datetime,
    Array,
    Table,
}

/// The JSON Schema of a document, in draft 2020-12, complete in itself.
pub fn schema() -> Schema {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let mut schema = settings.into_generator().into_root_schema_for::<Config>();
    RecursiveTransform(as_in_toml).transform(&mut schema);
    schema.insert("$id".into(), "urn:orchestrator:configuration".into());
    schema.insert("title".into(), "Configuration of orchestrator".into());
    schema
}

/// TOML knows no null: a key that is left out takes its place. A table's default is that of its keys.
fn as_in_toml(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(mut either)) = schema.remove("anyOf") {
        either.retain(|one| *one != json!({"type": "null"}));
        for (key, value) in either.into_iter().filter_map(|one| one.as_object().cloned()).flatten() {
            schema.ensure_object().entry(key).or_insert(value);
        }
    }
    let is_table = schema.get("type").is_some_and(|name| name == "object");
    if is_table || schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

// === impl Shape ===

impl<'a> Shape<'a> {
    pub(crate) fn of(schema: &'a Schema) -> Option<Self> {
        schema.as_object().map(Shape)
    }

    /// The fields that a table may have by name.
    pub(crate) fn fields(self) -> impl Iterator<Item = (&'a str, Shape<'a>)> {
        let fields = self
            .0
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        fields.filter_map(|(name, shape)| Some((name.as_str(), Shape(shape.as_object()?))))
    }

    /// The fields of a table whose keys are the author's own.
    pub(crate) fn entry(self) -> Option<Self> {
        self.0.get("additionalProperties")?.as_object().map(Shape)
    }

    /// The field of a table with this key.
    pub(crate) fn field(self, key: &str) -> Option<Self> {
        let named = self.fields().find(|(name, _)| *name == key).map(|(_, shape)| shape);
        named.or_else(|| self.entry())
    }

    /// The field at a path below this one.
    pub(crate) fn at(self, path: &Path) -> Option<Self> {
        path.steps().iter().try_fold(self, |shape, step| match step {
            Step::Key(key) => shape.field(key),
            Step::Index(_) => shape.items(),
        })
    }

    /// What the field is for.
    pub(crate) fn description(self) -> Option<&'a str> {
        self.0.get("description")?.as_str()
    }

    /// The fields that must be there.
    pub(crate) fn required(self) -> impl Iterator<Item = &'a str> {
        let required = self.0.get("required").and_then(Value::as_array).into_iter().flatten();
        required.filter_map(Value::as_str)
    }

    /// The items of an array.
    pub(crate) fn items(self) -> Option<Self> {
        self.0.get("items")?.as_object().map(Shape)
    }

    /// The words that are allowed, where only some are.
    pub(crate) fn words(self) -> Vec<&'a str> {
        let listed = self.0.get("enum").and_then(Value::as_array).into_iter().flatten();
        let described = self.0.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let described = described.filter_map(|one| one.get("const"));
        listed.chain(described).filter_map(Value::as_str).collect()
    }

    pub(crate) fn kind(self) -> Option<Kind> {
        match self.0.get("type").and_then(Value::as_str) {
            Some("string") => Some(Kind::String),
            Some("integer") => Some(Kind::Integer),
            Some("number") => Some(Kind::Float),
            Some("boolean") => Some(Kind::Boolean),
            Some("array") => Some(Kind::Array),
            Some("object") => Some(Kind::Table),
            _ => (!self.words().is_empty()).then_some(Kind::String),
        }
    }

    pub(crate) fn is_secret(self) -> bool {
        self.0.get("format").is_some_and(|format| format == "secret")
    }

    /// Whether it may be changed while the program works.
    pub(crate) fn is_live(self) -> bool {
        self.0.get("x-live").is_some_and(|live| *live == true)
    }

    pub(crate) fn pattern(self) -> Option<&'a str> {
        self.0.get("pattern")?.as_str()
    }

    /// The least and the most of a number, of the characters of a string or of the items of an array.
    pub(crate) fn limits(self) -> (Option<f64>, Option<f64>) {
        let limit = |names: [&str; 3]| names.iter().find_map(|name| self.0.get(*name)?.as_f64());
        (
            limit(["minimum", "minLength", "minItems"]),
            limit(["maximum", "maxLength", "maxItems"]),
        )
    }

    /// What may stand here, in words.
    pub(crate) fn allowed(self) -> String {
        let words = match self.kind() {
            Some(Kind::Boolean) => vec!["true", "false"],
            _ => self.words(),
        };
        if !words.is_empty() {
            return listed(words);
        }
        let kind = self.kind().map_or("any value", Kind::name);
        let range = match self.limits() {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => String::new(),
        };
        match (self.kind(), self.pattern()) {
            (_, Some(pattern)) => format!("{kind} that matches `{pattern}`"),
            _ if range.is_empty() => kind.to_owned(),
            (Some(Kind::String), _) if range == "at least 1" => "a string that is not empty".to_owned(),
            (Some(Kind::String), _) => format!("{kind} of {range} characters"),
            (Some(Kind::Array), _) => format!("{kind} of {range} items"),
            _ => format!("{kind}, {range}"),
        }
    }
}

/// Words for people: `a`, `b`, `c`.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

// === impl Kind ===

impl Kind {
    pub(crate) fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(_) => Kind::String,
            DeValue::Integer(_) => Kind::Integer,
            DeValue::Float(_) => Kind::Float,
            DeValue::Boolean(_) => Kind::Boolean,
            DeValue::Datetime(_) => Kind::Datetime,
            DeValue::Array(_) => Kind::Array,
            DeValue::Table(_) => Kind::Table,
        }
    }

    /// Whether a value of the kind `found` may stand where this one is wanted: an integer is a float, too.
    pub(crate) fn takes(self, found: Kind) -> bool {
        self == found || (self, found) == (Kind::Float, Kind::Integer)
    }

    /// Its name in the specification of TOML.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::String => "a string",
            Kind::Integer => "an integer",
            Kind::Float => "a float",
            Kind::Boolean => "a boolean",
            Kind::Datetime => "a date or time",
            Kind::Array => "an array",
            Kind::Table => "a table",
        }
    }
}

#[cfg(test)]
mod tests;
