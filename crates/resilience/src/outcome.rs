//! What a call's end says about its worker.

use orchestrator_core::{Code, Failure};

/// What a call's end says about its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It serves.
    Success,
    /// It does not.
    Failure,
    /// Nothing: the caller's own fault, a rate limit, or an end that the client or the deadline brought about.
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
            _ => Outcome::Neutral,
        }
    }
}

#[cfg(test)]
mod tests;
