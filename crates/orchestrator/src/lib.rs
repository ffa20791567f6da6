//! The program as a library: the command line, how the parts are wired, and the one error on top.
//!
//! [`cli`] -> [`run`] (load, build, serve, drain) -> `wiring` (the parts) -> `core` (one line and its share of the doors).

pub mod cli;
mod core;
mod error;
pub mod run;
mod wiring;

pub use error::OrchestratorError;
