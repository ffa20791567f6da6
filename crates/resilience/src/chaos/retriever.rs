//! A retriever with the faults that searches meet.

use super::{Fault, Switch, metrics::Injected, model::OnPurpose, run::RETRIEVER};
use async_trait::async_trait;
use orchestrator_core::{Code, Failure, Passage, Retriever as Port};
use std::{fmt, sync::Arc};
use tokio::time::sleep;

/// A retriever whose searches may meet faults.
pub(crate) struct Retriever {
    switch: Switch,
    injected: Injected,
    retriever: Arc<dyn Port>,
}

// === impl Retriever ===

impl Retriever {
    pub(crate) fn new(switch: Switch, retriever: Arc<dyn Port>) -> Self {
        Retriever {
            injected: switch.counters(RETRIEVER),
            switch,
            retriever,
        }
    }

    fn tell(&self, fault: Fault) {
        self.injected.count(fault);
        tracing::warn!(fault = fault.as_str(), "chaos: a fault is injected into a search");
    }
}

#[async_trait]
impl Port for Retriever {
    async fn retrieve(&self, question: &str, limit: usize) -> Result<Vec<Passage>, Failure> {
        if !self.switch.is_off() {
            let hits = self.switch.search();
            if let Some(pause) = hits.latency {
                self.tell(Fault::Latency);
                sleep(pause).await;
            }
            if hits.failure.is_some() {
                self.tell(Fault::Failure);
                let failure = Failure::new(Code::RetrievalFailed, "The index cannot be searched.");
                return Err(failure.with_source(OnPurpose));
            }
        }
        self.retriever.retrieve(question, limit).await
    }
}

impl fmt::Debug for Retriever {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retriever").finish_non_exhaustive()
    }
}
