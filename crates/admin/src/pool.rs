//! The pools as operators see them.

use orchestrator_routing::PoolSlots;
use serde::Serialize;

/// How many calls each pool takes at once, by the names of their settings, and how many run.
#[derive(Debug, Serialize)]
pub(crate) struct Pools {
    fast: usize,
    slow: usize,
    running: Running,
}

#[derive(Debug, Serialize)]
struct Running {
    fast: usize,
    slow: usize,
}

// === impl Pools ===

impl From<&PoolSlots> for Pools {
    fn from(slots: &PoolSlots) -> Self {
        Pools {
            fast: slots.fast.max(),
            slow: slots.slow.max(),
            running: Running {
                fast: slots.fast.taken(),
                slow: slots.slow.taken(),
            },
        }
    }
}
