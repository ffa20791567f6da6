//! The stage: joins the answer to an equal request, or goes on as the one that others join.

use crate::{
    Config, Metrics, Scope,
    fingerprint::fingerprint,
    table::{Asker, Table},
};
use orchestrator_core::{Cache, Code, Cx, Failure, Flow, Ledger, Live, Request, Reuse, Stage, StageName, Unique};
use parking_lot::Mutex;
use std::sync::Arc;

/// Lets equal requests share one answer. The lines of all cores share one.
#[derive(Debug)]
pub struct Dedup {
    config: Live<Config>,
    table: Mutex<Table>,
    metrics: Metrics,
    ledger: Arc<Ledger>,
}

// === impl Dedup ===

impl Dedup {
    /// A stage that knows no answers yet; `ledger` counts what logs hold.
    pub fn new(config: Live<Config>, ledger: Arc<Ledger>, metrics: Metrics) -> Self {
        Dedup {
            config,
            table: Mutex::new(Table::new(metrics.clone())),
            metrics,
            ledger,
        }
    }

    /// Gives up kept answers, the oldest first, until the ledger has room for new ones.
    pub fn relieve(&self) {
        self.table.lock().relieve(&self.ledger);
    }

    /// Where the answer of this request comes from; `Some` is the answer to join.
    fn share(&self, cx: &Cx, request: &Request) -> Result<(Cache, Option<orchestrator_core::Answer>), Failure> {
        let config = self.config.load();
        let sampled = request.params.temperature.is_none_or(|temperature| temperature != 0.0);
        let apart = config.scope == Scope::Deterministic && sampled;
        if !config.enabled || apart || request.reuse == Reuse::Never {
            return Ok((Cache::Bypass, None));
        }
        let what = fingerprint(request, !config.share_across_sessions)?;
        let (Some(own), Some(until)) = (cx.answer(), cx.deadline()) else {
            return Err(Failure::new(Code::Cancelled, "Nobody waits for the answer any more."));
        };
        let asker = Asker {
            until,
            priority: cx.priority(),
        };
        let mut table = self.table.lock();
        if request.reuse == Reuse::Fresh {
            table.lead(what, own, &config);
            return Ok((Cache::Bypass, None));
        }
        Ok(match table.join_or_lead(what, asker, own, &config) {
            Some((answer, cache)) => (cache, Some(answer)),
            None => (Cache::Miss, None),
        })
    }
}

impl Stage for Dedup {
    const NAME: StageName = StageName::Dedup;
    type In = Box<Request>;
    type Out = Unique;

    async fn run(&self, cx: &mut Cx, request: Box<Request>) -> Result<Flow<Unique>, Failure> {
        let (cache, shared) = self.share(cx, &request)?;
        self.metrics.count(cache);
        Ok(match shared {
            Some(answer) => Flow::Join(answer, cache),
            None => {
                cx.cache(cache);
                Flow::Next(Unique(request))
            }
        })
    }
}

#[cfg(test)]
mod tests;
