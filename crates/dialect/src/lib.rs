//! The wire formats, both ways: what clients send and hear, what workers are asked and answer.
//!
//! Equal dialects lose nothing: bodies and events are passed as they came, with the few fields patched that must differ.

pub mod ask;
pub mod chat;
pub mod error;
mod json;
mod protocol;
pub mod reader;
pub mod request;
mod sse;
pub mod whole;

pub use protocol::{Meta, Protocol};
