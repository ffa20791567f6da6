//! Chaos: faults that are injected on purpose, to see what becomes of requests.
//!
//! `config` says which -> [`Switch`] whether, now -> `dice` which call meets which (a pure function of the seed) -> the
//! shells [`Model`](orchestrator_core::Model) and [`Retriever`](orchestrator_core::Retriever) around the real ones let it
//! happen. They stand inside the guards, so that breakers, slots and latencies see an injected fault like any other, and
//! obey the timeouts of the worker that they play.
//!
//! Faults come from three sides: from the configuration, for as long as it says; from an operator's `Order`, which ends by
//! the clock; and from a client for its own request alone, whose calls then meet those and no others.

mod asked;
mod check;
mod config;
mod dice;
mod metrics;
mod model;
mod order;
mod retriever;
mod run;
mod stream;
mod switch;

pub use config::{ALL, Config, RetrieverFaults, WorkerFaults};
pub use metrics::{Fault, Metrics};
pub use model::Patience;
pub use order::Order;
pub use run::{RETRIEVER, Settings};
pub use switch::{Force, Switch};

#[cfg(test)]
mod tests;
