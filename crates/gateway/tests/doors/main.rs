//! The doors over real sockets, before a line that is nothing but a scripted model.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a fault in here shall end the test"
)]

mod line;
mod support;

mod ask;
mod bodies;
mod chat;
mod connections;
mod control;
mod failures;
mod framing;
mod models;
mod operators;
mod pages;
mod refusals;
mod sockets;
mod wishes;
