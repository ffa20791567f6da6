//! Why a worker cannot be built.

use crate::wire::EndpointError;

/// Why a worker cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address makes no sense.
    #[error("workers.{worker}.base_url: {reason}")]
    BaseUrl {
        /// The worker's name.
        worker: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key cannot be had.
    #[error("workers.{worker}.api_key: {reason}")]
    Key {
        /// The worker's name.
        worker: String,
        /// What is missing.
        reason: String,
    },
    /// The environment names a proxy on the way to the worker that cannot be used. The variable's value may hold a
    /// password and is not repeated.
    #[error("workers.{worker}: the environment variable {variable} names no usable proxy: {reason}")]
    Proxy {
        /// The worker's name.
        worker: String,
        /// The variable.
        variable: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// This machine trusts no certificate authority, so that no server can be checked over TLS.
    #[error(
        "workers.{worker}: no certificate authorities to check its server by; install ca-certificates or set \
         SSL_CERT_FILE ({reason})"
    )]
    Certificates {
        /// The worker's name.
        worker: String,
        /// What was found where they should be.
        reason: String,
    },
    /// The TLS library refuses its settings.
    #[error("workers.{worker}: TLS cannot be set up: {reason}")]
    Tls {
        /// The worker's name.
        worker: String,
        /// The library's reason.
        reason: String,
    },
}

// === impl Error ===

impl Error {
    /// What keeps the server of `worker` from being called.
    pub(crate) fn endpoint(worker: &str, error: EndpointError) -> Self {
        let worker = worker.to_owned();
        match error {
            EndpointError::Url(_) => Error::BaseUrl {
                worker,
                reason: error.to_string(),
            },
            EndpointError::Proxy { variable, reason } => Error::Proxy {
                worker,
                variable,
                reason,
            },
            EndpointError::Roots(reason) => Error::Certificates { worker, reason },
            EndpointError::Tls(error) => Error::Tls {
                worker,
                reason: error.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
