//! Where we listen, and how much one client may ask of us.

use orchestrator_core::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, time::Duration};

/// The listeners and their limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The address that clients connect to, as `IP:PORT`; port 0 takes a free one.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The address for operators: health, metrics and `/api/v1`, away from the clients.
    #[schemars(with = "String")]
    pub admin_listen: SocketAddr,
    /// The bearer token that `/metrics` and `/api/v1` on `admin_listen` ask for; empty: loopback alone may read, and nobody
    /// change anything.
    pub admin_token: Secret,
    /// Cores to use, each with a whole line; by default all of the machine's.
    #[schemars(range(min = 1, max = 1024))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Requests that may run, wait or still be sent to their clients at once, over all cores; the next is refused.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_in_flight: usize,
    /// Connections that may be open at once; the next waits to be accepted.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_connections: usize,
    /// The largest body of a request and the largest WebSocket message, in bytes.
    #[schemars(range(min = 1_024, max = 1_073_741_824))]
    pub max_body_bytes: usize,
    /// The largest head of a request, in bytes.
    #[schemars(range(min = 8_192, max = 1_048_576))]
    pub max_header_bytes: usize,
    /// How long a request may take in all, in milliseconds; `x-orchestrator-timeout-ms` lowers it.
    #[schemars(range(min = 1, max = 86_400_000))]
    pub request_timeout_ms: u64,
    /// How long a client may take to send the head of a request, in milliseconds.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub header_timeout_ms: u64,
    /// How long a client may take to send the body of a request, in milliseconds.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub body_timeout_ms: u64,
    /// How long a connection without a request is kept, in milliseconds.
    #[schemars(range(min = 1, max = 86_400_000))]
    pub idle_timeout_ms: u64,
    /// The silence in milliseconds after which a stream is sent a keepalive; also how long its status is held back.
    #[schemars(range(min = 10, max = 3_600_000))]
    pub keepalive_ms: u64,
    /// How long a client may take nothing of what we send before it is closed, in seconds.
    #[schemars(range(min = 1, max = 3_600))]
    pub slow_consumer_s: u64,
    /// How long the answers of a WebSocket that broke off are kept running for its return, in milliseconds.
    #[schemars(range(min = 0, max = 3_600_000))]
    pub resume_window_ms: u64,
    /// Requests that one WebSocket may have running at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_socket_requests: usize,
    /// Web pages that may send requests and connect WebSockets, as origins such as `https://chat.example.com`; pages of our
    /// own host always may.
    pub allowed_origins: Vec<String>,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            admin_token: Secret::new(""),
            threads: None,
            max_in_flight: 10_000,
            max_connections: 20_000,
            max_body_bytes: 32 << 20,
            max_header_bytes: 64 << 10,
            request_timeout_ms: 600_000,
            header_timeout_ms: 10_000,
            body_timeout_ms: 60_000,
            idle_timeout_ms: 75_000,
            keepalive_ms: 10_000,
            slow_consumer_s: 30,
            resume_window_ms: 5_000,
            max_socket_requests: 1_000,
            allowed_origins: Vec::new(),
        }
    }
}

impl Config {
    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    pub(crate) fn keepalive(&self) -> Duration {
        Duration::from_millis(self.keepalive_ms)
    }

    pub(crate) fn slow_consumer(&self) -> Duration {
        Duration::from_secs(self.slow_consumer_s)
    }
}

#[cfg(test)]
mod tests;
