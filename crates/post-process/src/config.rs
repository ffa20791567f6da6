//! `[pipeline.stages.post_process]`: which filters the answers pass.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The filters over the answers. They apply in this order: stop strings, each redaction, trimming.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether the filters apply at all.
    pub enabled: bool,
    /// Requests that the stage works on at once, per line.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub width: usize,
    /// Requests that the edge into the stage holds, per line.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub capacity: usize,
    /// Texts that end an answer: it is cut before the first of them. The call to the model is dropped once all choices
    /// have ended.
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub stop: Vec<String>,
    /// What is replaced wherever it occurs in an answer or in the model's reasoning, one after the other. Tool calls and
    /// their arguments are left alone.
    #[schemars(length(max = 64))]
    pub redact: Vec<Redaction>,
    /// Where white space is taken away from the whole answer.
    pub trim: Trim,
}

/// One pattern and what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redaction {
    /// Its name in metrics and findings.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,64}$"))]
    pub name: String,
    /// A regular expression in the syntax of Rust's `regex`. Its longest match must be bounded: `[0-9]{13,19}` and not
    /// `[0-9]+`.
    #[schemars(length(min = 1, max = 4_096))]
    pub pattern: String,
    /// What stands in the place of a match, literally.
    #[serde(default = "redacted")]
    #[schemars(length(max = 256))]
    pub replacement: String,
    /// The longest match that the pattern may have, in bytes. As much of a stream may be held back until it is decided.
    #[serde(default = "max_match_bytes")]
    #[schemars(range(min = 1, max = 1_024))]
    pub max_match_bytes: usize,
}

/// Where white space is taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Trim {
    /// Nowhere.
    #[default]
    None,
    /// Before the first other character.
    Start,
    /// After the last other character, unless more than 64 KiB of it stand there in a row.
    End,
    /// At the start and at the end.
    Both,
}

fn redacted() -> String {
    "[redacted]".to_owned()
}

fn max_match_bytes() -> usize {
    256
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Config {
            enabled: true,
            width: 64,
            capacity: 64,
            stop: Vec::new(),
            redact: Vec::new(),
            trim: Trim::None,
        }
    }
}

#[cfg(test)]
mod tests;
