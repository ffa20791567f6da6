//! Room behind the gate: as many credits as a test says, for everybody.

use orchestrator_core::{Admission, Capacity, Credit, Failure, Request};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// One waiting room and a number of credits. Clones share them.
#[derive(Clone, Debug)]
pub struct Credits {
    free: Arc<Semaphore>,
    interval: Duration,
}

// === impl Credits ===

impl Credits {
    /// So many credits.
    pub fn of(credits: usize) -> Self {
        Credits {
            free: Arc::new(Semaphore::new(credits)),
            interval: Duration::ZERO,
        }
    }

    /// One of which comes back in each such time, as far as the gate is told.
    #[must_use]
    pub fn each(self, interval: Duration) -> Self {
        Credits { interval, ..self }
    }

    /// Credits that are not out.
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// The port.
    pub fn port(&self) -> Arc<dyn Capacity> {
        Arc::new(self.clone())
    }
}

impl Capacity for Credits {
    fn rooms(&self) -> usize {
        1
    }

    fn room(&self, _: &Request) -> Result<usize, Failure> {
        Ok(0)
    }

    fn admit(&self, _: usize) -> Admission {
        match self.free.clone().try_acquire_owned() {
            Ok(place) => Admission::Granted(Credit::new(place)),
            Err(_) => Admission::Full,
        }
    }

    fn interval(&self, _: usize) -> Duration {
        self.interval
    }

    fn shares(&self, _: usize, _: usize) -> bool {
        true
    }

    fn plan(&self, request: &Request) -> Result<Value, Failure> {
        Ok(json!({ "model": &*request.model, "credits": self.free() }))
    }
}
