//! Times in which requests of a route were answered by something else than its workers: why, for how long, and how many.

use orchestrator_core::{Code, Degraded};
use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Episodes that are remembered once they are over.
const REMEMBERED: usize = 100;

/// Why requests were not answered by the workers of their route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Their calls failed, or none could be made; as the first of them ended.
    Failed(Code),
    /// The rule of this name held.
    Rule(Arc<str>),
}

/// How many requests an episode has touched, by what answered them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// A kept answer that was fresh.
    pub cache: u64,
    /// A kept answer that was stale.
    pub stale: u64,
    /// A smaller model.
    pub reduced: u64,
    /// The fixed message.
    pub message: u64,
    /// Nothing: they failed.
    pub none: u64,
}

/// An episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The route.
    pub route: Arc<str>,
    /// Why.
    pub cause: Cause,
    /// When it began.
    pub began: Instant,
    /// When it was over; `None` while it lasts.
    pub ended: Option<Instant>,
    /// The requests that it has touched.
    pub touched: Touched,
}

/// All episodes. A pure machine that takes `now`.
#[derive(Debug)]
pub(crate) struct Episodes {
    open: Vec<Open>,
    over: VecDeque<Episode>,
    /// After so long without another request an episode of failures is over.
    quiet: Duration,
}

#[derive(Debug)]
struct Open {
    episode: Episode,
    /// When it touched a request last.
    last: Instant,
}

// === impl Episodes ===

impl Episodes {
    pub(crate) fn new(quiet: Duration) -> Self {
        Episodes {
            open: Vec::new(),
            over: VecDeque::new(),
            quiet,
        }
    }

    /// An episode of a rule begins.
    pub(crate) fn begin(&mut self, route: &Arc<str>, rule: Arc<str>, now: Instant) {
        self.open(route, Cause::Rule(rule), now);
    }

    /// The rule holds no more.
    pub(crate) fn end(&mut self, route: &Arc<str>, rule: &str, at: Instant) {
        let is_it = |open: &Open| open.episode.is_of(route, Some(rule));
        if let Some(place) = self.open.iter().position(is_it) {
            self.close(place, at);
        }
    }

    /// A request was touched. One whose workers failed belongs to the route's episode of failures; whether that began with
    /// it is returned. One that a rule has touched belongs to the rule's, which may have ended since.
    pub(crate) fn touch(&mut self, route: &Arc<str>, cause: &Cause, by: Option<Degraded>, now: Instant) -> bool {
        self.tidy(now);
        let is_it = |open: &Open| open.episode.is_of(route, cause.rule());
        let (place, is_new) = match (self.open.iter().position(is_it), cause) {
            (Some(place), _) => (place, false),
            (None, Cause::Failed(_)) => (self.open(route, cause.clone(), now), true),
            (None, Cause::Rule(rule)) => {
                let mut over = self.over.iter_mut().rev();
                let ended = over.find(|episode| episode.is_of(route, Some(rule)));
                ended.into_iter().for_each(|episode| episode.touched.count(by));
                return false;
            }
        };
        if let Some(open) = self.open.get_mut(place) {
            open.episode.touched.count(by);
            open.last = now;
        }
        is_new
    }

    /// All that are remembered, the latest begun first.
    pub(crate) fn all(&self, now: Instant) -> Vec<Episode> {
        let seen = |open: &Open| Episode {
            ended: self.ended(open, now),
            ..open.episode.clone()
        };
        let mut all: Vec<Episode> = self.open.iter().map(seen).chain(self.over.iter().cloned()).collect();
        all.sort_by_key(|episode| std::cmp::Reverse(episode.began));
        all
    }

    fn open(&mut self, route: &Arc<str>, cause: Cause, now: Instant) -> usize {
        let episode = Episode {
            route: route.clone(),
            cause,
            began: now,
            ended: None,
            touched: Touched::default(),
        };
        self.open.push(Open { episode, last: now });
        self.open.len().saturating_sub(1)
    }

    fn close(&mut self, place: usize, at: Instant) {
        if self.over.len() >= REMEMBERED {
            self.over.pop_front();
        }
        let open = self.open.swap_remove(place);
        self.over.push_back(Episode {
            ended: Some(at),
            ..open.episode
        });
    }

    fn tidy(&mut self, now: Instant) {
        while let Some((place, at)) = self.first_over(now) {
            self.close(place, at);
        }
    }

    fn first_over(&self, now: Instant) -> Option<(usize, Instant)> {
        let mut open = self.open.iter().enumerate();
        open.find_map(|(place, open)| Some((place, self.ended(open, now)?)))
    }

    /// When an open episode was over after all: those of failures end by themselves.
    fn ended(&self, open: &Open, now: Instant) -> Option<Instant> {
        let is_quiet = now.saturating_duration_since(open.last) >= self.quiet;
        (is_quiet && open.episode.cause.rule().is_none()).then_some(open.last)
    }
}

// === impl Episode ===

impl Episode {
    fn is_of(&self, route: &str, rule: Option<&str>) -> bool {
        *self.route == *route && self.cause.rule() == rule
    }
}

// === impl Cause ===

impl Cause {
    fn rule(&self) -> Option<&str> {
        match self {
            Cause::Failed(_) => None,
            Cause::Rule(rule) => Some(rule),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Failed(code) => f.write_str(code.as_str()),
            Cause::Rule(rule) => write!(f, "rule {rule}"),
        }
    }
}

// === impl Touched ===

impl Touched {
    /// All requests.
    pub fn all(&self) -> u64 {
        let Touched {
            cache,
            stale,
            reduced,
            message,
            none,
        } = *self;
        [cache, stale, reduced, message, none]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    pub(crate) fn count(&mut self, by: Option<Degraded>) {
        let count = match by {
            Some(Degraded::Cache { .. }) => &mut self.cache,
            Some(Degraded::Stale { .. }) => &mut self.stale,
            Some(Degraded::Reduced) => &mut self.reduced,
            Some(Degraded::Message) => &mut self.message,
            None => &mut self.none,
        };
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
