//! The first stage: requests that are equal share one answer. Running ones are joined; finished ones are replayed within
//! the window.

mod canonical;
mod config;
mod fingerprint;
mod metrics;
mod stage;
mod table;

pub use config::{Config, Scope};
pub use metrics::Metrics;
pub use stage::Dedup;
