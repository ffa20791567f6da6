//! Whole lines, from the entry to the answer, before a scripted model.

use orchestrator_assemble::{Assemble, Target};
use orchestrator_core::{Answer, Blocking, Failure, Ledger, LineMetrics, Live, Request, StageName, Submit, Tasks};
use orchestrator_dedup::Dedup;
use orchestrator_inference::Inference;
use orchestrator_pipeline::{Entry, Gate, LanesConfig, Metrics, Parts, Size, Sizes, start};
use orchestrator_post_process::PostProcess;
use orchestrator_rag::Rag;
use orchestrator_stream::Stream;
use orchestrator_testkit::{Credits, request, scripted::Model};
use prometheus::{Registry, TextEncoder};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::Instant};

/// What a line is built with.
pub struct Plan {
    pub lines: usize,
    pub credits: usize,
    pub lanes: LanesConfig,
    pub width: usize,
    pub capacity: usize,
    pub max_in_flight: usize,
    pub max_log_bytes: usize,
    pub dedup: orchestrator_dedup::Config,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            lines: 1,
            credits: 4,
            lanes: LanesConfig::default(),
            width: 64,
            capacity: 64,
            max_in_flight: 1000,
            max_log_bytes: 1 << 30,
            dedup: orchestrator_dedup::Config::default(),
        }
    }
}

/// Lines at work on this runtime; they share all that cores share.
pub struct Lines {
    pub entries: Vec<Arc<Entry>>,
    pub drives: Vec<(StageName, JoinHandle<()>)>,
    pub gate: Gate,
    pub credits: Credits,
    pub ledger: Arc<Ledger>,
    pub tasks: Tasks,
    pub registry: Registry,
}

impl Plan {
    pub fn start(self, model: &Model) -> Lines {
        let registry = Registry::new();
        let ledger = Ledger::new(1 << 20, self.max_log_bytes, self.max_in_flight);
        let metrics = Metrics::register(&registry, ledger.clone()).unwrap();
        let line_metrics = LineMetrics::register(&registry).unwrap();
        let dedup_metrics = orchestrator_dedup::Metrics::register(&registry).unwrap();
        let rag_metrics = orchestrator_rag::Metrics::register(&registry).unwrap();
        let filter_metrics = orchestrator_post_process::Metrics::register(&registry).unwrap();
        let credits = Credits::of(self.credits);
        let gate = Gate::new(credits.port(), Live::fixed(self.lanes), metrics.clone());
        let assemble = Assemble::build(&Default::default(), Target::default(), Blocking::new(1));
        let parts = Parts {
            dedup: Arc::new(Dedup::new(
                Live::fixed(self.dedup),
                ledger.clone(),
                dedup_metrics,
                Blocking::new(1),
            )),
            gate: gate.clone(),
            rag: Arc::new(Rag::new(Default::default(), None, rag_metrics)),
            assemble: Arc::new(assemble.unwrap()),
            inference: Arc::new(Inference::new(Arc::new(model.clone()))),
            post_process: Arc::new(PostProcess::build(&Default::default(), &filter_metrics).unwrap()),
            stream: Arc::new(Stream),
        };
        let size = Size {
            width: Live::fixed(self.width),
            capacity: self.capacity,
        };
        let tasks = Tasks::new();
        let (mut entries, mut drives) = (Vec::new(), Vec::new());
        for _ in 0..self.lines {
            let metrics = (line_metrics.clone(), metrics.clone());
            let running = start(parts.clone(), sizes(&size), ledger.clone(), tasks.clone(), metrics);
            entries.push(running.entry);
            drives.extend(running.drives);
        }
        Lines {
            entries,
            drives,
            gate,
            credits,
            ledger,
            tasks,
            registry,
        }
    }
}

fn sizes(size: &Size) -> Sizes {
    let wide = Size {
        width: Live::fixed(10_000),
        capacity: size.capacity,
    };
    Sizes {
        dedup: size.clone(),
        gate: wide.clone(),
        rag: size.clone(),
        assemble: size.clone(),
        inference: size.clone(),
        post_process: size.clone(),
        stream: wide,
    }
}

impl Lines {
    pub fn submit(&self, request: Request) -> Result<Answer, Failure> {
        self.entries.first().unwrap().submit(request)
    }

    pub fn ask(&self, text: &str) -> Answer {
        self.submit(request(text)).unwrap()
    }

    pub fn metric(&self, name: &str) -> f64 {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Closes all entries and waits until no task lives: every loop has ended, every request is over.
    pub async fn close(self) {
        self.entries.iter().for_each(|entry| entry.close());
        for (_, drive) in self.drives {
            drive.await.unwrap();
        }
        self.tasks.idle().await;
    }

    /// All that is counted while a request lives stands as it stood before.
    pub fn assert_idle(&self, credits: usize) {
        assert_eq!((self.ledger.requests(), self.ledger.bytes()), (0, 0));
        assert_eq!(self.credits.free(), credits);
        assert_eq!(self.tasks.len(), self.drives.len(), "only the loops are left");
    }
}

/// A request whose client waits so long.
pub fn patient(text: &str, patience: u64) -> Request {
    Request {
        deadline: Instant::now() + Duration::from_millis(patience),
        ..request(text)
    }
}
