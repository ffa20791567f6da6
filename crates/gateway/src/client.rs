//! Who is at the other end of a connection.

use std::{net::SocketAddr, sync::Arc};

/// A client, by its address.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    /// As each of its requests shows it in the log.
    pub(crate) shown: Arc<str>,
}

// === impl Client ===

impl From<SocketAddr> for Client {
    fn from(address: SocketAddr) -> Self {
        Client {
            address,
            shown: address.to_string().into(),
        }
    }
}
