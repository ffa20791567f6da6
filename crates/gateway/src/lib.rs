//! A door: OpenAI's face and ours over HTTP and WebSocket, health and metrics beside them; failure -> status.
//!
//! A request comes in at [`Gateway`] -> `server` (connection) -> `router` -> `chat` (body -> `Request` -> the line) and its
//! answer leaves through `reply` (JSON), `sse` or `socket` (WebSocket).
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod body;
mod call;
mod chat;
mod client;
mod config;
mod control;
mod cors;
mod deal;
mod door;
mod error;
mod fault;
#[cfg(test)]
mod fixtures;
mod gateway;
mod io;
mod life;
mod metrics;
mod options;
mod reply;
mod resume;
mod router;
mod server;
mod socket;
mod sse;

pub use config::Config;
pub use control::Control;
pub use door::{Chaos, Listed, Parts};
pub use error::Error;
pub use gateway::{CoreDoors, Gateway};
pub use life::{Director, Life, Stage, life};
pub use metrics::Metrics;
