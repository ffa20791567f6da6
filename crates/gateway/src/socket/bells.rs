//! The bells of a session: whoever has news for it rings its own and wakes it, and it then asks none but those.

use futures_util::task::{ArcWake, WakerRef, waker_ref};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::AcqRel},
    },
    task::{Context, Waker},
};

/// All bells of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Bells(Arc<Mutex<Waiting>>);

/// One bell: a waker that says by which key it was made.
#[derive(Debug)]
pub(super) struct Bell {
    key: usize,
    /// Whether it was rung and the news has not been asked for since. So each is noted down but once.
    is_rung: AtomicBool,
    bells: Bells,
}

/// A bell that was rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rung {
    pub(super) key: usize,
    /// Whether it is the last for now, so that the next one wakes the session.
    pub(super) is_last: bool,
}

#[derive(Debug, Default)]
struct Waiting {
    keys: VecDeque<usize>,
    session: Option<Waker>,
}

// === impl Bells ===

impl Bells {
    /// A new bell, which has been rung: nobody knows yet whether there is news.
    pub(super) fn bell(&self, key: usize) -> Arc<Bell> {
        let bell = Arc::new(Bell {
            key,
            is_rung: AtomicBool::new(false),
            bells: self.clone(),
        });
        bell.ring();
        bell
    }

    /// The bell that was rung first. When it is the last, or there is none, the next one wakes the session.
    pub(super) fn next(&self, cx: &Context<'_>) -> Option<Rung> {
        let mut waiting = self.0.lock();
        let key = waiting.keys.pop_front();
        let is_last = waiting.keys.is_empty();
        if is_last {
            let session = &mut waiting.session;
            session.get_or_insert_with(|| cx.waker().clone()).clone_from(cx.waker());
        }
        key.map(|key| Rung { key, is_last })
    }

    /// Gives back keys of bells that nobody could see to.
    pub(super) fn give_back(&self, keys: &mut Vec<usize>) {
        self.0.lock().keys.extend(keys.drain(..));
    }

    fn ring(&self, key: usize) {
        let session = {
            let mut waiting = self.0.lock();
            waiting.keys.push_back(key);
            waiting.session.take()
        };
        session.into_iter().for_each(Waker::wake);
    }
}

// === impl Bell ===

impl Bell {
    pub(super) fn ring(&self) {
        if !self.is_rung.swap(true, AcqRel) {
            self.bells.ring(self.key);
        }
    }

    /// A waker that rings it, for one who is about to ask for the news: what comes later rings anew.
    pub(super) fn waker(self: &Arc<Self>) -> WakerRef<'_> {
        self.hush();
        waker_ref(self)
    }

    fn hush(&self) {
        self.is_rung.swap(false, AcqRel);
    }
}

impl ArcWake for Bell {
    fn wake_by_ref(bell: &Arc<Self>) {
        bell.ring();
    }
}

#[cfg(test)]
mod tests;
