//! Chunks as JSON in OpenAI's words, written by hand into one buffer that is used again.

use crate::json::{write_number, write_string};
use orchestrator_core::{Delta, FinishReason, Kind, Usage};

/// What an event says of one choice.
pub(super) struct Said<'a> {
    pub(super) choice: u32,
    /// Whether it begins with the role, as the first of a choice does.
    pub(super) role: bool,
    /// A run, see [`run_length`].
    pub(super) deltas: &'a [Delta],
    pub(super) finish: Option<FinishReason>,
}

/// The beginning of every event: all that is the same in them.
pub(super) fn prefix(id: &str, created: u64, model: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(b"{\"id\":");
    write_string(&mut out, id);
    out.extend_from_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
    write_number(&mut out, created);
    out.extend_from_slice(b",\"model\":");
    write_string(&mut out, model);
    out.extend_from_slice(b",\"choices\":[");
    out
}

/// How many of `deltas` go into one event: those of one choice, each kind of text once, and then all tool calls.
pub(super) fn run_length(deltas: &[Delta]) -> usize {
    let rank = |delta: &Delta| match delta.kind {
        Kind::Reasoning(_) => Some(0),
        Kind::Text(_) => Some(1),
        Kind::Refusal(_) => Some(2),
        Kind::ToolCall { .. } => Some(3),
        Kind::Finish(_) | Kind::Usage(_) => None,
    };
    let goes_on = |pair: &&[Delta]| match *pair {
        [a, b] => {
            a.choice == b.choice && matches!((rank(a), rank(b)), (Some(a), Some(b)) if a < b || (a == 3 && b == 3))
        }
        _ => false,
    };
    let more = deltas.windows(2).take_while(goes_on).count();
    more.saturating_add(1).min(deltas.len())
}

// === impl Said ===

impl Said<'_> {
    /// Appends the choice.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"index\":");
        write_number(out, self.choice.into());
        out.extend_from_slice(b",\"delta\":{");
        let start = out.len();
        if self.role {
            write_text(out, start, "role", "assistant");
            if self.deltas.is_empty() {
                write_text(out, start, "content", "");
            }
        }
        write_deltas(out, start, self.deltas);
        out.extend_from_slice(b"},\"logprobs\":null,\"finish_reason\":");
        match self.finish {
            Some(reason) => write_string(out, reason.as_str()),
            None => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
    }
}

fn write_deltas(out: &mut Vec<u8>, start: usize, deltas: &[Delta]) {
    let mut in_calls = false;
    for delta in deltas {
        match &delta.kind {
            Kind::Reasoning(text) => write_text(out, start, "reasoning_content", text),
            Kind::Text(text) => write_text(out, start, "content", text),
            Kind::Refusal(text) => write_text(out, start, "refusal", text),
            Kind::ToolCall { .. } if in_calls => {
                out.push(b',');
                write_call(out, &delta.kind);
            }
            Kind::ToolCall { .. } => {
                in_calls = true;
                write_name(out, start, "tool_calls");
                out.push(b'[');
                write_call(out, &delta.kind);
            }
            Kind::Finish(_) | Kind::Usage(_) => {}
        }
    }
    if in_calls {
        out.push(b']');
    }
}

fn write_name(out: &mut Vec<u8>, start: usize, name: &str) {
    if out.len() > start {
        out.push(b',');
    }
    write_string(out, name);
    out.push(b':');
}

fn write_text(out: &mut Vec<u8>, start: usize, name: &str, text: &str) {
    write_name(out, start, name);
    write_string(out, text);
}

fn write_call(out: &mut Vec<u8>, call: &Kind) {
    let Kind::ToolCall {
        index,
        id,
        name,
        arguments,
    } = call
    else {
        return;
    };
    out.extend_from_slice(b"{\"index\":");
    write_number(out, (*index).into());
    if let Some(id) = id {
        out.extend_from_slice(b",\"id\":");
        write_string(out, id);
        out.extend_from_slice(b",\"type\":\"function\"");
    }
    out.extend_from_slice(b",\"function\":{");
    let start = out.len();
    if let Some(name) = name {
        write_text(out, start, "name", name);
    }
    write_text(out, start, "arguments", arguments);
    out.extend_from_slice(b"}}");
}

/// The tokens that a call used.
pub(super) fn write_usage(out: &mut Vec<u8>, usage: &Usage) {
    let counts: [(&[u8], u64); 5] = [
        (b"{\"prompt_tokens\":", usage.prompt_tokens),
        (b",\"completion_tokens\":", usage.completion_tokens),
        (b",\"total_tokens\":", usage.total_tokens()),
        (b",\"prompt_tokens_details\":{\"cached_tokens\":", usage.cached_tokens),
        (
            b"},\"completion_tokens_details\":{\"reasoning_tokens\":",
            usage.reasoning_tokens,
        ),
    ];
    for (before, count) in counts {
        out.extend_from_slice(before);
        write_number(out, count);
    }
    out.extend_from_slice(b"}}");
}

#[cfg(test)]
mod tests;
