//! What answers when the workers of a route cannot: answers that were kept, a smaller model, a fixed message. Rules say
//! when one of them answers before the workers are asked, and each such time is remembered as an episode.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod cache;
mod chain;
mod config;
mod degradation;
mod episode;
#[cfg(test)]
mod fixtures;
mod metrics;
mod record;
mod rule;

pub use chain::Chain;
pub use config::{CacheConfig, Config, ReducedConfig, RuleConfig, Step};
pub use degradation::{Degradation, RouteOf, Standing};
pub use episode::{Cause, Episode, Touched};
pub use metrics::Metrics;
