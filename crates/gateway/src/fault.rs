//! Failure -> status, headers and body: the one table of what a client is told.
//!
//! Bodies have OpenAI's shape with all four keys. A message ends with the request id; headers say whose fault it was and
//! whether the client's SDK should try again, so that its retries do not multiply ours.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use orchestrator_core::{Blame, Code, Failure, RequestId};
use serde::Serialize;
use std::time::Duration;

/// The status of requests whose client went away; it stands in logs and metrics only.
const CLIENT_CLOSED: u16 = 499;

/// What a client is told of a failure.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    kind: &'static str,
    code: Option<&'static str>,
    should_retry: Option<bool>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: Option<&'static str>,
}

impl Fault {
    /// The row of the table for a failure.
    pub(crate) fn of(failure: &Failure) -> Self {
        const INVALID: &str = "invalid_request_error";
        const SERVER: &str = "server_error";
        const BUSY: &str = "service_unavailable_error";
        let code = failure.code();
        let named = Some(code.as_str());
        let (status, kind, code, should_retry) = match code {
            Code::InvalidRequest => (failure.status().unwrap_or(400), INVALID, None, None),
            Code::ContextLengthExceeded => (400, INVALID, named, None),
            Code::InvalidApiKey => (401, INVALID, named, None),
            Code::ModelNotFound | Code::NotFound => (404, INVALID, named, None),
            Code::ResumeNotPossible => (404, INVALID, named, Some(false)),
            Code::MethodNotAllowed => (405, INVALID, named, None),
            Code::RequestTimeout => (408, INVALID, named, None),
            Code::IdInUse => (409, INVALID, named, Some(false)),
            Code::RequestTooLarge => (failure.status().unwrap_or(413), INVALID, named, None),
            Code::UnsupportedMediaType => (415, INVALID, named, None),
            Code::UpstreamRejected => (failure.status().unwrap_or(400), INVALID, named, Some(false)),
            Code::RateLimited => (429, "rate_limit_error", named, None),
            Code::Overloaded | Code::SlowConsumer => (503, BUSY, named, None),
            Code::BreakerOpen => (503, BUSY, Some(Code::Overloaded.as_str()), None),
            Code::Draining => (503, BUSY, named, Some(true)),
            Code::UpstreamCredentials
            | Code::UpstreamRedirected
            | Code::UpstreamConnect
            | Code::UpstreamError
            | Code::UpstreamProtocol
            | Code::UpstreamTruncated => (502, SERVER, Some(Code::UpstreamError.as_str()), Some(false)),
            Code::FirstTokenTimeout | Code::IdleTimeout => (504, SERVER, named, Some(false)),
            Code::DeadlineExceeded => (504, SERVER, named, Some(false)),
            Code::RetrievalFailed => (503, BUSY, named, None),
            Code::Cancelled => (CLIENT_CLOSED, INVALID, named, Some(false)),
            Code::Internal => (500, SERVER, named, Some(false)),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Fault {
            status,
            kind,
            code,
            should_retry,
        }
    }

    /// The headers that go with it.
    pub(crate) fn headers(&self, failure: &Failure) -> Vec<(HeaderName, HeaderValue)> {
        let source = HeaderValue::from_static(failure.code().blame().as_str());
        let mut headers = vec![(HeaderName::from_static("x-orchestrator-error-source"), source)];
        if let Some(pause) = pause(failure) {
            let millis = pause.as_millis().min(60_000);
            headers.push((HeaderName::from_static("retry-after-ms"), number(millis)));
            headers.push((header::RETRY_AFTER, number(whole_seconds(pause))));
        }
        if let Some(retry) = self.should_retry {
            let value = HeaderValue::from_static(if retry { "true" } else { "false" });
            headers.push((HeaderName::from_static("x-should-retry"), value));
        }
        if self.status == StatusCode::UPGRADE_REQUIRED {
            headers.push((header::UPGRADE, HeaderValue::from_static("websocket")));
        }
        headers
    }

    /// The error as JSON in OpenAI's shape: the body of an answer, or the event in a stream.
    pub(crate) fn json(&self, failure: &Failure, id: RequestId) -> Bytes {
        let again = match failure.retry_after() {
            Some(pause) if self.status == StatusCode::TOO_MANY_REQUESTS => {
                format!(" Please try again in {:.1}s.", pause.as_secs_f64())
            }
            _ => String::new(),
        };
        let message = format!("{}{again} (request id: {id})", failure.public());
        let error = Error {
            message,
            kind: self.kind,
            param: failure.param(),
            code: self.code,
        };
        serde_json::to_vec(&Body { error }).unwrap_or_default().into()
    }
}

/// How long to wait before another try. While we go down, another server or our successor may take it at once.
fn pause(failure: &Failure) -> Option<Duration> {
    let draining = failure.code() == Code::Draining;
    failure.retry_after().or(draining.then_some(Duration::from_secs(1)))
}

/// Whose fault it was, for logs and metrics; none for requests that went well.
pub(crate) fn source(failure: Option<&Failure>) -> &'static str {
    failure.map_or(crate::metrics::NONE, |failure| Blame::as_str(failure.code().blame()))
}

/// Whole seconds from 1 to 60, rounded up: the range that all SDKs obey.
fn whole_seconds(pause: Duration) -> u128 {
    pause.as_millis().div_ceil(1000).clamp(1, 60)
}

fn number(value: u128) -> HeaderValue {
    HeaderValue::try_from(value.to_string()).unwrap_or(HeaderValue::from_static("1"))
}

#[cfg(test)]
mod tests;
