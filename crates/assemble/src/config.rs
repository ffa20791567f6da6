//! How a prompt is made of a request and its passages.

use crate::{Error, template::Template};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Assembly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether passages are put into the prompt, and a prompt is fitted to the model's window; off, requests are sent as they
    /// came.
    pub enabled: bool,
    /// The system message that carries the passages, in Jinja; it sees `passages`, each with `source` and `text`, and the
    /// `question`. It stands before the conversation, so that the client's own turns stay as they came.
    #[schemars(length(min = 1, max = 1_048_576))]
    pub template: String,
    /// The tokens that the model reads and writes in all; a prompt that is longer loses passages, then its oldest turns.
    /// Without it the window of OpenAI's models is known, and prompts for others are sent as they are.
    #[schemars(range(min = 64, max = 100_000_000))]
    pub context_window: Option<u64>,
    /// Requests that the stage works on at once, per line.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub width: usize,
    /// Requests that the edge into the stage holds, per line.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub capacity: usize,
}

/// Puts the rules first and the passages after them, each under its source.
const TEMPLATE: &str = "\
Answer with the help of these passages. Name the sources that you use. If the passages do not answer the question, say so.
{% for passage in passages %}
[{{ passage.source }}]
{{ passage.text }}
{% endfor %}";

// === impl Config ===

impl Config {
    /// Whether a stage can be built of it.
    pub fn check(&self) -> Result<(), Error> {
        Template::parse(&self.template).map(drop)
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            enabled: true,
            template: TEMPLATE.to_owned(),
            context_window: None,
            width: 64,
            capacity: 64,
        }
    }
}
