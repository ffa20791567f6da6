//! The wire formats, both ways: what clients send and hear, what workers are asked and answer.
//!
//! Equal dialects lose nothing: bodies and events are passed as they came, with the few fields patched that must differ.
//! Between unequal ones [`table`] says what is carried, what is refused and what is dropped.

#[cfg(test)]
mod fixtures;
mod json;
mod protocol;

pub mod ask;
pub mod chat;
pub mod error;
mod frames;
mod lines;
mod messages;
mod ollama;
pub mod reader;
pub mod request;
pub mod table;
pub mod whole;

pub use protocol::{Meta, Protocol};
