//! The words of the house and its two mechanisms: the answer log and the stages that edges connect.
//!
//! What travels: [`Request`] -> [`Unique`] -> [`Grounded`] -> [`Prompt`] -> [`Reply`] -> [`Filtered`]; what comes back
//! is an [`Answer`], a log that one writer fills and any number of listeners hear from its start.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, reason = "an overflow in a test shall end it")
)]

mod answer;
mod blocking;
mod chunk;
mod drive;
mod edge;
mod env;
mod failure;
mod fingerprint;
#[cfg(test)]
#[cfg(not(sim_loom))]
mod fixtures;
mod id;
mod ledger;
mod live;
mod log;
mod message;
mod metrics;
mod near;
mod original;
mod port;
mod reply;
mod request;
mod secret;
pub mod stable;
mod stage;
pub mod sync;
mod tasks;
mod travel;
mod usage;
mod wish;

#[cfg(not(sim_loom))]
pub use answer::WeakAnswer;
pub use answer::{Answer, AnswerRef, AnswerWriter, Unwanted, answer};
pub use blocking::Blocking;
pub use chunk::{Chunk, Chunks, Delta, Event, Kind};
pub use drive::Drive;
pub use edge::{Inlet, Outlet, edge};
pub use env::{Entropy, Env, WallClock};
pub use failure::{Blame, Code, Failure, Retry};
pub use fingerprint::Fingerprint;
pub use id::RequestId;
pub use ledger::{InFlight, Ledger};
pub use live::{Live, Setter, live};
pub use message::{Message, Role, Text};
pub use metrics::{LineMetrics, Queue, StageMetrics};
pub use near::near;
pub use original::{Dialect, Field, Original};
pub use port::{Admission, Admitted, Capacity, Credit, LOOK_AGAIN, Model, Passage, Retriever, Submit};
pub use reply::{Cache, Degraded, End, Head, Reply, Tier};
pub use request::{Params, Priority, Request, Reuse};
pub use secret::Secret;
pub use stage::{Cx, Flow, Job, Stage, StageName};
pub use tasks::Tasks;
pub use travel::{Filtered, Grounded, Prompt, Unique};
pub use usage::{FinishReason, Usage};
pub use wish::Wish;
