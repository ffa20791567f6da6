//! The whole line as the program opens it, before a scripted model.

use orchestrator_assemble::{Assemble, Target};
use orchestrator_core::{Answer, Blocking, Failure, Ledger, LineMetrics, Live, Request, Submit, Tasks};
use orchestrator_dedup::Dedup;
use orchestrator_inference::Inference;
use orchestrator_pipeline::{Entry, Gate, LanesConfig, Metrics, Parts, Size, Sizes, start};
use orchestrator_post_process::{Config as Filters, PostProcess};
use orchestrator_rag::Rag;
use orchestrator_stream::Stream;
use orchestrator_testkit::{Credits, collect, request, scripted::Model};
use prometheus::Registry;
use std::{error::Error, sync::Arc};
use tokio::runtime::{Builder, Runtime};

/// Requests after which nothing is done for the first time, nor any table of the model's grown by the next one.
const WARM_UP: usize = 40;

/// A line, open, on a runtime of its own.
#[derive(Debug)]
pub struct Line {
    runtime: Runtime,
    entry: Arc<Entry>,
    clients: Clients,
}

/// Clients that never ask the same twice.
#[derive(Debug, Default)]
pub struct Clients {
    asked: u64,
}

/// The stages of a line whose model says so many tokens: lanes of their usual size, a stop text, and no folder to search.
///
/// # Errors
///
/// What is registered there already, or cannot be built.
pub fn parts(tokens: usize, registry: &Registry, ledger: &Arc<Ledger>) -> Result<Parts, Box<dyn Error>> {
    let metrics = Metrics::register(registry, ledger.clone())?;
    let filters = Filters {
        stop: vec!["<|end|>".to_owned()],
        ..Filters::default()
    };
    let blocking = Blocking::new(1);
    let (dedup, rag) = (
        orchestrator_dedup::Metrics::register(registry)?,
        orchestrator_rag::Metrics::register(registry)?,
    );
    let filtered = orchestrator_post_process::Metrics::register(registry)?;
    let pieces = (0..tokens).map(|nth| format!("tok{nth} "));
    Ok(Parts {
        dedup: Arc::new(Dedup::new(
            Live::fixed(Default::default()),
            ledger.clone(),
            dedup,
            blocking.clone(),
        )),
        gate: Gate::new(Credits::of(95).port(), Live::fixed(LanesConfig::default()), metrics),
        rag: Arc::new(Rag::new(Default::default(), None, rag)),
        assemble: Arc::new(Assemble::build(&Default::default(), Target::default(), blocking)?),
        inference: Arc::new(Inference::new(Arc::new(Model::saying(pieces)))),
        post_process: Arc::new(PostProcess::build(&filters, &filtered)?),
        stream: Arc::new(Stream),
    })
}

/// Opens the line on the runtime that this is called on.
///
/// # Errors
///
/// What is registered there already.
pub fn open(parts: Parts, registry: &Registry, ledger: Arc<Ledger>) -> Result<Arc<Entry>, Box<dyn Error>> {
    let size = || Size {
        width: Live::fixed(1024),
        capacity: 64,
    };
    let sizes = Sizes {
        dedup: size(),
        gate: size(),
        rag: size(),
        assemble: size(),
        inference: size(),
        post_process: size(),
        stream: size(),
    };
    let entry_metrics = Metrics::register(&Registry::new(), ledger.clone())?;
    let metrics = (LineMetrics::register(registry)?, entry_metrics);
    Ok(start(parts, sizes, ledger, Tasks::new(), metrics).entry)
}

// === impl Line ===

impl Line {
    /// A line whose model says so many tokens, and that has answered before.
    ///
    /// # Panics
    ///
    /// If the line cannot be opened.
    pub fn warm(tokens: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let entered = runtime.enter();
        let (registry, ledger) = (Registry::new(), Ledger::new(8 << 20, 512 << 20, 10_000));
        let opened = parts(tokens, &registry, &ledger).and_then(|parts| open(parts, &registry, ledger));
        drop(entered);
        let mut line = Line {
            runtime,
            entry: opened.expect("a line"),
            clients: Clients::default(),
        };
        (0..WARM_UP).for_each(|_| drop(line.answer()));
        line
    }

    /// Submits a request and hears its answer to the end.
    ///
    /// # Errors
    ///
    /// The failure that the line ends it with.
    pub fn answer(&mut self) -> Result<String, Failure> {
        let request = self.clients.request();
        self.runtime.block_on(async {
            let answer: Answer = self.entry.submit(request)?;
            collect(answer).await.map(|(text, _)| text)
        })
    }
}

// === impl Clients ===

impl Clients {
    /// How many requests were asked.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// The next request.
    pub fn request(&mut self) -> Request {
        self.asked += 1;
        request(&format!(
            "What does shelf {} of the library hold, and who put it there?",
            self.asked
        ))
    }
}
