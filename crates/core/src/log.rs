//! The log behind an answer: chunks in order, one end, and who listens. No timers and no futures in here.
//!
//! One lock holds everything, so "join if still wanted" and "the last one left" cannot interleave.

use crate::{
    Answer, Cache, Chunk, Chunks, Code, End, Failure, Head, Ledger, Priority,
    sync::{Arc, Mutex},
};
use bytes::Bytes;
use slab::Slab;
use smallvec::SmallVec;
use std::{cmp::Ordering, ops::Range, task::Waker};
use tokio::time::Instant;

type Shared<T> = std::sync::Arc<T>;
type Wakers = SmallVec<[Waker; 2]>;

#[derive(Debug)]
pub(crate) struct Log {
    state: Mutex<State>,
    ledger: Shared<Ledger>,
}

#[derive(Debug, Default)]
struct State {
    chunks: Chunks,
    bytes: usize,
    cache: Option<Cache>,
    head: Option<Shared<Head>>,
    end: Option<Ending>,
    ended_at: Option<Instant>,
    listeners: Slab<Listener>,
    priority: Priority,
    work: Option<Waker>,
    told: Option<Told>,
}

/// What those who are told alike are told of a range of the log. There is one at a time, and only while several listen:
/// a chunk wakes all of them, so they ask for the same range in a row.
#[derive(Debug)]
struct Told {
    from: usize,
    to: usize,
    text: Bytes,
}

#[derive(Debug)]
struct Listener {
    until: Instant,
    waker: Option<Waker>,
}

/// How a log ends.
#[derive(Debug)]
pub(crate) enum Ending {
    /// With an answer or a failure.
    Over(Result<End, Failure>),
    /// All that listen here belong over there; `hold` listens there for those who have not moved yet.
    Joined {
        to: Arc<Log>,
        cache: Cache,
        hold: Option<Answer>,
    },
}

/// What a listener finds at its place in the log.
pub(crate) enum Found<T> {
    /// All that is there, and where that ends.
    More(T, usize),
    Nothing,
    Moved(Arc<Log>, Cache),
    Over(Result<End, Failure>),
}

/// What a listener who is told what others are finds.
pub(crate) struct Alike {
    /// What was told already, or else of what it is to be told.
    pub(crate) told: Result<Bytes, Chunks>,
    /// Whether the listener is woken once something follows.
    pub(crate) waits: bool,
}

/// What a listener may join.
pub(crate) enum Joined {
    Here { listener: usize, running: bool },
    Elsewhere(Arc<Log>),
    Nowhere,
}

// === impl Log ===

impl Log {
    pub(crate) fn new(ledger: Shared<Ledger>, priority: Priority) -> Self {
        Log {
            state: Mutex::new(State {
                priority,
                ..State::default()
            }),
            ledger,
        }
    }

    /// Appends what fits, in order; `false` when the rest does not. Of the first that does not fit its texts are kept as
    /// far as they do; see [`Chunk::cut_to`].
    pub(crate) fn append(&self, chunks: impl IntoIterator<Item = Chunk>) -> bool {
        self.append_within(self.ledger.max_answer_bytes(), chunks)
    }

    /// Appends the one chunk that tells of the limit, beyond it.
    pub(crate) fn append_last(&self, chunk: Chunk) {
        self.append_within(usize::MAX, [chunk]);
    }

    fn append_within(&self, max_bytes: usize, chunks: impl IntoIterator<Item = Chunk>) -> bool {
        self.change(|state| {
            let before = state.bytes;
            let fits = chunks.into_iter().all(|chunk| state.push(chunk, max_bytes));
            self.ledger.add(state.bytes.saturating_sub(before));
            fits
        })
    }

    pub(crate) fn set_head(&self, head: Head) {
        self.state.lock().head = Some(Shared::new(head));
    }

    pub(crate) fn head(&self) -> Option<Shared<Head>> {
        self.state.lock().head.clone()
    }

    pub(crate) fn set_cache(&self, cache: Cache) {
        self.change(|state| state.cache = Some(cache));
    }

    /// The first end stands. A join that nobody listens to holds nobody.
    pub(crate) fn end(&self, ending: Ending) {
        let now = Instant::now();
        self.change(|state| {
            state.end.get_or_insert(ending);
            state.ended_at.get_or_insert(now);
        });
    }

    /// How it ended, if it ended here.
    pub(crate) fn ended(&self) -> Option<Result<End, Failure>> {
        match &self.state.lock().end {
            Some(Ending::Over(end)) => Some(end.clone()),
            _ => None,
        }
    }

    /// The log that its listeners were sent over to.
    pub(crate) fn joined(&self) -> Option<Arc<Log>> {
        match &self.state.lock().end {
            Some(Ending::Joined { to, .. }) => Some(to.clone()),
            _ => None,
        }
    }

    pub(crate) fn ended_at(&self) -> Option<Instant> {
        self.state.lock().ended_at
    }

    /// A new listener, whether or not the work is still wanted.
    pub(crate) fn listen(&self, until: Instant) -> usize {
        self.state.lock().add(until)
    }

    /// A new listener on work that is still wanted or has ended.
    pub(crate) fn join(&self, until: Instant, priority: Priority, now: Instant) -> Joined {
        let (joined, work) = {
            let mut state = self.state.lock();
            match &state.end {
                Some(Ending::Joined { to, .. }) => return Joined::Elsewhere(to.clone()),
                None if state.wanted_until().is_none_or(|until| until <= now) => return Joined::Nowhere,
                _ => {}
            }
            let running = state.end.is_none();
            state.priority = state.priority.max(priority);
            (
                Joined::Here {
                    listener: state.add(until),
                    running,
                },
                state.work.take(),
            )
        };
        wake(work);
        joined
    }

    pub(crate) fn leave(&self, listener: usize) {
        let (work, held) = {
            let mut state = self.state.lock();
            state.listeners.try_remove(listener);
            if state.listeners.len() < 2 {
                self.ledger.remove(state.retell(None));
            }
            (state.work.take(), state.release())
        };
        drop(held);
        wake(work);
    }

    /// The deadline of the listener that waits longest; `None` when nobody listens. `work` is woken when that changes.
    pub(crate) fn wanted_until(&self, work: Option<&Waker>) -> Option<Instant> {
        let mut state = self.state.lock();
        state.watch(work);
        state.wanted_until()
    }

    /// The highest lane that a listener asked for. `work` is woken when that changes.
    pub(crate) fn priority(&self, work: Option<&Waker>) -> Priority {
        let mut state = self.state.lock();
        state.watch(work);
        state.priority
    }

    /// What is there from `at` on; when nothing is, the listener is woken once something is.
    pub(crate) fn read(&self, listener: usize, at: usize, waker: &Waker) -> Found<Chunks> {
        self.state
            .lock()
            .read(listener, at, waker, |state| state.chunks_from(at))
    }

    /// As `read`, but what another listener was told of just that, if it is still there. Who takes all that there is need
    /// not come back to hear that nothing is left.
    pub(crate) fn read_alike(&self, listener: usize, at: usize, waker: &Waker) -> Found<Alike> {
        self.state.lock().read(listener, at, waker, |state| {
            let waits = state.end.is_none();
            if waits {
                state.wait(listener, waker);
            }
            let told = match &state.told {
                Some(told) if told.from == at && told.to == state.chunks.len() => Ok(told.text.clone()),
                _ => Err(state.chunks_from(at)),
            };
            Alike { told, waits }
        })
    }

    /// Keeps what a listener was told of the chunks of `range` for the others, if there are any.
    pub(crate) fn tell(&self, range: Range<usize>, text: &Bytes) {
        let mut state = self.state.lock();
        if state.listeners.len() > 1 {
            self.ledger.add(text.len());
            self.ledger.remove(state.retell(Some(Told {
                from: range.start,
                to: range.end,
                text: text.clone(),
            })));
        }
    }

    /// Where the answer comes from, once that is decided; else the listener is woken when it is.
    pub(crate) fn origin(&self, listener: usize, waker: &Waker) -> Option<Result<Cache, Failure>> {
        let mut state = self.state.lock();
        let known = match (&state.end, state.cache) {
            (Some(Ending::Joined { cache, .. }), _) => Some(Ok(*cache)),
            (_, Some(cache)) => Some(Ok(cache)),
            (Some(Ending::Over(Err(failure))), None) => Some(Err(failure.clone())),
            (Some(Ending::Over(Ok(_))), None) => Some(Ok(Cache::Miss)),
            (None, None) => None,
        };
        if known.is_none() {
            state.wait(listener, waker);
        }
        known
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, wakers, held) = {
            let mut state = self.state.lock();
            let result = change(&mut state);
            let wakers: Wakers = state.listeners.iter_mut().filter_map(|(_, l)| l.waker.take()).collect();
            (result, wakers, state.release())
        };
        drop(held);
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        let told = state.retell(None);
        self.ledger.remove(state.bytes.saturating_add(told));
    }
}

// === impl State ===

impl State {
    /// Appends a chunk, or what can be kept of it; whether all of it fitted.
    fn push(&mut self, chunk: Chunk, max_bytes: usize) -> bool {
        let (weight, room) = (chunk.weight(), max_bytes.saturating_sub(self.bytes));
        if weight > room {
            let part = chunk.cut_to(room);
            if !part.deltas.is_empty() {
                self.push(part, usize::MAX);
            }
            return false;
        }
        self.bytes = self.bytes.saturating_add(weight);
        self.chunks.push(Shared::new(chunk));
        true
    }

    fn read<T>(&mut self, listener: usize, at: usize, waker: &Waker, take: impl FnOnce(&mut Self) -> T) -> Found<T> {
        if let Some(Ending::Joined { to, cache, .. }) = &self.end {
            return Found::Moved(to.clone(), *cache);
        }
        match at.cmp(&self.chunks.len()) {
            Ordering::Less => return Found::More(take(self), self.chunks.len()),
            Ordering::Equal => {}
            Ordering::Greater => return Found::Over(Err(out_of_range(at, self.chunks.len()))),
        }
        if let Some(Ending::Over(end)) = &self.end {
            return Found::Over(end.clone());
        }
        self.wait(listener, waker);
        Found::Nothing
    }

    fn chunks_from(&self, at: usize) -> Chunks {
        self.chunks.get(at..).unwrap_or_default().to_vec()
    }

    /// What is told from now on; the bytes that this frees.
    fn retell(&mut self, told: Option<Told>) -> usize {
        let before = std::mem::replace(&mut self.told, told);
        before.map_or(0, |told| told.text.len())
    }

    fn add(&mut self, until: Instant) -> usize {
        self.listeners.insert(Listener { until, waker: None })
    }

    fn wait(&mut self, listener: usize, waker: &Waker) {
        if let Some(listener) = self.listeners.get_mut(listener) {
            listener.waker.get_or_insert_with(|| waker.clone()).clone_from(waker);
        }
    }

    fn watch(&mut self, work: Option<&Waker>) {
        if let Some(work) = work {
            self.work.get_or_insert_with(|| work.clone()).clone_from(work);
        }
    }

    fn wanted_until(&self) -> Option<Instant> {
        self.listeners.iter().map(|(_, listener)| listener.until).max()
    }

    /// What a join holds for listeners that are no more; to be dropped outside the lock.
    fn release(&mut self) -> Option<Answer> {
        match &mut self.end {
            Some(Ending::Joined { hold, .. }) if self.listeners.is_empty() => hold.take(),
            _ => None,
        }
    }
}

fn wake(work: Option<Waker>) {
    if let Some(work) = work {
        work.wake();
    }
}

fn out_of_range(at: usize, len: usize) -> Failure {
    Failure::new(
        Code::ResumeNotPossible,
        format!("The answer has no place {at}: it holds {len} chunks so far."),
    )
}

#[cfg(all(test, sim_loom))]
mod interleavings;
#[cfg(test)]
#[cfg(not(sim_loom))]
mod tests;
