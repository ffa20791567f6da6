//! How a request ended badly.
//!
//! A [`Code`] is a closed list and doubles as a metric label; whose fault it was and whether another try may help follow
//! from it, so they cannot disagree.

use std::{error::Error, fmt, sync::Arc, time::Duration};

/// Why a request failed; each code has one meaning, one culprit and one answer to "may I try again?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The client's input is wrong; `param` says where.
    InvalidRequest,
    /// The prompt does not fit the model's window.
    ContextLengthExceeded,
    /// No key, or one that we do not know.
    InvalidApiKey,
    /// No worker serves the model that was asked for.
    ModelNotFound,
    /// The body is larger than `max_body_bytes`.
    RequestTooLarge,
    /// The method is not served at this path.
    MethodNotAllowed,
    /// Nothing is served at this path.
    NotFound,
    /// The body's content type is not JSON.
    UnsupportedMediaType,
    /// The client took too long to send its request.
    RequestTimeout,
    /// The id names a request that is running on this socket.
    IdInUse,
    /// What should be resumed is not kept any more.
    ResumeNotPossible,
    /// The listener took nothing for too long.
    SlowConsumer,
    /// All workers are busy and the waiting room is full or too slow.
    Overloaded,
    /// We are going down.
    Draining,
    /// The worker's breaker is open.
    BreakerOpen,
    /// The worker answered with 429.
    RateLimited,
    /// The worker refused the request itself (400, 404, 422); its own text is passed on.
    UpstreamRejected,
    /// The worker refused our credentials.
    UpstreamCredentials,
    /// The worker sends us elsewhere: its address in the configuration is not right.
    UpstreamRedirected,
    /// No connection to the worker, or it broke.
    UpstreamConnect,
    /// The worker answered with 5xx, or with an error in its stream.
    UpstreamError,
    /// The worker's bytes cannot be read as its protocol.
    UpstreamProtocol,
    /// The worker's answer ended before it was finished.
    UpstreamTruncated,
    /// The worker sent no token in time.
    FirstTokenTimeout,
    /// The worker fell silent in the middle of an answer.
    IdleTimeout,
    /// Retrieval failed and the configuration requires it.
    RetrievalFailed,
    /// The request's own deadline has passed.
    DeadlineExceeded,
    /// The client left or cancelled.
    Cancelled,
    /// A bug of ours: a panic or a writer dropped before its end.
    Internal,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller's.
    Client,
    /// The model server's.
    Upstream,
    /// Ours.
    Gateway,
}

/// Whether another try may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will fail again.
    Never,
    /// At once, at another worker or after a backoff at the same one.
    Now,
    /// After the pause that the failure carries.
    After,
}

/// How a request ended badly. Cheap to clone: every listener of an answer is handed one.
#[derive(Clone)]
pub struct Failure(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    public: String,
    param: Option<String>,
    status: Option<u16>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

// === impl Code ===

impl Code {
    /// Every code, in order.
    pub const ALL: [Code; 29] = [
        Code::InvalidRequest,
        Code::ContextLengthExceeded,
        Code::InvalidApiKey,
        Code::ModelNotFound,
        Code::RequestTooLarge,
        Code::MethodNotAllowed,
        Code::NotFound,
        Code::UnsupportedMediaType,
        Code::RequestTimeout,
        Code::IdInUse,
        Code::ResumeNotPossible,
        Code::SlowConsumer,
        Code::Overloaded,
        Code::Draining,
        Code::BreakerOpen,
        Code::RateLimited,
        Code::UpstreamRejected,
        Code::UpstreamCredentials,
        Code::UpstreamRedirected,
        Code::UpstreamConnect,
        Code::UpstreamError,
        Code::UpstreamProtocol,
        Code::UpstreamTruncated,
        Code::FirstTokenTimeout,
        Code::IdleTimeout,
        Code::RetrievalFailed,
        Code::DeadlineExceeded,
        Code::Cancelled,
        Code::Internal,
    ];

    /// The code as it stands in metrics, logs and error bodies.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidRequest => "invalid_request",
            Code::ContextLengthExceeded => "context_length_exceeded",
            Code::InvalidApiKey => "invalid_api_key",
            Code::ModelNotFound => "model_not_found",
            Code::RequestTooLarge => "request_too_large",
            Code::MethodNotAllowed => "method_not_allowed",
            Code::NotFound => "not_found",
            Code::UnsupportedMediaType => "unsupported_media_type",
            Code::RequestTimeout => "request_timeout",
            Code::IdInUse => "id_in_use",
            Code::ResumeNotPossible => "resume_not_possible",
            Code::SlowConsumer => "slow_consumer",
            Code::Overloaded => "server_is_overloaded",
            Code::Draining => "server_draining",
            Code::BreakerOpen => "breaker_open",
            Code::RateLimited => "rate_limit_exceeded",
            Code::UpstreamRejected => "upstream_rejected",
            Code::UpstreamCredentials => "upstream_credentials",
            Code::UpstreamRedirected => "upstream_redirected",
            Code::UpstreamConnect => "upstream_connect",
            Code::UpstreamError => "upstream_error",
            Code::UpstreamProtocol => "upstream_protocol",
            Code::UpstreamTruncated => "upstream_truncated",
            Code::FirstTokenTimeout => "first_token_timeout",
            Code::IdleTimeout => "idle_timeout",
            Code::RetrievalFailed => "retrieval_failed",
            Code::DeadlineExceeded => "deadline_exceeded",
            Code::Cancelled => "cancelled",
            Code::Internal => "internal_error",
        }
    }

    /// Whose fault it is.
    pub fn blame(self) -> Blame {
        use Code::*;
        match self {
            InvalidRequest
            | ContextLengthExceeded
            | InvalidApiKey
            | ModelNotFound
            | RequestTooLarge
            | MethodNotAllowed
            | NotFound
            | UnsupportedMediaType
            | RequestTimeout
            | IdInUse
            | ResumeNotPossible
            | SlowConsumer
            | Cancelled
            | UpstreamRejected => Blame::Client,
            RateLimited | UpstreamCredentials | UpstreamRedirected | UpstreamConnect | UpstreamError
            | UpstreamProtocol | UpstreamTruncated | FirstTokenTimeout | IdleTimeout => Blame::Upstream,
            Overloaded | Draining | BreakerOpen | RetrievalFailed | DeadlineExceeded | Internal => Blame::Gateway,
        }
    }

    /// Whether another try of the call may help.
    pub fn retry(self) -> Retry {
        use Code::*;
        match self {
            UpstreamConnect | UpstreamError | UpstreamProtocol | UpstreamTruncated | FirstTokenTimeout
            | IdleTimeout => Retry::Now,
            Overloaded | Draining | BreakerOpen | RateLimited => Retry::After,
            _ => Retry::Never,
        }
    }
}

// === impl Blame ===

impl Blame {
    /// The culprit as it stands in the header `x-orchestrator-error-source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Blame::Client => "client",
            Blame::Upstream => "upstream",
            Blame::Gateway => "gateway",
        }
    }
}

// === impl Failure ===

impl Failure {
    /// A failure with the text that the caller may read.
    pub fn new(code: Code, public: impl Into<String>) -> Self {
        Failure(Arc::new(Inner {
            code,
            public: public.into(),
            param: None,
            status: None,
            retry_after: None,
            source: None,
        }))
    }

    /// The caller's input is wrong at `param`, a path into the JSON of the request.
    pub fn invalid(param: impl Into<String>, public: impl Into<String>) -> Self {
        Failure::new(Code::InvalidRequest, public).at(param)
    }

    /// A worker answered with a status that is no 2xx; `said` are its own words, where it has any.
    pub fn refused(status: u16, said: Option<String>) -> Self {
        let said = said.unwrap_or_else(|| format!("The worker answered with status {status}."));
        let failure = match status {
            401 | 403 => Failure::new(
                Code::UpstreamCredentials,
                "The worker refused the server's credentials.",
            ),
            429 => Failure::new(Code::RateLimited, said),
            408 | 500.. => Failure::new(Code::UpstreamError, said),
            400..=499 => Failure::new(Code::UpstreamRejected, said),
            _ => Failure::new(
                Code::UpstreamProtocol,
                format!("The worker answered with status {status}."),
            ),
        };
        failure.with_status(status)
    }

    /// Names the place in the request that is at fault.
    pub fn at(self, param: impl Into<String>) -> Self {
        self.with(|inner| inner.param = Some(param.into()))
    }

    /// Keeps the status that a worker answered with, or one that says more than the code's own.
    pub fn with_status(self, status: u16) -> Self {
        self.with(|inner| inner.status = Some(status))
    }

    /// Says when another try may help.
    pub fn with_retry_after(self, pause: Duration) -> Self {
        self.with(|inner| inner.retry_after = Some(pause))
    }

    /// Keeps the cause for the log, so it may hold neither content nor a secret; callers never see it.
    pub fn with_source(self, source: impl Error + Send + Sync + 'static) -> Self {
        self.with(|inner| inner.source = Some(Arc::new(source)))
    }

    /// Why it failed.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The text that the caller may read; holds no secret and no content.
    pub fn public(&self) -> &str {
        &self.0.public
    }

    /// The text as the log may hold it. What a worker says, or what we say of a client's input, may repeat content and is
    /// left out.
    pub fn loggable(&self) -> &str {
        match (self.0.code.blame(), self.0.code) {
            (Blame::Client, _) | (_, Code::RateLimited | Code::UpstreamError) => {
                "its words are not logged, since they may repeat content"
            }
            _ => &self.0.public,
        }
    }

    /// The causes, each followed by its own, joined by `: `; for the log.
    pub fn causes(&self) -> Option<String> {
        let mut cause = self.source()?;
        let mut text = cause.to_string();
        while let Some(next) = cause.source() {
            let words = next.to_string();
            // Many errors tell their cause at their own end.
            if !text.ends_with(&words) {
                text.push_str(": ");
                text.push_str(&words);
            }
            cause = next;
        }
        Some(text)
    }

    /// The place in the request that is at fault.
    pub fn param(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// The status that the worker answered with.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// How long to wait before another try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        (a.code, &a.public, &a.param, a.status, a.retry_after) == (b.code, &b.public, &b.param, b.status, b.retry_after)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.public)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.public)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
