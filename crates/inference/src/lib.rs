//! The stage that calls workers, and the workers: one file a provider behind [`Model`](orchestrator_core::Model).
//!
//! A call goes [`Inference`] -> routing -> [`Worker`] -> `call` (one attempt) -> `provider` (where and how to ask) ->
//! `wire` (HTTP/1.1). Adding a provider is one file and one line in `provider`.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod call;
mod config;
mod error;
#[cfg(test)]
mod fixtures;
mod metrics;
mod provider;
mod stage;
mod wire;
mod worker;

pub use config::{Config, Health, PoolName, ProviderName, Resilience, UpstreamStream, WorkerConfig};
pub use error::Error;
pub use metrics::Metrics;
pub use stage::Inference;
pub use worker::{Worker, WorkerSpec};
