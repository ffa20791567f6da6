//! vLLM's server, which speaks OpenAI's API.

use super::{BEARER, Provider};
use orchestrator_dialect::Protocol;

pub(super) const PROVIDER: Provider = Provider {
    protocol: Protocol::Chat,
    default_url: "http://127.0.0.1:8000/v1",
    url_variable: "VLLM_URL",
    key_variable: Some("VLLM_API_KEY"),
    path: "/chat/completions",
    probe_path: "/models",
    key_header: BEARER,
    fixed_headers: &[],
    suffix: "/v1",
};
