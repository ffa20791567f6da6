//! The stage that filters what a model says: stop strings, redaction, trimming.
//!
//! The text comes in pieces whose borders fall anywhere. What goes out is the same as if the filters had seen the whole
//! text at once, however it was cut; and it goes out as soon as nothing that may still come can change it.

mod cascade;
mod config;
mod error;
mod metrics;
mod redact;
mod rewrite;
mod stage;
mod stop;
mod trim;

pub use config::{Config, Redaction, Trim};
pub use error::Error;
pub use metrics::Metrics;
pub use stage::PostProcess;
