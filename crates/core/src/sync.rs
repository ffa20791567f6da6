//! What cores share by: locks and atomics, which are loom's where it checks every interleaving of the types that are made
//! of them (`--cfg sim_loom`).

#[cfg(sim_loom)]
pub use checked::Mutex;
#[cfg(sim_loom)]
pub use loom::sync::{Arc, atomic};
#[cfg(not(sim_loom))]
pub use parking_lot::Mutex;
#[cfg(not(sim_loom))]
pub use std::sync::{Arc, atomic};

#[cfg(sim_loom)]
mod checked {
    /// Loom's lock, without poisoning.
    #[derive(Debug)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// A free lock around `value`.
        pub fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }

        /// Waits until nobody holds it.
        pub fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}
