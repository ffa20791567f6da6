//! OpenAI Chat Completions: requests of clients, events and whole answers of workers, and both for clients.

mod collector;
mod event;
mod parse;
mod progress;
mod render;
mod scan;
pub(crate) mod turn;
mod writer;

pub(crate) use event::read_whole;
pub(crate) use progress::Progress;

pub use collector::Collector;
pub use parse::{Parsed, parse_request};
pub use writer::EventWriter;

use orchestrator_core::{Head, RequestId};

/// The answer's id for clients: the worker's, so that rendered events agree with passed ones, or one made of the request's.
/// Of the foreign dialects only Messages has ids, which begin with `msg_`; clients expect `chatcmpl-`.
pub(crate) fn answer_id(head: &Head, id: RequestId) -> String {
    match &*head.id {
        "" => id.to_string().replacen("req_", "chatcmpl-", 1),
        foreign if foreign.starts_with("msg_") => format!("chatcmpl-{foreign}"),
        own => own.to_owned(),
    }
}
