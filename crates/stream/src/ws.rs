//! Our WebSocket: many requests on one socket, each by the `id` that its client gave it.
//!
//! [`Command`] reads what clients send; [`Frame`] writes what they hear. All frames are JSON texts.

mod command;
mod frame;

pub use command::{Command, Refused, Resume, Submit};
pub use frame::{Frame, token_head, token_rest};
