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
    /// The sources of the passages that were used.
    pub grounding: Vec<Text>,
}

/// A reply whose events have passed the filters.
#[derive(Debug)]
pub struct Filtered(pub Reply);
