//! The switch: whether faults are injected now, and which.

use super::{
    Config, Fault, Metrics, Order, Settings,
    asked::Asked,
    dice::{Hits, draw, seed_of},
    metrics::Injected,
    model::{Model, Patience},
    retriever::Retriever,
    run::{RETRIEVER, Run},
};
use orchestrator_core::{self as core, Code, Failure, Request};
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// The status of what may not be asked for here.
const FORBIDDEN: u16 = 403;

/// Whether faults are injected, and which. All cores share it; clones are the same switch.
#[derive(Clone)]
pub struct Switch(Arc<Shared>);

struct Shared {
    /// Whether it may ever be on.
    is_allowed: bool,
    allow_header: bool,
    workers: Vec<Arc<str>>,
    /// What the configuration wants, if it does.
    configured: Option<Arc<Run>>,
    /// What an operator wants instead, and until when.
    ordered: Mutex<Option<(Arc<Run>, Instant)>>,
    /// Whether there is one of the two; the only thing that a call looks at while there is none.
    is_on: AtomicBool,
    metrics: Metrics,
}

/// The faults that are in force.
#[derive(Clone, Debug)]
pub struct Force {
    run: Arc<Run>,
    /// How long an operator wants them still; `None` when the configuration does.
    pub left: Option<Duration>,
}

// === impl Switch ===

impl Switch {
    /// A switch for calls of these workers. One that is not allowed is never on, and stands in nobody's way.
    pub fn new(
        config: &Config,
        is_allowed: bool,
        workers: impl IntoIterator<Item = Arc<str>>,
        metrics: Metrics,
    ) -> Self {
        let workers: Vec<Arc<str>> = workers.into_iter().collect();
        let configured = (is_allowed && config.enabled).then(|| Arc::new(Run::new(Settings::from(config), &workers)));
        Switch(Arc::new(Shared {
            is_allowed,
            allow_header: is_allowed && config.allow_header,
            workers,
            is_on: AtomicBool::new(configured.is_some()),
            configured,
            ordered: Mutex::new(None),
            metrics,
        }))
    }

    /// Whether faults may be injected at all.
    pub fn is_allowed(&self) -> bool {
        self.0.is_allowed
    }

    /// Whether clients may ask for faults.
    pub fn allows_header(&self) -> bool {
        self.0.allow_header
    }

    /// The model of this worker with the faults that its calls meet; they wait no longer for it than `patience` allows.
    pub fn model(&self, worker: &Arc<str>, patience: Patience, model: Arc<dyn core::Model>) -> Arc<dyn core::Model> {
        match self.0.is_allowed {
            true => Arc::new(Model::new(self.clone(), worker.clone(), patience, model)),
            false => model,
        }
    }

    /// The retriever with the faults that searches meet.
    pub fn retriever(&self, retriever: Arc<dyn core::Retriever>) -> Arc<dyn core::Retriever> {
        match self.0.is_allowed {
            true => Arc::new(Retriever::new(self.clone(), retriever)),
            false => retriever,
        }
    }

    /// Checks what a client asks for.
    ///
    /// # Errors
    /// It may not ask here, or not for this.
    pub fn check(&self, words: &str) -> Result<(), Failure> {
        if !self.0.allow_header {
            let text =
                "Clients may not ask for faults here: `allow_header` of `[chaos]` is off, or its profile refuses it.";
            return Err(Failure::new(Code::InvalidRequest, text).with_status(FORBIDDEN));
        }
        let asked = Asked::read(words, self.worker_names());
        let wrong = |findings: Vec<String>| Failure::new(Code::InvalidRequest, findings.join(" "));
        asked.map(drop).map_err(wrong)
    }

    /// Reads an operator's order.
    ///
    /// # Errors
    /// All that is wrong with it, as sentences.
    pub fn read(&self, order: &Value) -> Result<Order, Vec<String>> {
        Order::read(order, self.worker_names())
    }

    /// Lets an order hold from now on, instead of any before it. Returns whether that is allowed.
    pub fn set(&self, order: Order) -> bool {
        if self.0.is_allowed {
            let now = Instant::now();
            let until = now.checked_add(order.held()).unwrap_or(now);
            let run = Arc::new(Run::new(order.settings(), &self.0.workers));
            let mut ordered = self.0.ordered.lock();
            *ordered = Some((run, until));
            self.0.is_on.store(true, Relaxed);
        }
        self.0.is_allowed
    }

    /// Ends what an operator has ordered. Returns whether there was such a thing still.
    pub fn end(&self) -> bool {
        let ordered = self.force().is_some_and(|force| force.left.is_some());
        self.forget(&mut self.0.ordered.lock());
        ordered
    }

    /// The faults that are in force now: an operator's until their time is over, else those of the configuration.
    pub fn force(&self) -> Option<Force> {
        let now = Instant::now();
        let mut ordered = self.0.ordered.lock();
        if let Some((run, until)) = &*ordered {
            let left = until.saturating_duration_since(now);
            if !left.is_zero() {
                let run = run.clone();
                return Some(Force { run, left: Some(left) });
            }
            self.forget(&mut ordered);
        }
        let run = self.0.configured.clone()?;
        Some(Force { run, left: None })
    }

    /// How often each fault befell each target since the start.
    pub fn injected(&self) -> impl Iterator<Item = (&str, Fault, u64)> {
        let targets = self.worker_names().chain([RETRIEVER]);
        targets.flat_map(|target| {
            let injected = self.counters(target);
            Fault::ALL.map(move |fault| (target, fault, injected.total(fault)))
        })
    }

    /// Whether a call meets nothing: a look at one flag.
    pub(crate) fn is_off(&self) -> bool {
        !self.0.is_on.load(Relaxed)
    }

    /// What a call of this worker for this request meets.
    pub(crate) fn call(&self, worker: &Arc<str>, request: &Request) -> Hits {
        let Some(wish) = &request.chaos else {
            return self.force().map_or_else(Hits::default, |force| force.run.call(worker));
        };
        let asked = Asked::read(wish.words(), self.worker_names());
        // The door has checked it.
        let Some(asked) = asked.ok().filter(|asked| asked.means(worker)) else {
            return Hits::default();
        };
        let seed = asked.seed.unwrap_or_else(|| seed_of(&request.id.to_string()));
        draw(seed, worker, wish.next(worker), &asked.faults)
    }

    /// What a search meets.
    pub(crate) fn search(&self) -> Hits {
        self.force().map_or_else(Hits::default, |force| force.run.search())
    }

    pub(crate) fn counters(&self, target: &str) -> Injected {
        self.0.metrics.target(target)
    }

    fn forget(&self, ordered: &mut Option<(Arc<Run>, Instant)>) {
        *ordered = None;
        self.0.is_on.store(self.0.configured.is_some(), Relaxed);
    }

    fn worker_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.workers.iter().map(|worker| &**worker)
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switch")
            .field("is_allowed", &self.0.is_allowed)
            .field("force", &self.force())
            .finish_non_exhaustive()
    }
}

// === impl Force ===

impl Force {
    /// Which.
    pub fn settings(&self) -> &Settings {
        &self.run.settings
    }
}
