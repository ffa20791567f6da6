//! For tests only: what stands in for the world around the line.
//!
//! - [`request`], [`prompt`], [`chat`]: valid requests from a line of text or a body.
//! - [`scripted::Model`]: a model in the process that follows a script on tokio's clock, which tests pause.
//! - [`Credits`]: room behind the gate, as many credits as a test says.
//! - [`Timeline`]: what happened at which virtual millisecond, as text to compare with.
//! - [`ModelServer`]: a model server over real HTTP with a say over every byte; it counts what was asked of it. The
//!   program `model-server` is the same in a process of its own.
//!
//! Whatever is wrong in here ends the test that uses it, so this crate panics where shipped code must not.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a fault in the scenery shall end the test that uses it"
)]

mod capacity;
pub mod client;
pub mod model_server;
pub mod scripted;

mod timeline;
mod words;
mod world;

pub use capacity::Credits;
pub use model_server::{ModelServer, Script};
pub use timeline::Timeline;
pub use words::{chat, collect, cx, prompt, request, text_of};
pub use world::world;
