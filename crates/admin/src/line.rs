//! The line of stages as operators see it.

use serde::Serialize;

/// Whoever sees the whole line.
pub trait Line: Send + Sync + 'static {
    /// What is in it at this moment. Looking changes nothing.
    fn look(&self) -> Pipeline;
}

/// The line at one moment, over all cores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pipeline {
    /// As its document calls it.
    pub name: String,
    /// As its document says.
    pub version: String,
    /// Cores, each with a line of its own.
    pub lines: usize,
    /// Requests that run, wait, or are still sent to their clients.
    pub in_flight: usize,
    /// How many of them there may be.
    pub max_in_flight: usize,
    /// In the order in which a request meets them.
    pub stages: Vec<Stage>,
    /// Where requests wait for a worker, the most urgent first.
    pub lanes: Vec<Lane>,
}

/// A stage, and the edge into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// Requests that it works on at once.
    pub width: usize,
    /// Requests that the edge holds.
    pub capacity: usize,
    /// Requests in the edge.
    pub depth: usize,
}

/// A lane of the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lane {
    /// Its name.
    pub name: &'static str,
    /// Its share of the calls while all lanes wait.
    pub weight: u32,
    /// Requests that wait.
    pub waiting: usize,
    /// Requests that may wait.
    pub capacity: usize,
}
