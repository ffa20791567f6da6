//! Time and chance, the only two things that a test cannot script otherwise.

use parking_lot::Mutex;
use rand::{RngCore, SeedableRng, rngs::StdRng};
use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::RequestId;

/// The wall clock and the source of chance. Monotonic time is tokio's, which tests pause.
#[derive(Clone)]
pub struct Env {
    wall: Arc<dyn WallClock>,
    entropy: Entropy,
    ids: Arc<Mutex<StdRng>>,
}

/// Tells the time of day.
pub trait WallClock: Send + Sync {
    /// The time of now.
    fn now(&self) -> SystemTime;
}

/// A seed from which each part draws a random stream of its own, so that one part's draws never shift another's.
#[derive(Clone, Copy, Debug)]
pub struct Entropy(u64);

struct SystemClock;

// === impl Env ===

impl Env {
    /// The system's clock and a seed from its entropy.
    pub fn system() -> Self {
        Env::new(Arc::new(SystemClock), Entropy::seeded(StdRng::from_os_rng().next_u64()))
    }

    /// A world for tests.
    pub fn new(wall: Arc<dyn WallClock>, entropy: Entropy) -> Self {
        let ids = Arc::new(Mutex::new(entropy.stream("ids")));
        Env { wall, entropy, ids }
    }

    /// The time since 1970; zero for a clock that stands before it.
    pub fn unix_time(&self) -> Duration {
        self.wall.now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// A random stream of its own for the part named `label`.
    pub fn random(&self, label: &str) -> StdRng {
        self.entropy.stream(label)
    }

    /// A new request id.
    pub fn request_id(&self) -> RequestId {
        let mut random = [0; 10];
        self.ids.lock().fill_bytes(&mut random);
        RequestId::mint(u64::try_from(self.unix_time().as_millis()).unwrap_or(u64::MAX), random)
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").finish_non_exhaustive()
    }
}

// === impl Entropy ===

impl Entropy {
    /// The same seed gives the same streams.
    pub fn seeded(seed: u64) -> Self {
        Entropy(seed)
    }

    fn stream(self, label: &str) -> StdRng {
        let mut hasher = DefaultHasher::new();
        (self.0, label).hash(&mut hasher);
        StdRng::seed_from_u64(hasher.finish())
    }
}

// === impl SystemClock ===

impl WallClock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the wall clock"
    )]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
