//! What stands around one call: a breaker, a rest after 429, a slot, and retries with backoff before the first token.
//!
//! The machines are pure: they take `now` and chance as arguments. Thin shells lock them and hand out permits that settle
//! themselves when dropped, so counts return to zero whatever way a call ends.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod backoff;
mod breaker;
mod config;
mod guard;
mod metrics;
mod outcome;
mod rest;
mod retry;
mod slots;

pub use backoff::Backoff;
pub use breaker::{Breaker, State};
pub use config::Config;
pub use guard::{Guard, Permit};
pub use metrics::Metrics;
pub use outcome::Outcome;
pub use rest::Rest;
pub use retry::{Attempts, Pause};
pub use slots::{Slot, Slots};
