//! The server of llama.cpp, which speaks OpenAI's API. While it loads its model it answers 503, which is tried again.

use super::{BEARER, Provider};
use orchestrator_dialect::Protocol;

pub(super) const PROVIDER: Provider = Provider {
    protocol: Protocol::Chat,
    default_url: "http://127.0.0.1:8080/v1",
    url_variable: "LLAMA_CPP_URL",
    key_variable: Some("LLAMA_API_KEY"),
    path: "/chat/completions",
    // The models list is answered while the model loads, this one with 503; a server that does not know it says 404, which
    // is a sign of life too.
    probe_path: "/health",
    key_header: BEARER,
    fixed_headers: &[],
    suffix: "/v1",
};
