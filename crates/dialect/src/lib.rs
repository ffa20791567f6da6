//! The wire formats, both ways: what clients send and hear, what workers are asked and answer.
//!
//! Equal dialects lose nothing: bodies and events are passed as they came, with the few fields patched that must differ.
//! Between unequal ones [`table`] says what is carried, what is refused and what is dropped.
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::let_underscore_must_use,
        clippy::string_slice,
        clippy::too_many_lines,
        reason = "a fault in a test shall end it, and transcripts are long"
    )
)]

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
