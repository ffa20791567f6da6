//! The ground truth: how often the model was called, and how each call ended.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, future::Future, sync::Arc};
use tokio::sync::Notify;

/// The tags that are counted apart; calls beyond them count in the whole only.
const MAX_TAGS: usize = 100_000;
/// The bytes of a tag that tell it from others.
const MAX_TAG_BYTES: usize = 512;

/// The counts of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// All calls together.
    #[serde(flatten)]
    pub total: Counts,
    /// The most calls that ran at once.
    pub peak: u64,
    /// Connections that are open.
    pub connections: u64,
    /// Connections accepted so far.
    pub accepted: u64,
    /// Questions for the models' list or the health so far.
    pub probes: u64,
    /// The calls by tag.
    pub tags: BTreeMap<String, Counts>,
}

/// How calls went. `calls` is always the sum of the other three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls begun.
    pub calls: u64,
    /// Calls whose script is not over.
    pub running: u64,
    /// Calls whose script was played to its end, be that a good answer, an error or a cut.
    pub served: u64,
    /// Calls whose client went away before the script's end.
    pub aborted: u64,
}

/// Keeps the counts and tells of every change.
#[derive(Debug, Default)]
pub(super) struct Tally {
    stats: Mutex<Stats>,
    changed: Arc<Notify>,
}

/// One running call; dropped before [`Ticket::served`], its client has gone.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    tally: &'a Tally,
    tag: String,
    pub(super) call: u64,
    pub(super) nth_of_tag: u64,
    served: bool,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Open<'a>(&'a Tally);

// === impl Tally ===

impl Tally {
    pub(super) fn stats(&self) -> Stats {
        self.stats.lock().clone()
    }

    pub(super) fn counts(&self, tag: &str) -> Counts {
        self.stats.lock().tags.get(shortened(tag)).copied().unwrap_or_default()
    }

    /// Resolves at the next change after this call.
    pub(super) fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut changed = Box::pin(self.changed.clone().notified_owned());
        changed.as_mut().enable();
        changed
    }

    /// Forgets everything but what is open and running.
    pub(super) fn reset(&self) {
        self.change(|stats| {
            stats.tags.retain(|_, counts| counts.running > 0);
            let running = stats.tags.values_mut().chain([&mut stats.total]);
            running.for_each(|counts| {
                *counts = Counts {
                    calls: counts.running,
                    running: counts.running,
                    ..Counts::default()
                }
            });
            stats.peak = stats.total.running;
            stats.accepted = stats.connections;
            stats.probes = 0;
        });
    }

    pub(super) fn open(&self) -> Open<'_> {
        self.change(|stats| {
            stats.connections += 1;
            stats.accepted += 1;
        });
        Open(self)
    }

    pub(super) fn probed(&self) {
        self.change(|stats| stats.probes += 1);
    }

    pub(super) fn begin(&self, tag: &str) -> Ticket<'_> {
        let tag = shortened(tag).to_owned();
        let (call, nth_of_tag) = self.change(|stats| {
            if stats.tags.len() < MAX_TAGS && !stats.tags.contains_key(&tag) {
                stats.tags.insert(tag.clone(), Counts::default());
            }
            let nth = stats.update(&tag, |counts| {
                counts.calls += 1;
                counts.running += 1;
            });
            stats.peak = stats.peak.max(stats.total.running);
            (stats.total.calls, nth)
        });
        Ticket {
            tally: self,
            tag,
            call,
            nth_of_tag,
            served: false,
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Stats) -> T) -> T {
        let result = change(&mut self.stats.lock());
        self.changed.notify_waiters();
        result
    }
}

/// The start of a tag, up to the border of a character.
fn shortened(tag: &str) -> &str {
    &tag[..tag.floor_char_boundary(MAX_TAG_BYTES)]
}

// === impl Stats ===

impl Stats {
    /// Counts in the whole and in the tag; returns the calls of the tag.
    fn update(&mut self, tag: &str, change: impl Fn(&mut Counts)) -> u64 {
        change(&mut self.total);
        let tagged = self.tags.get_mut(tag);
        tagged.map_or(1, |counts| {
            change(counts);
            counts.calls
        })
    }
}

// === impl Ticket ===

impl Ticket<'_> {
    /// The script is over.
    pub(super) fn served(mut self) {
        self.served = true;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let served = self.served;
        self.tally.change(|stats| {
            stats.update(&self.tag, |counts| {
                counts.running -= 1;
                let ended = if served {
                    &mut counts.served
                } else {
                    &mut counts.aborted
                };
                *ended += 1;
            })
        });
    }
}

// === impl Open ===

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.change(|stats| stats.connections -= 1);
    }
}
