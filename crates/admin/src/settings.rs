//! What the control plane asks of whoever keeps the configuration in force: to change it.

use serde::Serialize;
use serde_json::{Map, Value};

/// The configuration in force. An edit is checked as a document is, and lasts until the process ends.
pub trait Settings: Send + Sync + 'static {
    /// Does all that an edit asks for, or nothing, and says what has changed; the next request feels it. Of edits at the same
    /// time the last one wins. The whole configuration is checked, which may take a while: not where requests are served.
    ///
    /// # Errors
    /// All that is wrong with the edit.
    fn edit(&self, edit: Edit<'_>) -> Result<Vec<Change>, Vec<Fault>>;
}

/// What an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edit<'a> {
    /// What is changed.
    pub section: Section<'a>,
    /// The keys that may be; none: all of the section that may be changed at work.
    pub keys: Option<&'a [&'a str]>,
    /// The new values, as a JSON merge patch (RFC 7396) over the section: null takes a key out.
    pub patch: &'a Map<String, Value>,
}

/// A table of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section<'a> {
    /// `[routes.NAME]`
    Route(&'a str),
    /// `[workers.NAME]`
    Worker(&'a str),
    /// `[pools]`
    Pools,
}

/// A setting that is another than before; null where it is not set.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which, as in `routes.default.hard_limit`.
    pub path: String,
    /// Before.
    pub from: Value,
    /// Now.
    pub to: Value,
}

/// Something that is wrong with an edit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where, as in `routes.default.hard_limit`.
    pub path: String,
    /// What was found.
    pub message: String,
    /// What may stand there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}
