//! What calls show, by worker.

use orchestrator_core::{Blame, Chunk, Code, Failure, Kind, Usage};
use orchestrator_telemetry::buckets;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use std::time::Duration;

/// `orchestrator_upstream_calls_total`, `orchestrator_upstream_first_token_seconds` and `orchestrator_tokens_total`.
#[derive(Clone, Debug)]
pub struct Metrics {
    calls: IntCounterVec,
    first_token: HistogramVec,
    tokens: IntCounterVec,
}

/// The metrics of one worker.
#[derive(Clone, Debug)]
pub(crate) struct WorkerMetrics {
    worker: String,
    calls: IntCounterVec,
    answered: IntCounter,
    first_token: Histogram,
    tokens_in: IntCounter,
    tokens_out: IntCounter,
}

/// The tokens of one reply. A worker may tell after each chunk what the call has used so far, so only the last usage
/// counts: once, when the reply is over or dropped.
#[derive(Debug)]
pub(crate) struct Spent {
    tokens_in: IntCounter,
    tokens_out: IntCounter,
    usage: Usage,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the families.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let calls = Opts::new(
            "orchestrator_upstream_calls_total",
            "Calls to workers, by how they ended before the first token",
        );
        let first_token = HistogramOpts::new(
            "orchestrator_upstream_first_token_seconds",
            "From a call to its first token or its whole answer",
        )
        .buckets(buckets::TTFT.to_vec());
        let tokens = Opts::new(
            "orchestrator_tokens_total",
            "Tokens that workers say they used, by direction",
        );
        let metrics = Metrics {
            calls: IntCounterVec::new(calls, &["worker", "outcome"])?,
            first_token: HistogramVec::new(first_token, &["worker"])?,
            tokens: IntCounterVec::new(tokens, &["worker", "direction"])?,
        };
        registry.register(Box::new(metrics.calls.clone()))?;
        registry.register(Box::new(metrics.first_token.clone()))?;
        registry.register(Box::new(metrics.tokens.clone()))?;
        Ok(metrics)
    }

    /// The metrics of `worker`; those that blame it are shown from now on.
    pub(crate) fn worker(&self, worker: &str) -> WorkerMetrics {
        for code in Code::ALL.into_iter().filter(|code| code.blame() == Blame::Upstream) {
            self.calls.with_label_values(&[worker, code.as_str()]);
        }
        WorkerMetrics {
            worker: worker.to_owned(),
            calls: self.calls.clone(),
            answered: self.calls.with_label_values(&[worker, "ok"]),
            first_token: self.first_token.with_label_values(&[worker]),
            tokens_in: self.tokens.with_label_values(&[worker, "input"]),
            tokens_out: self.tokens.with_label_values(&[worker, "output"]),
        }
    }
}

// === impl WorkerMetrics ===

impl WorkerMetrics {
    pub(crate) fn answered(&self, after: Duration) {
        self.answered.inc();
        self.first_token.observe(after.as_secs_f64());
    }

    pub(crate) fn failed(&self, failure: &Failure) {
        self.calls
            .with_label_values(&[&self.worker, failure.code().as_str()])
            .inc();
    }

    /// Tokens of prompts and of answers so far.
    #[cfg(test)]
    pub(crate) fn tokens(&self) -> (u64, u64) {
        (self.tokens_in.get(), self.tokens_out.get())
    }

    /// Counts the tokens of one reply.
    pub(crate) fn spent(&self) -> Spent {
        Spent {
            tokens_in: self.tokens_in.clone(),
            tokens_out: self.tokens_out.clone(),
            usage: Usage::default(),
        }
    }
}

// === impl Spent ===

impl Spent {
    /// Takes note of the usage that chunks tell.
    pub(crate) fn hear(&mut self, chunks: &[Chunk]) {
        let kinds = chunks.iter().flat_map(|chunk| &chunk.deltas).map(|delta| &delta.kind);
        for kind in kinds {
            if let Kind::Usage(usage) = kind {
                self.usage = *usage;
            }
        }
    }
}

impl Drop for Spent {
    fn drop(&mut self) {
        self.tokens_in.inc_by(self.usage.prompt_tokens);
        self.tokens_out.inc_by(self.usage.completion_tokens);
    }
}

#[cfg(test)]
mod tests;
