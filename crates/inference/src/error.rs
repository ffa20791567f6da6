//! Why a worker cannot be built.

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
}
