//! OpenAI's API, and any server that speaks it.

use super::{BEARER, Provider};
use orchestrator_dialect::Protocol;

pub(super) const PROVIDER: Provider = Provider {
    protocol: Protocol::Chat,
    default_url: "https://api.openai.com/v1",
    url_variable: "OPENAI_BASE_URL",
    key_variable: Some("OPENAI_API_KEY"),
    path: "/chat/completions",
    probe_path: "/models",
    key_header: BEARER,
    fixed_headers: &[],
    suffix: "",
};
