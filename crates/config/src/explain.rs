//! A configuration in words: what happens to a request, and within which limits.

use crate::{Config, schema, shape::Shape};
use minijinja::{Environment, UndefinedBehavior, syntax::SyntaxConfig, value::Serde};
use orchestrator_core::Secret;
use serde_json::Value;

/// The words, which read the configuration as [`effective`] tells it.
const WORDS: &str = include_str!("explain.jinja");

/// Says what a configuration makes the program do. Tells no secret.
pub fn explain(config: &Config) -> String {
    let mut words = Environment::new();
    words.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        words.set_syntax(syntax);
    }
    let rendered = words.render_str(WORDS, Serde(effective(config)));
    // The words fit every configuration, as a test proves.
    rendered.unwrap_or_else(|error| error.to_string())
}

/// A configuration as data, with the workers that routes name, also those that are known by their provider alone, and with
/// the route that stands where the document has none. Secrets stand in it as references or not at all.
pub fn effective(config: &Config) -> Value {
    let mut value = serde_json::to_value(config.in_full()).unwrap_or_default();
    if let Some(shape) = Shape::of(&schema()) {
        hide(&mut value, shape);
    }
    value
}

/// Puts references or `[redacted]` in the place of secrets.
fn hide(value: &mut Value, shape: Shape<'_>) {
    match value {
        Value::String(text) if shape.is_secret() => *text = format!("{:?}", Secret::new(text.as_str())),
        Value::Object(fields) => {
            for (key, value) in fields {
                shape.field(key).into_iter().for_each(|shape| hide(value, shape));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
