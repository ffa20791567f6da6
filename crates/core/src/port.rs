//! Ports: what the line asks of the world, held as `Arc<dyn ...>`.

use crate::{Answer, Cx, Failure, InFlight, Prompt, Reply, Request, Text};
use async_trait::async_trait;

/// Takes requests in. Doors know this and not the pipeline behind it.
pub trait Submit: Send + Sync + 'static {
    /// Takes a request in and returns its answer, or refuses it at once. Dropping the answer cancels the request unless
    /// others listen too.
    fn submit(&self, request: Request) -> Result<Answer, Failure>;

    /// Takes a place among the requests in flight for one who goes on with an answer that was submitted before, or
    /// refuses it when all are taken.
    fn enter(&self) -> Result<InFlight, Failure>;
}

/// A streaming worker, or something made of workers.
#[async_trait]
pub trait Model: Send + Sync + 'static {
    /// Calls the model; resolves at the first event with content, never at a mere role, so that first-token timeout,
    /// retry and the held status agree. `cx` tells how long the answer is waited for, which changes with those who wait.
    /// Cancel by dropping the future or the reply.
    async fn call(&self, cx: &Cx, prompt: &Prompt) -> Result<Reply, Failure>;
}

/// Finds passages for a question.
#[async_trait]
pub trait Retriever: Send + Sync + 'static {
    /// The passages that fit `question` best, best first, at most `limit`.
    async fn retrieve(&self, question: &str, limit: usize) -> Result<Vec<Passage>, Failure>;
}

/// A piece of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// The document and the place in it.
    pub source: Text,
    /// The text.
    pub text: Text,
    /// How well it fits; higher is better, comparable within one result only.
    pub score: f32,
}
