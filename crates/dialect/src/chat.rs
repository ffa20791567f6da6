//! OpenAI Chat Completions: requests of clients, events and whole answers of workers, and both for clients.

mod collector;
mod event;
mod parse;
mod writer;

pub(crate) use event::{read_event, read_whole};

pub use collector::Collector;
pub use parse::{Parsed, parse_request};
pub use writer::EventWriter;

use orchestrator_core::{FinishReason, Head, RequestId};

/// The answer's id for clients: the worker's, or one made of the request's.
pub(crate) fn answer_id(head: &Head, id: RequestId) -> String {
    match head.id.is_empty() {
        true => id.to_string().replace("req_", "chatcmpl-"),
        false => head.id.to_string(),
    }
}

/// A worker's word for the finish; words that OpenAI does not know count as `stop`.
pub(crate) fn finish_reason(word: &str) -> FinishReason {
    match word {
        "length" | "max_tokens" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    }
}
