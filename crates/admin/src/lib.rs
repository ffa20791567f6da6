//! The control plane: what operators read and steer, as JSON under `/api/v1/`.
//!
//! A request is answered in three steps: [`Admin`] -> `resource` (what a path names and who may do what with it) -> the file
//! that shows it: `breaker`, `worker`, `route`, `retry`, `balancing`, `pool`, `line`,
//! `degradation`, `chaos`. What cannot be done is told as a
//! `problem`. An `edit` goes to whoever keeps the [`Settings`], and the answer is what is then in force.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod admin;
mod balancing;
mod body;
mod breaker;
mod chaos;
mod degradation;
mod edit;
#[cfg(test)]
mod fixtures;
mod line;
mod pool;
mod problem;
mod resource;
mod retry;
mod route;
mod settings;
mod worker;

pub use admin::{Admin, Parts};
pub use line::{Lane, Line, Pipeline, Stage};
pub use settings::{Change, Edit, Fault, Section, Settings};
