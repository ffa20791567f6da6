//! A setting that may change while we run.

use std::sync::Arc;
use tokio::sync::watch;

/// Reads a setting. Stages load it once per request, so that a request sees one version.
#[derive(Debug)]
pub struct Live<T>(watch::Receiver<Arc<T>>);

/// Changes a setting.
#[derive(Debug)]
pub struct Setter<T>(watch::Sender<Arc<T>>);

/// A setting and the end that changes it.
pub fn live<T>(value: T) -> (Setter<T>, Live<T>) {
    let (setter, reader) = watch::channel(Arc::new(value));
    (Setter(setter), Live(reader))
}

// === impl Live ===

impl<T> Live<T> {
    /// A setting that never changes.
    pub fn fixed(value: T) -> Self {
        live(value).1
    }

    /// The value of now.
    pub fn load(&self) -> Arc<T> {
        self.0.borrow().clone()
    }

    /// Waits for the next value; for ever once nobody can change it any more.
    pub async fn changed(&mut self) -> Arc<T> {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.0.borrow_and_update().clone()
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Live(self.0.clone())
    }
}

// === impl Setter ===

impl<T: PartialEq> Setter<T> {
    /// Sets the value; readers hear of it only when it differs. Returns whether it did.
    pub fn set(&self, value: T) -> bool {
        self.0.send_if_modified(|current| {
            let differs = **current != value;
            if differs {
                *current = Arc::new(value);
            }
            differs
        })
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
