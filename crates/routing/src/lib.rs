//! A model made of models: which route a request takes, which of its workers are called, and in what order.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod balance;
mod complexity;
mod config;
mod course;
mod error;
#[cfg(test)]
mod fixtures;
mod health;
mod hold;
mod latency;
mod load;
mod member;
mod metrics;
mod plan;
mod pool;
mod reason;
mod route;
mod router;
mod routes;
mod settings;
mod told;
mod view;

pub use complexity::Complexity;
pub use config::{Balance, Fit, Pools, RouteConfig};
pub use error::Error;
pub(crate) use health::Health;
pub use health::Probing;
pub(crate) use latency::Latency;
pub use member::Member;
pub use metrics::Metrics;
pub use plan::{Candidate, First, Plan, Reject, Skipped, plan};
pub use pool::PoolSlots;
pub use reason::{Reason, Refused, Why};
pub use route::Route;
pub use router::Router;
pub use routes::Routes;
pub use view::{Ask, View};
