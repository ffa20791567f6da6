//! Faults in force, and the calls that have been made under them.

use super::{
    ALL, Config, RetrieverFaults, WorkerFaults,
    dice::{Hits, draw},
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The name that stands for the retriever where workers have theirs; none of them is called so.
pub const RETRIEVER: &str = "retriever";

/// Faults and what their chance begins with.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Settings {
    /// What chance begins with.
    pub seed: u64,
    /// The faults of calls, by worker; `*` stands for all workers that are not named.
    pub workers: BTreeMap<String, WorkerFaults>,
    /// The faults of searches for passages.
    pub retriever: RetrieverFaults,
}

/// Faults in force. A new run counts calls from 0, so that the same settings give the same run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) settings: Settings,
    calls: BTreeMap<Arc<str>, AtomicU64>,
    searches: AtomicU64,
}

// === impl Settings ===

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Settings {
            seed: config.seed,
            workers: config.workers.clone(),
            retriever: config.retriever.clone(),
        }
    }
}

// === impl Run ===

impl Run {
    /// A run in which nobody has called yet.
    pub(crate) fn new(settings: Settings, workers: &[Arc<str>]) -> Self {
        Run {
            settings,
            calls: workers
                .iter()
                .map(|worker| (worker.clone(), AtomicU64::new(0)))
                .collect(),
            searches: AtomicU64::new(0),
        }
    }

    /// What the next call of this worker meets.
    pub(crate) fn call(&self, worker: &str) -> Hits {
        let all = &self.settings.workers;
        let (Some(faults), Some(calls)) = (all.get(worker).or_else(|| all.get(ALL)), self.calls.get(worker)) else {
            return Hits::default();
        };
        draw(self.settings.seed, worker, calls.fetch_add(1, Relaxed), faults)
    }

    /// What the next search meets.
    pub(crate) fn search(&self) -> Hits {
        let faults = WorkerFaults::from(&self.settings.retriever);
        let nth = self.searches.fetch_add(1, Relaxed);
        draw(self.settings.seed, RETRIEVER, nth, &faults)
    }
}
