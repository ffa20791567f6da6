//! The stage that looks for passages which ground an answer, and the full-text index over a folder that it asks.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod config;
mod error;
#[cfg(test)]
mod fixtures;
mod folder;
mod index;
mod metrics;
mod search;
mod split;
mod stage;
mod walk;
mod words;

pub use config::Config;
pub use error::Error;
pub use index::Index;
pub use metrics::Metrics;
pub use stage::Rag;
