//! What a client asks for: the body as it came beside the view that stages read.

use crate::{Dialect, Fingerprint, Message, Original, RequestId, Text, Wish};
use tokio::time::Instant;

/// A request on its way through the line.
#[derive(Clone, Debug)]
pub struct Request {
    /// Our name for it.
    pub id: RequestId,
    /// The model that the client names.
    pub model: Text,
    /// The conversation, oldest turn first; never empty.
    pub messages: Vec<Message>,
    /// The parameters that stages read; all others stand in the original only.
    pub params: Params,
    /// The client's body.
    pub original: Original,
    /// Whether the client asked for a stream; the worker is called the same way.
    pub stream: bool,
    /// The lane it waits in.
    pub priority: Priority,
    /// The client's session, by which answers may be kept apart.
    pub session: Option<Text>,
    /// Whether it may share the answer of an equal request.
    pub reuse: Reuse,
    /// What it asks, once that is known; `None` where its answer is shared with nobody.
    pub fingerprint: Option<Fingerprint>,
    /// When the client stops waiting.
    pub deadline: Instant,
    /// By when it would have the first token of its stream, or its whole answer: routes prefer workers that can be in time.
    pub wanted_by: Option<Instant>,
    /// The faults that it shall meet; such a request shares no answer.
    pub chaos: Option<Wish>,
}

/// The parameters that stages read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    /// The most tokens to generate.
    pub max_tokens: Option<u64>,
    /// The sampling temperature.
    pub temperature: Option<f64>,
    /// How many choices to generate; one unless the request says.
    pub choices: Option<u32>,
}

/// The lane that a request waits in, lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Served when little else waits, though never starved.
    Low,
    /// What a request has unless it says otherwise.
    #[default]
    Normal,
    /// Served first.
    High,
}

/// Whether a request may share the answer of an equal one: `x-orchestrator-cache-control`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// May join, be replayed to, be joined and be kept.
    #[default]
    Allowed,
    /// `no-cache`: takes no other's answer, though its own may be shared.
    Fresh,
    /// `no-store`: neither takes nor gives.
    Never,
}

// === impl Request ===

impl Request {
    /// The dialect that the client speaks.
    pub fn dialect(&self) -> Dialect {
        self.original.dialect
    }
}

// === impl Priority ===

impl Priority {
    /// All lanes, the first served first.
    pub const ALL: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

    /// The lane's name in headers, metrics and the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }

    /// Reads a lane's name; `None` for any other word.
    pub fn parse(text: &str) -> Option<Self> {
        Priority::ALL.into_iter().find(|lane| lane.as_str() == text)
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
