//! A panic in the log: where it happened, and what it says when that was written into the program.

use super::{
    Logs, Source,
    line::{Heading, Value, compose},
};
use std::panic::{self, PanicHookInfo};
use tracing::Level;

/// Logs panics of the whole process through `logs` from now on, at once and without blocking the thread that panics.
///
/// A message that was put together when it happened may hold content of a request, so only one that stands literally in
/// the program is logged.
pub fn panics(logs: &Logs) {
    let source = logs.source.clone();
    panic::set_hook(Box::new(move |info| source.panicked(info)));
}

// === impl Source ===

impl Source {
    fn panicked(&self, info: &PanicHookInfo<'_>) {
        let message = info
            .payload()
            .downcast_ref::<&'static str>()
            .copied()
            .unwrap_or("panic");
        let heading = Heading {
            time: (self.clock)(),
            level: Level::ERROR,
            target: "panic",
            message: Value::Text(message),
        };
        let current = std::thread::current();
        compose(
            self.style,
            &heading,
            |line| {
                if let Some(location) = info.location() {
                    line.field("location", Value::Shown(location));
                }
                line.optional("thread", current.name());
            },
            |bytes| self.sink.take(bytes),
        );
        self.sink.hurry();
    }
}
