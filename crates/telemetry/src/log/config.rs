//! `[telemetry]`: what is logged, and in which shape.

use super::line::Style;
use crate::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// Levels, the quietest first.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Logs, which go to standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is logged: `off`, `error`, `warn`, `info`, `debug` or `trace` for this program, the libraries in it at most
    /// at `warn`; or a list of directives such as `info,orchestrator_dedup=debug,hyper=info`. A release build has no
    /// `trace`.
    pub level: String,
    /// The shape of a line.
    pub format: Format,
    /// Whether each request is logged when it ends, whatever the level.
    pub access_log: bool,
    /// Bytes of lines that may wait to be written; more are dropped and counted.
    #[schemars(range(min = 65_536, max = 1_073_741_824))]
    pub buffer_bytes: usize,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `pretty` where a terminal reads, else `json`.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

// === impl Config ===

impl Config {
    /// Whether logs can be started with it.
    ///
    /// # Errors
    /// [`Error::Level`] when `level` cannot be read.
    pub fn check(&self) -> Result<(), Error> {
        self.filter().map(drop)
    }

    /// What passes to the log.
    pub(super) fn filter(&self) -> Result<EnvFilter, Error> {
        let refuse = |reason: &str| Error::Level {
            found: self.level.clone(),
            reason: reason.to_owned(),
        };
        let level = self.level.trim();
        if let Some(rank) = LEVELS.iter().position(|word| *word == level) {
            let libraries = LEVELS.get(rank.min(2)).unwrap_or(&"warn");
            return Ok(EnvFilter::new(format!("{libraries},orchestrator={level}")));
        }
        // A lone word would be taken for the name of a target: a typo would log everything of it and nothing else.
        let is_lone = |word: &&str| !LEVELS.contains(word) && !word.contains(['=', '[']);
        if let Some(word) = level.split(',').map(str::trim).find(is_lone) {
            return Err(refuse(&format!("`{word}` is no level")));
        }
        let parsed = EnvFilter::builder().parse(level);
        parsed.map_err(|error| refuse(&error.to_string()))
    }

    /// The shape of lines that a terminal reads, or something else.
    pub(super) fn style(&self, is_terminal: bool) -> Style {
        let pretty = Style::Pretty {
            is_coloured: is_terminal && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty()),
        };
        match self.format {
            Format::Json => Style::Json,
            Format::Pretty => pretty,
            Format::Auto if is_terminal => pretty,
            Format::Auto => Style::Json,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            level: "info".to_owned(),
            format: Format::Auto,
            access_log: true,
            buffer_bytes: 1 << 20,
        }
    }
}

#[cfg(test)]
mod tests;
