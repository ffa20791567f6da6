//! The topology as a type: a stage fits only where its input is what comes out, so a missing or swapped stage does not
//! compile.

use orchestrator_core::{Drive, Inlet, LineMetrics, Live, Outlet, Stage, StageName, Tasks, edge};
use std::{convert::Infallible, fmt, sync::Arc};
use tokio::task::JoinHandle;

/// How many requests a stage works on at once, and how many the edge into it holds.
#[derive(Clone, Debug)]
pub struct Size {
    /// At work.
    pub width: Live<usize>,
    /// In the edge.
    pub capacity: usize,
}

/// A line under construction; `T` is what its open end yields, `Entry` what goes in.
pub struct Line<Entry, T> {
    entry: Outlet<Entry>,
    /// Starts the last stage, once it is known where its output goes.
    feed: Feed<T>,
    site: Site,
}

/// Starts a stage, once it is known where its output goes.
type Feed<T> = Box<dyn FnOnce(Outlet<T>, &mut Site)>;

/// Where the line is built.
struct Site {
    tasks: Tasks,
    metrics: LineMetrics,
    drives: Vec<(StageName, JoinHandle<()>)>,
}

// === impl Line ===

impl<T: Send + 'static> Line<T, T> {
    /// Begins a line on the current runtime with the first stage.
    pub fn open<S: Stage<In = T>>(stage: Arc<S>, size: Size, tasks: Tasks, metrics: LineMetrics) -> Line<T, S::Out> {
        let (entry, inlet) = edge(size.capacity);
        let site = Site {
            tasks,
            metrics,
            drives: Vec::new(),
        };
        Line {
            entry,
            feed: last(stage, inlet, size),
            site,
        }
    }
}

impl<Entry: Send + 'static, T: Send + 'static> Line<Entry, T> {
    /// Adds a stage behind the edge into it.
    pub fn then<S: Stage<In = T>>(mut self, stage: Arc<S>, size: Size) -> Line<Entry, S::Out> {
        let (outlet, inlet) = edge(size.capacity);
        (self.feed)(outlet, &mut self.site);
        Line {
            entry: self.entry,
            feed: last(stage, inlet, size),
            site: self.site,
        }
    }
}

impl<Entry> Line<Entry, Infallible> {
    /// Ends the line behind a stage that hands nothing on: its entry, and its loops.
    pub fn close(mut self) -> (Outlet<Entry>, Vec<(StageName, JoinHandle<()>)>) {
        let (nowhere, _) = edge(1);
        (self.feed)(nowhere, &mut self.site);
        (self.entry, self.site.drives)
    }
}

impl<Entry, T> fmt::Debug for Line<Entry, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("stages", &self.site.drives.len())
            .finish_non_exhaustive()
    }
}

fn last<S: Stage>(stage: Arc<S>, inlet: Inlet<S::In>, size: Size) -> Feed<S::Out> {
    Box::new(move |next, site| {
        site.metrics.watch(S::NAME, &inlet, size.capacity);
        let metrics = site.metrics.stage(S::NAME);
        let drive = Drive {
            stage,
            inlet,
            next,
            width: size.width,
            tasks: site.tasks.clone(),
            metrics,
        };
        site.drives.push((S::NAME, site.tasks.spawn(drive.run())));
    })
}
