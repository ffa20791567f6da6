//! The one bounded pool for work that computes long.

use crate::{Code, Failure};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Runs closures that may compute for more than about 200 us on blocking threads, a bounded number at once over all
/// cores, so that one request never stalls its core.
#[derive(Clone, Debug)]
pub struct Blocking(Arc<Semaphore>);

// === impl Blocking ===

impl Blocking {
    /// A pool that runs at most `width` closures at once.
    pub fn new(width: usize) -> Self {
        Blocking(Arc::new(Semaphore::new(width.max(1))))
    }

    /// Runs `work`. Dropping the future before it started cancels it; afterwards it runs on and keeps its place.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let gone = || Failure::new(Code::Internal, "The server could not run a computation.");
        let permit = self.0.clone().acquire_owned().await.map_err(|_| gone())?;
        let task = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        // A panic is logged where it happens; its message may hold content, so it is no cause here.
        task.await.map_err(|_| gone())
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
