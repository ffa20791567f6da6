//! What travels from stage to stage; each type says what has been done so far.

use crate::{Passage, Reply, Request, Text};

/// A request that shares no other's answer.
#[derive(Debug)]
pub struct Unique(pub Box<Request>);

/// A request with what retrieval found for it.
#[derive(Debug)]
pub struct Grounded {
    /// The request.
    pub request: Box<Request>,
    /// The passages, best first; empty when retrieval is off, found nothing or failed.
    pub passages: Vec<Passage>,
}

/// A request as a model shall read it.
#[derive(Debug)]
pub struct Prompt {
    /// The request; its `messages` are the assembled ones.
    pub request: Box<Request>,
    /// Whether assembly changed the messages, so that those in the original no longer hold.
    pub rewritten: bool,
    /// The sources of the passages that were used; where there are any, the first message carries the passages.
    pub grounding: Vec<Text>,
    /// The most tokens to generate, whatever the request asks for.
    pub limit: Option<u64>,
}

/// A reply whose events have passed the filters.
#[derive(Debug)]
pub struct Filtered(pub Reply);

// === impl Prompt ===

impl Prompt {
    /// The most tokens to generate; `usual` is for a request that does not say.
    pub fn max_tokens(&self, usual: Option<u64>) -> Option<u64> {
        let asked = self.request.params.max_tokens.or(usual);
        asked.into_iter().chain(self.limit).min()
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
