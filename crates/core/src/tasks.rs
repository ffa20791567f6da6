//! Where tasks are spawned, so that shutdown can wait for them.

use std::future::Future;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// Spawns tasks on the runtime it is called on and counts those that live.
#[derive(Clone, Debug, Default)]
pub struct Tasks(TaskTracker);

// === impl Tasks ===

impl Tasks {
    /// Nothing spawned yet.
    pub fn new() -> Self {
        Tasks::default()
    }

    /// Spawns a task on the current runtime. A panic in it ends it alone.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(task)
    }

    /// Tasks that live.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no task lives.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits until no task lives.
    pub async fn idle(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
