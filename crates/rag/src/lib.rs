//! The stage that looks for passages which ground an answer.

mod config;
mod metrics;
mod stage;

pub use config::Config;
pub use metrics::Metrics;
pub use stage::Rag;
