//! What was injected, by target and fault.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// A call was held up.
    Latency,
    /// A call failed instead of being made.
    Failure,
    /// An answer broke off.
    Cut,
    /// An answer came slowly.
    Trickle,
}

/// `orchestrator_chaos_injected_total`, by target and fault.
#[derive(Clone, Debug)]
pub struct Metrics(IntCounterVec);

/// The counters of one target.
#[derive(Clone, Debug)]
pub(crate) struct Injected([IntCounter; 4]);

// === impl Fault ===

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 4] = [Fault::Latency, Fault::Failure, Fault::Cut, Fault::Trickle];

    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Latency => "latency",
            Fault::Failure => "failure",
            Fault::Cut => "cut",
            Fault::Trickle => "trickle",
        }
    }
}

// === impl Metrics ===

impl Metrics {
    /// Registers the family.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let injected = Opts::new(
            "orchestrator_chaos_injected_total",
            "Faults that were injected on purpose, by what they befell",
        );
        let injected = IntCounterVec::new(injected, &["target", "fault"])?;
        registry.register(Box::new(injected.clone()))?;
        Ok(Metrics(injected))
    }

    pub(crate) fn target(&self, name: &str) -> Injected {
        Injected(Fault::ALL.map(|fault| self.0.with_label_values(&[name, fault.as_str()])))
    }
}

// === impl Injected ===

impl Injected {
    pub(crate) fn count(&self, fault: Fault) {
        self.of(fault).inc();
    }

    pub(crate) fn total(&self, fault: Fault) -> u64 {
        self.of(fault).get()
    }

    fn of(&self, fault: Fault) -> &IntCounter {
        let [latency, failure, cut, trickle] = &self.0;
        match fault {
            Fault::Latency => latency,
            Fault::Failure => failure,
            Fault::Cut => cut,
            Fault::Trickle => trickle,
        }
    }
}
