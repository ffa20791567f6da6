//! The last stage of the line, and how an answer is framed for clients.
//!
//! [`Stream`] drives a reply into the answer; [`sse`] and [`ws`] write what listeners hear.

mod config;
pub mod sse;
mod stage;
pub mod ws;

pub use config::Config;
pub use stage::Stream;
