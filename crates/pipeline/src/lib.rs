//! The topology: six stages and a gate, wired into a line by bounded edges, one whole line on each core.
//!
//! Inside the line an edge waits, so pressure walks back to the gate by itself; the gate alone sheds.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod config;
mod gate;
mod line;
mod metrics;
mod pipeline;
mod room;

pub use config::{AnswersConfig, LanesConfig, StageConfig, Weights};
pub use gate::Gate;
pub use line::{Line, Size};
pub use metrics::Metrics;
pub use pipeline::{Entry, Parts, Running, Sizes, start};
