//! The first stage: requests that are equal share one answer. Running ones are joined; finished ones are replayed within
//! the window.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod canonical;
mod config;
mod fingerprint;
mod metrics;
mod stage;
mod table;

pub use config::{Config, Scope};
pub use metrics::Metrics;
pub use stage::Dedup;
