//! The stage that makes the prompt: what was retrieved goes before the conversation, by a template, and all of it fits the
//! model's window.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod config;
mod count;
mod error;
mod fit;
mod model;
mod stage;
mod template;

pub use config::Config;
pub use error::Error;
pub use stage::{Assemble, NameOf, Target};
