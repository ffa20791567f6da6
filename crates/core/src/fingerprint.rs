//! What makes two requests equal.

use std::fmt;

/// A 256-bit hash over everything that changes the answer. Two requests with the same fingerprint may share one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
