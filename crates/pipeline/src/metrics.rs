//! What the gate and the entry of the line show.

use orchestrator_core::{Code, Failure, Ledger, Priority, StageName};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use std::{sync::Arc, time::Duration};

/// Why a request was refused at once: the label of `orchestrator_shed_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shed {
    /// As many wait in its lane as may.
    LaneFull,
    /// The wait is or would be too long.
    Wait,
    /// As many requests of its route run as may.
    HardLimit,
    /// As many requests are in flight as may.
    InFlight,
    /// The logs of all answers hold as much as they may.
    LogFull,
}

/// `orchestrator_queue_wait_seconds` by `stage` and `priority`, `orchestrator_shed_total` by `reason`,
/// `orchestrator_in_flight_requests` and `orchestrator_answer_log_bytes`.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// At the gate and at the workers, by lane.
    waits: [[Histogram; 3]; 2],
    lane_full: IntCounter,
    wait: IntCounter,
    hard_limit: IntCounter,
    in_flight: IntCounter,
    log_full: IntCounter,
}

struct LedgerGauges {
    ledger: Arc<Ledger>,
    requests: IntGauge,
    bytes: IntGauge,
}

// === impl Metrics ===

impl Metrics {
    /// Registers the families, and gauges of what `ledger` counts.
    pub fn register(registry: &Registry, ledger: Arc<Ledger>) -> Result<Self, prometheus::Error> {
        let waits = HistogramOpts::new(
            "orchestrator_queue_wait_seconds",
            "How long a request waited for a worker, at the gate and for the slot that it was let on to",
        )
        .buckets(vec![
            0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
        ]);
        let waits = HistogramVec::new(waits, &["stage", "priority"])?;
        let shed = Opts::new(
            "orchestrator_shed_total",
            "Requests that were refused at once because too much is going on",
        );
        let shed = IntCounterVec::new(shed, &["reason"])?;
        let gauges = LedgerGauges {
            ledger,
            requests: IntGauge::new(
                "orchestrator_in_flight_requests",
                "Requests that are running, waiting, or still sent to their clients",
            )?,
            bytes: IntGauge::new(
                "orchestrator_answer_log_bytes",
                "Bytes in the logs of running and kept answers",
            )?,
        };
        registry.register(Box::new(waits.clone()))?;
        registry.register(Box::new(shed.clone()))?;
        registry.register(Box::new(gauges))?;
        Ok(Metrics {
            waits: [StageName::Gate, StageName::Inference].map(|stage| {
                Priority::ALL.map(|priority| waits.with_label_values(&[stage.as_str(), priority.as_str()]))
            }),
            lane_full: shed.with_label_values(&["lane_full"]),
            wait: shed.with_label_values(&["wait_too_long"]),
            hard_limit: shed.with_label_values(&["hard_limit"]),
            in_flight: shed.with_label_values(&["max_in_flight"]),
            log_full: shed.with_label_values(&["max_log_bytes"]),
        })
    }

    /// A request has waited in its lane, before this stage or in it.
    pub(crate) fn waited(&self, stage: StageName, priority: Priority, wait: Duration) {
        let [at_the_gate, at_the_workers] = &self.waits;
        let [high, normal, low] = match stage {
            StageName::Inference => at_the_workers,
            _ => at_the_gate,
        };
        let waits = match priority {
            Priority::High => high,
            Priority::Normal => normal,
            Priority::Low => low,
        };
        waits.observe(wait.as_secs_f64());
    }

    /// Counts a refusal and words it; `pause` says when it may be worth another try.
    pub(crate) fn refuse(&self, reason: Shed, pause: Duration) -> Failure {
        let (counter, why) = match reason {
            Shed::LaneFull => (&self.lane_full, "All workers are busy and the waiting room is full."),
            Shed::Wait => (&self.wait, "All workers are busy and the wait would be too long."),
            Shed::HardLimit => (&self.hard_limit, "As many requests of this route run as may."),
            Shed::InFlight => (&self.in_flight, "As many requests are in flight as may be."),
            Shed::LogFull => (&self.log_full, "The server holds as many answers as it may."),
        };
        counter.inc();
        let pause = pause.clamp(Duration::from_secs(1), Duration::from_secs(60));
        Failure::new(Code::Overloaded, format!("{why} Try again later.")).with_retry_after(pause)
    }
}

// === impl LedgerGauges ===

impl Collector for LedgerGauges {
    fn desc(&self) -> Vec<&Desc> {
        self.requests.desc().into_iter().chain(self.bytes.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.requests
            .set(i64::try_from(self.ledger.requests()).unwrap_or(i64::MAX));
        self.bytes.set(i64::try_from(self.ledger.bytes()).unwrap_or(i64::MAX));
        self.requests
            .collect()
            .into_iter()
            .chain(self.bytes.collect())
            .collect()
    }
}
