//! A world in which time and chance are scripted.

use orchestrator_core::{Entropy, Env, WallClock};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// 2026-01-01, in seconds since 1970.
const NEW_YEAR: u64 = 1_767_225_600;

/// A wall clock that goes with tokio's, so that it stands still while a test does.
struct Wall {
    started: Instant,
}

/// An environment whose wall clock starts at 2026-01-01 00:00:00 UTC and goes with tokio's clock, and whose chance
/// follows from `seed`.
pub fn world(seed: u64) -> Env {
    let started = Instant::now();
    Env::new(Arc::new(Wall { started }), Entropy::seeded(seed))
}

impl WallClock for Wall {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NEW_YEAR) + self.started.elapsed()
    }
}
