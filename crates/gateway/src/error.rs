//! Why the doors cannot open.

use std::net::SocketAddr;

/// Why the doors cannot open.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address in the configuration.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}
