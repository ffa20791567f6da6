//! What stands around one call: a breaker, a rest after 429, a rate limit, a slot, and retries with backoff and a budget
//! before the first token; and, where it is wanted, the faults that put all of these to the test.
//!
//! The machines are pure: they take `now` and chance as arguments. Thin shells lock them and hand out permits that settle
//! themselves when dropped, so counts return to zero whatever way a call ends.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod adaptive;
mod backoff;
mod breaker;
pub mod chaos;
mod config;
mod guard;
mod history;
mod metrics;
mod outcome;
mod pass;
mod rate_limit;
mod rest;
mod retry;
mod retry_budget;
mod slots;
mod state;
mod tokens;
mod window;

pub use breaker::{Breaker, Grant, Thresholds};
pub use config::Config;
pub use guard::{Guard, Occupancy, Permit, View};
pub use history::Change;
pub use metrics::Metrics;
pub use outcome::Outcome;
pub use pass::{Call, Pass, Refusal};
pub use rate_limit::{RateLimit, Taken};
pub use retry::{Attempts, Pause};
pub use retry_budget::RetryBudget;
pub use slots::{Slot, Slots};
pub use state::{Cause, State};
pub use tokens::Estimate;
