//! The configuration: one document that declares the line, its workers and its doors.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod finding;
mod load;
mod root;

pub use finding::{Finding, Findings};
pub use load::{Loaded, Lookup, load, parse, schema};
pub use root::{Config, PipelineConfig, ShutdownConfig, Stages};
