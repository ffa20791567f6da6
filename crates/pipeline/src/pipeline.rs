//! The line of this product, and its entry: what the doors submit to.

use crate::{Gate, Line, Metrics, Size, metrics::Shed};
use orchestrator_assemble::Assemble;
use orchestrator_core::{
    Answer, Code, Cx, Failure, InFlight, Job, Ledger, LineMetrics, Outlet, Request, StageName, Submit, Tasks, answer,
};
use orchestrator_dedup::Dedup;
use orchestrator_inference::Inference;
use orchestrator_post_process::PostProcess;
use orchestrator_rag::Rag;
use orchestrator_stream::Stream;
use parking_lot::Mutex;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// The stages, built. All but `inference` may serve the lines of all cores.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Fingerprint, coalesce, replay.
    pub dedup: Arc<Dedup>,
    /// Where requests wait.
    pub gate: Gate,
    /// Retrieve passages.
    pub rag: Arc<Rag>,
    /// Template, token count, fit to the window.
    pub assemble: Arc<Assemble>,
    /// Call a worker; with the connections of one core.
    pub inference: Arc<Inference>,
    /// Filters.
    pub post_process: Arc<PostProcess>,
    /// Drive the reply into the answer.
    pub stream: Arc<Stream>,
}

/// How wide each stage is, and how much the edge into it holds.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Of the first stage.
    pub dedup: Size,
    /// Of the gate: as wide as requests may be in flight, since its room bounds those that wait.
    pub gate: Size,
    /// Of retrieval.
    pub rag: Size,
    /// Of assembly.
    pub assemble: Size,
    /// Of the calls.
    pub inference: Size,
    /// Of the filters.
    pub post_process: Size,
    /// Of the replies that are driven.
    pub stream: Size,
}

/// A line at work on one core.
#[derive(Debug)]
pub struct Running {
    /// What doors submit to.
    pub entry: Arc<Entry>,
    /// The loops of its stages. One that ends before the entry is closed is a bug.
    pub drives: Vec<(StageName, JoinHandle<()>)>,
}

/// The entry of a line.
#[derive(Debug)]
pub struct Entry {
    outlet: Mutex<Option<Outlet<Box<Request>>>>,
    ledger: Arc<Ledger>,
    dedup: Arc<Dedup>,
    gate: Gate,
    tasks: Tasks,
    metrics: Metrics,
}

/// Starts a line on the current runtime.
pub fn start(
    parts: Parts,
    sizes: Sizes,
    ledger: Arc<Ledger>,
    tasks: Tasks,
    metrics: (LineMetrics, Metrics),
) -> Running {
    let (line_metrics, metrics) = metrics;
    let (dedup, gate) = (parts.dedup.clone(), parts.gate.clone());
    let (outlet, drives) = Line::open(parts.dedup, sizes.dedup, tasks.clone(), line_metrics)
        .then(Arc::new(parts.gate), sizes.gate)
        .then(parts.rag, sizes.rag)
        .then(parts.assemble, sizes.assemble)
        .then(parts.inference, sizes.inference)
        .then(parts.post_process, sizes.post_process)
        .then(parts.stream, sizes.stream)
        .close();
    let outlet = Mutex::new(Some(outlet));
    Running {
        entry: Arc::new(Entry {
            outlet,
            ledger,
            dedup,
            gate,
            tasks,
            metrics,
        }),
        drives,
    }
}

// === impl Sizes ===

impl Sizes {
    /// Of this stage.
    pub fn of(&self, stage: StageName) -> &Size {
        match stage {
            StageName::Dedup => &self.dedup,
            StageName::Gate => &self.gate,
            StageName::Rag => &self.rag,
            StageName::Assemble => &self.assemble,
            StageName::Inference => &self.inference,
            StageName::PostProcess => &self.post_process,
            StageName::Stream => &self.stream,
        }
    }
}

// === impl Entry ===

impl Entry {
    /// Takes no new requests from now on. The stages end one after the other once their last request is through.
    pub fn close(&self) {
        self.outlet.lock().take();
    }
}

impl Submit for Entry {
    fn submit(&self, request: Request) -> Result<Answer, Failure> {
        let Some(outlet) = self.outlet.lock().clone() else {
            let draining = Failure::new(Code::Draining, "The server is going down. Try again at another one.");
            return Err(draining.with_retry_after(Duration::from_secs(1)));
        };
        let place = self.enter()?;
        if self.ledger.is_full() {
            self.dedup.relieve();
        }
        if self.ledger.is_full() {
            return Err(self.metrics.refuse(Shed::LogFull, Duration::ZERO));
        }
        let (writer, answer) = answer(request.deadline, request.priority, self.ledger.clone());
        let job = Job {
            cx: Cx::new(request.id, writer),
            body: Box::new(request),
        };
        outlet.launch(job, &self.tasks);
        Ok(answer.carrying(place))
    }

    fn plan(&self, request: &Request) -> Result<Value, Failure> {
        self.gate.capacity().plan(request)
    }

    fn enter(&self) -> Result<InFlight, Failure> {
        let full = || self.metrics.refuse(Shed::InFlight, Duration::ZERO);
        self.ledger.enter().ok_or_else(full)
    }
}
