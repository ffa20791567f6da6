//! A secret by reference.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    fmt,
    fs::File,
    io::{self, Read},
};

/// The largest file that a reference may name, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// A key or token in the configuration: `${ENV}`, `${ENV:-default}`, `${file:/path}` or, against all advice, the text
/// itself. It stays a reference until the part that needs it is built, and prints as a reference or not at all.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

// === impl Secret ===

impl Secret {
    /// Takes the text of the configuration as it stands.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text of the configuration, unresolved. May be the secret itself: for resolving only.
    pub fn reference(&self) -> &str {
        &self.0
    }

    /// The secret's value, through `lookup` for environment variables and from the disk for files. `Err` names what is
    /// missing.
    pub fn resolve(&self, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let Some(inner) = self.0.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
            return Ok(self.0.clone());
        };
        if let Some(path) = inner.strip_prefix("file:") {
            let text = read(path).map_err(|error| format!("cannot read the file {path}: {error}"))?;
            return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
        }
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        let set = lookup(name).filter(|value| !value.is_empty());
        set.or(default.map(str::to_owned))
            .ok_or_else(|| format!("the environment variable {name} is not set"))
    }
}

/// A text file that is no larger than it may be.
fn read(path: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE) {
        return Err(io::Error::other(format!("it has more than {MAX_FILE} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_reference = self.0.is_empty() || (self.0.starts_with("${") && !self.0.contains(":-"));
        f.write_str(if is_reference { &self.0 } else { "[redacted]" })
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "secret" })
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
