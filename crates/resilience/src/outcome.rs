//! What a call's end says about its worker.

use orchestrator_core::{Code, Failure};

/// What a call's end says about its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It serves.
    Success,
    /// It does not.
    Failure,
    /// It is busy: it answered 429. Neither a success nor a failure, but counted.
    RateLimited,
    /// Nobody waited for it: the client left or the deadline passed. Says nothing, unless it goes on and on.
    GivenUp,
    /// Nothing: the caller's own fault.
    Neutral,
}

// === impl Outcome ===

impl From<&Failure> for Outcome {
    fn from(failure: &Failure) -> Self {
        match failure.code() {
            Code::UpstreamConnect
            | Code::UpstreamError
            | Code::UpstreamProtocol
            | Code::UpstreamTruncated
            | Code::UpstreamCredentials
            | Code::UpstreamRedirected
            | Code::FirstTokenTimeout
            | Code::IdleTimeout => Outcome::Failure,
            Code::RateLimited => Outcome::RateLimited,
            Code::Cancelled | Code::DeadlineExceeded => Outcome::GivenUp,
            _ => Outcome::Neutral,
        }
    }
}

#[cfg(test)]
mod tests;
