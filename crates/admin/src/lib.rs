//! The control plane: what operators read and steer, as JSON under `/api/v1/`.
//!
//! A request is answered in three steps: [`Admin`] -> `resource` (what a path names and who may do what with it) -> the file
//! that shows it: `breaker`, `worker`, `route`, `retry`, `balancing`, `chaos`. What cannot be done is told as a `problem`.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod admin;
mod balancing;
mod body;
mod breaker;
mod chaos;
#[cfg(test)]
mod fixtures;
mod problem;
mod resource;
mod retry;
mod route;
mod worker;

pub use admin::Admin;
