//! The stage that makes the prompt: what was retrieved goes before the conversation, by a template.

mod config;
mod error;
mod stage;
mod template;

pub use config::Config;
pub use error::Error;
pub use stage::Assemble;
