//! What cannot be done, told as `application/problem+json` (RFC 9457).

use crate::settings::Fault;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    /// The methods that the path takes, when another was used.
    allow: Option<&'static str>,
    /// All that is wrong with an edit.
    errors: Vec<Fault>,
}

/// The members of a problem whose type says no more than its status does.
#[derive(Serialize)]
struct Members<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
}

// === impl Problem ===

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Problem {
            status,
            detail: detail.into(),
            allow: None,
            errors: Vec::new(),
        }
    }

    /// With all that is wrong, one by one.
    #[must_use]
    pub(crate) fn with_errors(self, errors: Vec<Fault>) -> Self {
        Problem { errors, ..self }
    }

    /// There is no such thing; `near` is what may have been meant.
    pub(crate) fn not_found(what: &str, near: Option<&str>) -> Self {
        let help = near.map_or_else(String::new, |near| format!(" Did you mean `{near}`?"));
        Problem::new(StatusCode::NOT_FOUND, format!("{what}{help}"))
    }

    /// The path takes these methods alone.
    pub(crate) fn not_allowed(allowed: &'static str) -> Self {
        Problem {
            allow: Some(allowed),
            ..Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("This path takes {allowed} only."),
            )
        }
    }

    /// The problem as an answer.
    pub(crate) fn reply(&self) -> Response<Bytes> {
        let members = Members {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        };
        let body = serde_json::to_vec(&members).unwrap_or_default();
        let mut reply = reply(self.status, "application/problem+json", body);
        if let Some(allowed) = self.allow {
            let allowed = HeaderValue::from_static(allowed);
            reply.headers_mut().insert(header::ALLOW, allowed);
        }
        reply
    }
}

/// An answer. It is of this moment, so nobody shall keep it.
pub(crate) fn reply(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::from(body));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

#[cfg(test)]
mod tests;
