//! How complex a request is, and to which tier that sends it first: a pure function of what the client has said.
//!
//! System messages do not count. They frame an application's simple requests and its complex ones alike, and passages that
//! were found stand in one; so a request is judged the same before its prompt is assembled and after.

use orchestrator_core::{Message, Request, Role, Text, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::IgnoredAny};

/// What makes a request complex, and where complex and simple ones go first. Each measure counts as the share of its
/// threshold that it comes to; a request whose shares add up to one is complex.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Complexity {
    /// The tier that simple requests go to first.
    pub cheap: Tier,
    /// The tier that complex requests go to first.
    pub strong: Tier,
    /// Bytes of text that make a conversation complex by themselves; 0: its length does not count.
    #[schemars(range(min = 0, max = 100_000_000))]
    pub length_bytes: u64,
    /// Turns that make a conversation complex by themselves; 0: they do not count.
    #[schemars(range(min = 0, max = 100_000))]
    pub turns: u64,
    /// Tools that a request offers, as many as make it complex by themselves; 0: they do not count.
    #[schemars(range(min = 0, max = 100_000))]
    pub tools: u64,
    /// Fenced blocks of code that make a conversation complex by themselves; 0: they do not count.
    #[schemars(range(min = 0, max = 100_000))]
    pub code_blocks: u64,
}

/// What is measured of a request.
type Measure = fn(&Request) -> usize;

/// The sum of the shares above which a request is complex.
const COMPLEX: f64 = 1.0;

/// What begins and ends a block of code.
const FENCE: &str = "```";

// === impl Complexity ===

impl Complexity {
    /// The sum of the shares that a request comes to. Once it is complex it is not looked at further.
    pub(crate) fn score(&self, request: &Request) -> f64 {
        let measures: [(u64, Measure); 4] = [
            (self.turns, turns),
            (self.length_bytes, length),
            (self.tools, tools),
            (self.code_blocks, code_blocks),
        ];
        let mut score = 0.0;
        for (threshold, measure) in measures {
            if threshold > 0 && !is_complex(score) {
                score += measure(request) as f64 / threshold as f64;
            }
        }
        score
    }

    /// The tier that a request goes to first.
    pub(crate) fn tier(&self, request: &Request) -> Tier {
        match is_complex(self.score(request)) {
            true => self.strong,
            false => self.cheap,
        }
    }

    /// Whether there is a threshold at all.
    pub fn counts_something(&self) -> bool {
        [self.length_bytes, self.turns, self.tools, self.code_blocks] != [0; 4]
    }
}

impl Default for Complexity {
    fn default() -> Self {
        Complexity {
            cheap: Tier::Primary,
            strong: Tier::Secondary,
            length_bytes: 8_000,
            turns: 12,
            tools: 6,
            code_blocks: 3,
        }
    }
}

/// Whether a request of this score is complex.
pub(crate) fn is_complex(score: f64) -> bool {
    score >= COMPLEX
}

fn turns(request: &Request) -> usize {
    conversation(request).count()
}

fn length(request: &Request) -> usize {
    texts(request).map(|text| text.len()).sum()
}

fn tools(request: &Request) -> usize {
    let offered = ["tools", "functions"].map(|name| request.original.field(name));
    let count = |list: &str| serde_json::from_str::<Vec<IgnoredAny>>(list).map_or(0, |list| list.len());
    offered.into_iter().flatten().map(count).sum()
}

fn code_blocks(request: &Request) -> usize {
    texts(request).map(|text| text.matches(FENCE).count().div_ceil(2)).sum()
}

fn texts(request: &Request) -> impl Iterator<Item = &Text> {
    conversation(request).flat_map(|message| &message.texts)
}

fn conversation(request: &Request) -> impl Iterator<Item = &Message> {
    request.messages.iter().filter(|message| message.role != Role::System)
}

#[cfg(test)]
mod tests;
