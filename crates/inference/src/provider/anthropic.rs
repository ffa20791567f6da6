//! Anthropic's Messages API. The version is pinned to the one whose parameters a chat completion can be told in.

use super::Provider;
use http::HeaderName;
use orchestrator_dialect::Protocol;

pub(super) const PROVIDER: Provider = Provider {
    protocol: Protocol::Messages,
    default_url: "https://api.anthropic.com/v1",
    url_variable: "ANTHROPIC_BASE_URL",
    key_variable: Some("ANTHROPIC_API_KEY"),
    path: "/messages",
    probe_path: "/models",
    key_header: (HeaderName::from_static("x-api-key"), ""),
    fixed_headers: &[("anthropic-version", "2023-06-01")],
    suffix: "/v1",
};
