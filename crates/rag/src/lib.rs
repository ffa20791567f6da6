//! The stage that looks for passages which ground an answer.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod config;
mod metrics;
mod stage;

pub use config::Config;
pub use metrics::Metrics;
pub use stage::Rag;
