//! What the program runs for: whoever may do harm asks first.

use crate::Environment;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the program runs for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Somebody who works on it, or on what uses it.
    #[default]
    Dev,
    /// A test of either.
    Ci,
    /// People who rely on it.
    Prod,
}

// === impl Profile ===

impl Profile {
    /// The word in documents and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Profile::Dev => "dev",
            Profile::Ci => "ci",
            Profile::Prod => "prod",
        }
    }

    /// What the environment tells when the document does not: `ENV=prod` or `ENV=production` goes before a `CI` that is
    /// set, since a mistake does harm only there.
    pub(crate) fn found(environment: &Environment) -> Self {
        let says = |name: &str, words: &[&str]| {
            let value = environment.lookup(name).unwrap_or_default();
            words.iter().any(|word| value.trim().eq_ignore_ascii_case(word))
        };
        match () {
            () if says("ENV", &["prod", "production"]) => Profile::Prod,
            () if says("CI", &["", "0", "false", "no", "off"]) => Profile::Dev,
            () => Profile::Ci,
        }
    }
}

#[cfg(test)]
mod tests;
