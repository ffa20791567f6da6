//! Ollama's own `/api/chat`: what its workers are asked and what they answer.

mod event;
mod request;

pub(crate) use event::{Progress, read_whole};
pub(crate) use request::render;
