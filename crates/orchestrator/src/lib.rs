//! The program as a library: the command line, how the parts are wired, and the one error on top.
//!
//! [`cli`] -> [`run`] (load, build, serve, drain) -> `wiring` (the parts) -> `core` (one line and its share of the doors).
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

pub mod cli;
mod core;
mod error;
mod files;
mod overview;
mod plan;
pub mod run;
mod settings;
mod wiring;
mod workers;

pub use error::OrchestratorError;
