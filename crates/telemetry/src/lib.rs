//! What the program shows of itself: logs, the access log, and the metrics registry with its naming rules.

pub mod buckets;
mod error;
pub mod log;
pub mod naming;
mod registry;

pub use error::Error;
pub use log::{AccessLine, AccessLog, Config, Logs};
pub use registry::Registry;
