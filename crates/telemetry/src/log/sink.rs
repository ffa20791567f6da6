//! Where lines wait to be written, and the thread that writes them.
//!
//! A line costs its writer a copy under a short lock. The thread sleeps while there is nothing, then gathers for a tenth
//! of a second or until a batch is full, and writes all of it in one call. When the output takes nothing, lines beyond the
//! buffer are dropped and counted; nobody waits.

use crate::Error;
use parking_lot::{Condvar, Mutex};
use prometheus::IntCounter;
use std::{
    fmt,
    io::{self, IsTerminal, Write},
    sync::Arc,
    thread,
    time::Duration,
};

/// Bytes that are written without waiting for more.
const BATCH_BYTES: usize = 32 << 10;
/// How long lines are gathered.
const GATHER: Duration = Duration::from_millis(100);
/// How long the end of the process waits for the output.
const PATIENCE: Duration = Duration::from_secs(2);
/// The thread does next to nothing.
const STACK_BYTES: usize = 128 << 10;

/// What the log is written to.
pub struct Output {
    writer: Box<dyn Write + Send>,
    is_terminal: bool,
}

/// Takes lines; cheap to clone.
#[derive(Clone)]
pub(crate) struct Sink(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// There is something to write.
    work: Condvar,
    /// Something has been written.
    written: Condvar,
    dropped: IntCounter,
    capacity: usize,
}

#[derive(Default)]
struct State {
    pending: Vec<u8>,
    /// Bytes taken in, ever.
    taken: u64,
    /// Of these, bytes that are written or lost.
    done: u64,
    in_a_hurry: bool,
    is_closed: bool,
}

// === impl Output ===

impl Output {
    /// Standard error.
    pub fn stderr() -> Self {
        let stderr = io::stderr();
        Output {
            is_terminal: stderr.is_terminal(),
            writer: Box::new(stderr),
        }
    }

    /// Something else that takes bytes. It may block; that stops no one but the thread of the log.
    pub fn new(writer: impl Write + Send + 'static, is_terminal: bool) -> Self {
        Output {
            writer: Box::new(writer),
            is_terminal,
        }
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("is_terminal", &self.is_terminal)
            .finish_non_exhaustive()
    }
}

// === impl Sink ===

impl Sink {
    /// Starts the thread. At most `capacity` bytes wait for it, and as many are being written.
    pub(super) fn open(output: Output, capacity: usize, dropped: IntCounter) -> Result<Self, Error> {
        Sink::open_on(STACK_BYTES, output, capacity, dropped)
    }

    fn open_on(stack: usize, output: Output, capacity: usize, dropped: IntCounter) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            written: Condvar::new(),
            dropped,
            capacity,
        });
        let thread = thread::Builder::new().name("log".to_owned()).stack_size(stack);
        let working = shared.clone();
        thread
            .spawn(move || working.write_all(output.writer))
            .map_err(Error::Thread)?;
        Ok(Sink(shared))
    }

    /// Takes a whole line, or drops and counts it.
    pub(super) fn take(&self, line: &[u8]) {
        let shared = &*self.0;
        let mut state = shared.state.lock();
        let before = state.pending.len();
        let after = before.saturating_add(line.len());
        if state.is_closed || after > shared.capacity {
            drop(state);
            shared.dropped.inc();
            return;
        }
        state.pending.extend_from_slice(line);
        state.taken = state.taken.saturating_add(line.len() as u64);
        drop(state);
        if before == 0 || (before < BATCH_BYTES && after >= BATCH_BYTES) {
            shared.work.notify_one();
        }
    }

    /// Has what is there written now, without waiting for it.
    pub(super) fn hurry(&self) {
        self.0.state.lock().in_a_hurry = true;
        self.0.work.notify_one();
    }

    /// Waits until all that was taken so far is written, at most two seconds; says whether it is.
    pub(super) fn flush(&self) -> bool {
        self.hurry();
        let mut state = self.0.state.lock();
        let until = state.taken;
        let waited = self
            .0
            .written
            .wait_while_for(&mut state, |state| state.done < until, PATIENCE);
        !waited.timed_out()
    }

    /// Takes no more lines, and waits as [`Sink::flush`] does.
    pub(super) fn close(&self) {
        self.0.state.lock().is_closed = true;
        self.flush();
    }
}

// === impl Shared ===

impl Shared {
    /// The life of the thread.
    fn write_all(&self, mut output: Box<dyn Write + Send>) {
        let mut batch = Vec::new();
        while self.gather(&mut batch) {
            let is_written = output.write_all(&batch).and_then(|()| output.flush()).is_ok();
            if !is_written {
                let lines = memchr::memchr_iter(b'\n', &batch).count();
                self.dropped.inc_by(lines as u64);
            }
            let mut state = self.state.lock();
            state.done = state.done.saturating_add(batch.len() as u64);
            batch.clear();
            self.written.notify_all();
        }
    }

    /// Waits for lines and takes all that are there; `false` when there will be none.
    fn gather(&self, batch: &mut Vec<u8>) -> bool {
        let mut state = self.state.lock();
        self.work
            .wait_while(&mut state, |state| state.pending.is_empty() && !state.is_closed);
        let waits = |state: &mut State| state.pending.len() < BATCH_BYTES && !state.in_a_hurry && !state.is_closed;
        self.work.wait_while_for(&mut state, waits, GATHER);
        state.in_a_hurry = false;
        std::mem::swap(batch, &mut state.pending);
        !batch.is_empty()
    }
}

#[cfg(test)]
mod tests;
