//! Ollama's own API, which streams a JSON object a line.

use super::{BEARER, Provider};
use orchestrator_dialect::Protocol;

pub(super) const PROVIDER: Provider = Provider {
    protocol: Protocol::Ollama,
    default_url: "http://127.0.0.1:11434",
    url_variable: "OLLAMA_HOST",
    key_variable: None,
    path: "/api/chat",
    probe_path: "/api/tags",
    key_header: BEARER,
    fixed_headers: &[],
    suffix: "",
};
