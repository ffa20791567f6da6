//! The stage: joins the answer to an equal request, or goes on as the one that others join.

use crate::{
    Config, Metrics, Scope,
    fingerprint::fingerprint,
    table::{Asker, Table},
};
use orchestrator_core::{
    Answer, Blocking, Cache, Code, Cx, Failure, Fingerprint, Flow, Ledger, Live, Request, Reuse, Stage, StageName,
    Unique,
};
use parking_lot::Mutex;
use std::sync::Arc;

/// Bodies of more bytes are read on a blocking thread: at 1 GB/s they would hold their core for too long.
const LARGE: usize = 256 << 10;

/// Lets equal requests share one answer. The lines of all cores share one.
#[derive(Debug)]
pub struct Dedup {
    config: Live<Config>,
    table: Mutex<Table>,
    metrics: Metrics,
    ledger: Arc<Ledger>,
    blocking: Blocking,
}

// === impl Dedup ===

impl Dedup {
    /// A stage that knows no answers yet; `ledger` counts what logs hold, and large requests are read on `blocking`.
    pub fn new(config: Live<Config>, ledger: Arc<Ledger>, metrics: Metrics, blocking: Blocking) -> Self {
        Dedup {
            config,
            table: Mutex::new(Table::new(metrics.clone())),
            metrics,
            ledger,
            blocking,
        }
    }

    /// Gives up kept answers, the oldest first, until the ledger has room for new ones.
    pub fn relieve(&self) {
        self.table.lock().relieve(&self.ledger);
    }

    /// What is asked, and the request again; `None` when its answer is shared with nobody.
    async fn what(
        &self,
        request: Box<Request>,
        config: &Config,
    ) -> Result<(Box<Request>, Option<Fingerprint>), Failure> {
        let sampled = request.params.temperature.is_none_or(|temperature| temperature != 0.0);
        let apart = config.scope == Scope::Deterministic && sampled;
        if !config.enabled || apart || request.reuse == Reuse::Never {
            return Ok((request, None));
        }
        let by_session = !config.share_across_sessions;
        let is_large = request.original.body.len() > LARGE;
        let read = move || fingerprint(&request, by_session).map(|what| (request, Some(what)));
        match is_large {
            true => self.blocking.run(read).await?,
            false => read(),
        }
    }

    /// Where the answer to this question comes from; `Some` is the answer to join.
    fn share(
        &self,
        cx: &Cx,
        what: Fingerprint,
        reuse: Reuse,
        config: &Config,
    ) -> Result<(Cache, Option<Answer>), Failure> {
        let (Some(own), Some(until)) = (cx.answer(), cx.deadline()) else {
            return Err(Failure::new(Code::Cancelled, "Nobody waits for the answer any more."));
        };
        let asker = Asker {
            until,
            priority: cx.priority(),
        };
        let mut table = self.table.lock();
        if reuse == Reuse::Fresh {
            table.lead(what, own, config);
            return Ok((Cache::Bypass, None));
        }
        Ok(match table.join_or_lead(what, asker, own, config) {
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
        let config = self.config.load();
        let (mut request, what) = self.what(request, &config).await?;
        request.fingerprint = what;
        let (cache, shared) = match what {
            Some(what) => self.share(cx, what, request.reuse, &config)?,
            None => (Cache::Bypass, None),
        };
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
