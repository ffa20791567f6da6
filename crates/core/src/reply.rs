//! What a worker gives back, and what is known of an answer before and after its tokens.

use crate::{Chunk, Failure, FinishReason, Text, Usage};
use futures_util::stream::BoxStream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc, time::Duration};

/// A running call: what is known of it, and its events as they come.
///
/// Dropping the stream drops the call. The last chunks carry a finish for each choice; a stream that ends without one
/// is a failure, and whoever reads the provider's wire says so. Permits that the call holds ride inside the stream.
pub struct Reply {
    /// What is known at the first token. Boxed, since the reply passes through many hands.
    pub head: Box<Head>,
    /// All events that have arrived, batch by batch; nothing follows a failure.
    pub events: BoxStream<'static, Result<Vec<Chunk>, Failure>>,
}

/// What is known of an answer at its first token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The worker that answers.
    pub worker: Arc<str>,
    /// The tier that it stands in.
    pub tier: Tier,
    /// What stood in for the workers of the route, which could not answer.
    pub degraded: Option<Degraded>,
    /// The provider's id of the answer; empty when it has none.
    pub id: Text,
    /// The model as the provider names it.
    pub model: Text,
    /// When the provider made the answer, in seconds since 1970.
    pub created: u64,
    /// Calls that it took, this one included.
    pub attempts: u32,
    /// The sources of the passages that the answer is grounded in.
    pub grounding: Vec<Text>,
    /// How long it waited at the gate and for the worker, all tries included; [`Cx::head`](crate::Cx::head) fills it in.
    pub waited: Duration,
}

/// The tiers of a route, the first tried first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Tried first.
    #[default]
    Primary,
    /// Takes over when no primary worker can.
    Secondary,
    /// The last resort.
    Backup,
}

/// What stands in for the workers of a route, the nearest to their answer first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Degraded {
    /// An answer that they gave to an equal request a short time ago.
    Cache {
        /// The time since.
        age: Duration,
    },
    /// One that they gave longer ago than that.
    Stale {
        /// The time since.
        age: Duration,
    },
    /// A smaller model, which is asked for less.
    Reduced,
    /// A text that is always the same.
    Message,
}

/// How an answer ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Why the first choice is complete.
    pub finish: FinishReason,
    /// What the call used; `None` when the provider does not say.
    pub usage: Option<Usage>,
    /// Whether a limit of ours cut it; such an answer is not replayed.
    pub cut: bool,
}

/// Where a listener's answer came from: `x-orchestrator-cache`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cache {
    /// Called for.
    Miss,
    /// Replayed from a finished equal request.
    Hit,
    /// Shared with a running equal request.
    Coalesced,
    /// Called for, because sharing is off for this request.
    Bypass,
}

// === impl Reply ===

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

// === impl Head ===

impl Head {
    /// The name of the tier that the worker stands in; `None` where something stood in for all tiers.
    pub fn tier_name(&self) -> Option<&'static str> {
        self.degraded.is_none().then(|| self.tier.as_str())
    }

    /// The name of what stood in for all tiers.
    pub fn degraded_name(&self) -> Option<&'static str> {
        self.degraded.map(Degraded::as_str)
    }
}

// === impl Degraded ===

impl Degraded {
    /// The name in headers, events, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Degraded::Cache { .. } => "cache",
            Degraded::Stale { .. } => "stale",
            Degraded::Reduced => "reduced",
            Degraded::Message => "message",
        }
    }

    /// How old the answer is, where it was not made for this request.
    pub fn age(self) -> Option<Duration> {
        match self {
            Degraded::Cache { age } | Degraded::Stale { age } => Some(age),
            Degraded::Reduced | Degraded::Message => None,
        }
    }
}

// === impl Tier ===

impl Tier {
    /// Every tier, in the order in which they are tried.
    pub const ALL: [Tier; 3] = [Tier::Primary, Tier::Secondary, Tier::Backup];

    /// The tier's name in events, metrics and the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Primary => "primary",
            Tier::Secondary => "secondary",
            Tier::Backup => "backup",
        }
    }
}

// === impl Cache ===

impl Cache {
    /// The word in headers and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Cache::Miss => "MISS",
            Cache::Hit => "HIT",
            Cache::Coalesced => "COALESCED",
            Cache::Bypass => "BYPASS",
        }
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
