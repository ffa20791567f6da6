//! Whether, how long and for how much text passages are looked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// Retrieval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether passages are looked for.
    pub enabled: bool,
    /// The folder whose Markdown and text files (`.md`, `.markdown`, `.txt`) are searched, those in its folders too; hidden
    /// ones are left out. It is read in the background: until it was for the first time, questions wait within their time.
    /// Without it nothing is found, which cannot be if it is `required`.
    pub folder: Option<PathBuf>,
    /// How often the folder is looked at for files that changed, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub refresh_s: u64,
    /// Files that are searched at most, in at most as many folders; further ones are left out with a warning.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_files: usize,
    /// The largest file that is searched, in bytes; larger ones are left out with a warning.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub max_file_bytes: u64,
    /// What all files may hold together, in bytes; the rest is left out with a warning.
    #[schemars(range(min = 1, max = 17_179_869_184_u64))]
    pub max_folder_bytes: u64,
    /// The longest passage, in bytes; files are cut at headings, paragraphs, lines and words.
    #[schemars(range(min = 64, max = 65_536))]
    pub passage_bytes: usize,
    /// How long they are looked for, in milliseconds; then the request goes on without.
    #[schemars(range(min = 1, max = 600_000))]
    pub timeout_ms: u64,
    /// Tokens that passages may add to a prompt, taken as four bytes each.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_context_tokens: usize,
    /// Passages that are used at most.
    #[schemars(range(min = 1, max = 1_000))]
    pub top_k: usize,
    /// Whether a request fails when retrieval does; else it goes on without passages, and a warning says so once a minute.
    pub required: bool,
    /// Requests that the stage works on at once, per line.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub width: usize,
    /// Requests that the edge into the stage holds, per line.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub capacity: usize,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Config {
            enabled: true,
            folder: None,
            refresh_s: 5,
            max_files: 10_000,
            max_file_bytes: 8 << 20,
            max_folder_bytes: 256 << 20,
            passage_bytes: 1_200,
            timeout_ms: 5_000,
            max_context_tokens: 2_048,
            top_k: 4,
            required: false,
            width: 64,
            capacity: 64,
        }
    }
}

impl Config {
    pub(crate) fn refresh(&self) -> Duration {
        Duration::from_secs(self.refresh_s)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}
