//! Web pages as clients: which may speak to us, and what their browsers must be told.
//!
//! Programs send no `origin`. A page's must be our own host or stand in `allowed_origins`, or any page could speak to us in
//! its reader's name. That is asked of each request, since a browser sends a plain one without asking first; only its
//! answer would be hidden from the page. (The Fetch standard, section 3.2.)

use crate::body::{Body, Reply};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use orchestrator_core::{Code, Failure};

/// Headers of our answers that a page may read.
const EXPOSED: &str = "x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, x-orchestrator-request-id, \
    x-orchestrator-cache, x-orchestrator-worker, x-orchestrator-model, x-orchestrator-attempts, x-orchestrator-degraded, \
    x-orchestrator-sources, x-orchestrator-error-source, age";
/// Seconds for which a browser need not ask again; none remembers longer.
const REMEMBERED: &str = "7200";

/// The page that a request comes from: `None` for a program, a failure for a page that may not connect.
pub(crate) fn page(headers: &HeaderMap, allowed: &[String]) -> Result<Option<HeaderValue>, Failure> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(None);
    };
    if may_connect(origin, headers.get(header::HOST), allowed) {
        return Ok(Some(origin.clone()));
    }
    let text = "Pages of this origin may not connect; list it in `allowed_origins` of `[server]`.";
    let status = StatusCode::FORBIDDEN.as_u16();
    Err(Failure::new(Code::InvalidRequest, text)
        .at("origin")
        .with_status(status))
}

/// Whether a browser asks if its page may send a request.
pub(crate) fn is_preflight<B>(request: &Request<B>) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Yes: with any header, since SDKs bring many of their own, and `*` would leave out `authorization`.
pub(crate) fn preflight(headers: &HeaderMap) -> Reply {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    let said = reply.headers_mut();
    let methods = HeaderValue::from_static("GET, HEAD, POST");
    said.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Some(wanted) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        said.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    let remembered = HeaderValue::from_static(REMEMBERED);
    said.insert(header::ACCESS_CONTROL_MAX_AGE, remembered);
    reply
}

/// Lets the page read the answer.
pub(crate) fn admit(reply: &mut Reply, page: HeaderValue) {
    let headers = reply.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page);
    let exposed = HeaderValue::from_static(EXPOSED);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    let vary = "origin, access-control-request-headers";
    headers.insert(header::VARY, HeaderValue::from_static(vary));
}

fn may_connect(origin: &HeaderValue, host: Option<&HeaderValue>, allowed: &[String]) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    let host = host.and_then(|host| host.to_str().ok());
    let own = origin
        .split_once("://")
        .is_some_and(|(_, authority)| Some(authority) == host);
    own || allowed.iter().any(|allowed| allowed == origin)
}

#[cfg(test)]
mod tests;
