//! Ports: what the line asks of the world, held as `Arc<dyn ...>`.

use crate::{Answer, Cx, Failure, InFlight, Priority, Prompt, Reply, Request, Text};
use async_trait::async_trait;
use serde_json::Value;
use std::{any::Any, fmt, time::Duration};

/// Takes requests in. Doors know this and not the pipeline behind it.
pub trait Submit: Send + Sync + 'static {
    /// Takes a request in and returns its answer, or refuses it at once. Dropping the answer cancels the request unless
    /// others listen too.
    fn submit(&self, request: Request) -> Result<Answer, Failure>;

    /// Tells which workers a request would be sent to now, in which order and why, as JSON. Nobody is called, and nothing is
    /// counted.
    fn plan(&self, request: &Request) -> Result<Value, Failure>;

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

    /// Asks the server behind it for a sign of life, without a completion; `None` where there is none to ask. It may wait
    /// for as long as the server does. Cancel by dropping the future.
    async fn probe(&self) -> Option<Result<(), Failure>> {
        None
    }
}

/// How long those who wait for a worker go at most without a look at what is free: rests, limits and breakers end by the
/// clock, and room may come without the end of a call.
pub const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The room behind the gate: how many requests may go on to the workers, by the waiting rooms that requests share.
///
/// Nobody tells the gate that a worker has come free. It looks when a request arrives, when a [`Credit`] comes back and, as
/// long as somebody waits, as often as [`LOOK_AGAIN`] says.
pub trait Capacity: Send + Sync + 'static {
    /// How many waiting rooms there are.
    fn rooms(&self) -> usize;

    /// The room in which a request waits when it has to: the same for equal requests. Fails for one that nobody serves.
    fn room(&self, request: &Request) -> Result<usize, Failure>;

    /// Lets one request of this room on, if a call of it could begin now or soon.
    fn admit(&self, room: usize) -> Admission;

    /// The time from one slot that comes free for this room to the next, as its calls have shown: how long one is held, over
    /// how many there are. Zero before the first call is over.
    fn interval(&self, room: usize) -> Duration;

    /// Whether what one of these rooms gives back may be room for the other: both have slots in common, with each other or
    /// with a third.
    fn shares(&self, room: usize, other: usize) -> bool;

    /// What [`Submit::plan`] tells.
    fn plan(&self, request: &Request) -> Result<Value, Failure>;
}

/// What the gate is told about one request.
#[derive(Debug)]
pub enum Admission {
    /// It may go on.
    Granted(Credit),
    /// It has to wait until there is one.
    Full,
    /// It is refused: more than this must not run, so waiting is not offered either.
    Refused,
}

/// The right to go on to the workers of a route; dropping it gives it back.
pub struct Credit(#[expect(dead_code, reason = "it is held to be dropped")] Box<dyn Any + Send + Sync>);

/// What a request carries that was let on, until its answer is over: its credit, which goes back when this is dropped, and
/// what is left of its wait.
pub trait Admitted: Send + Sync + 'static {
    /// How much longer it may wait for a slot.
    fn patience(&self) -> Duration;

    /// It has waited for a slot for so long since it was let on.
    fn waited(&self, priority: Priority, wait: Duration);

    /// What it is told if it has waited for as long as it may.
    fn refusal(&self) -> Failure;

    /// The workers of its route are not called for it any more: its credit goes back before its answer is over.
    fn give_back(&self);
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

// === impl Credit ===

impl Credit {
    /// A credit that gives `place` back by dropping it.
    pub fn new(place: impl Any + Send + Sync) -> Self {
        Credit(Box::new(place))
    }
}

impl fmt::Debug for Credit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credit").finish_non_exhaustive()
    }
}
