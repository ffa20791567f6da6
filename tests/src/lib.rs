//! What tests of the program as a whole need: the program itself on free ports, and a plain client.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a fault in here shall end the test"
)]

mod program;
mod python;
mod tiers;

pub use orchestrator_testkit::client::{Call, Http, get, post};
pub use program::{Ended, Program};
pub use python::{python, run};
pub use tiers::{CHAT, NOBODY, STREAM, Tiers, chat, worker};
