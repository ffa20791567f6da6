use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A session that counts how often it is woken.
#[derive(Default)]
struct Session(AtomicUsize);

impl ArcWake for Session {
    fn wake_by_ref(session: &Arc<Self>) {
        session.0.fetch_add(1, Relaxed);
    }
}

/// Sees to all who rang; their keys.
fn see_to(bells: &Bells, all: &[Arc<Bell>], session: &Arc<Session>) -> Vec<usize> {
    let waker = waker_ref(session);
    let mut keys = Vec::new();
    while let Some(rung) = bells.next(&Context::from_waker(&waker)) {
        all[rung.key].hush();
        keys.push(rung.key);
        if rung.is_last {
            break;
        }
    }
    keys
}

fn hang(count: usize) -> (Bells, Vec<Arc<Bell>>, Arc<Session>) {
    let bells = Bells::default();
    let all: Vec<Arc<Bell>> = (0..count).map(|key| bells.bell(key)).collect();
    let session = Arc::new(Session::default());
    assert_eq!(
        see_to(&bells, &all, &session),
        Vec::from_iter(0..count),
        "each is new, so each is asked"
    );
    (bells, all, session)
}

#[test]
fn who_rang_first_is_seen_to_first() {
    let (bells, all, session) = hang(3);
    [2, 0, 2, 1, 0].iter().for_each(|key: &usize| all[*key].ring());
    assert_eq!(see_to(&bells, &all, &session), [2, 0, 1]);
    assert_eq!(see_to(&bells, &all, &session), [] as [usize; 0]);
}

#[test]
fn a_session_is_woken_once_for_all_who_rang() {
    let (bells, all, session) = hang(3);
    all.iter().for_each(|bell| bell.waker().wake_by_ref());
    assert_eq!(session.0.load(Relaxed), 1);
    assert_eq!(see_to(&bells, &all, &session).len(), 3);
    all[1].waker().wake_by_ref();
    assert_eq!(session.0.load(Relaxed), 2);
}

#[test]
fn news_that_comes_while_the_bell_is_seen_to_rings_anew() {
    let (bells, all, session) = hang(1);
    all[0].ring();
    let cx = &Context::from_waker(Waker::noop());
    assert_eq!(bells.next(cx), Some(Rung { key: 0, is_last: true }));
    all[0].ring();
    assert_eq!(bells.next(cx), None, "the news is not asked for yet");
    let waker = all[0].waker();
    waker.wake_by_ref();
    assert_eq!(see_to(&bells, &all, &session), [0]);
}

#[test]
fn what_is_given_back_is_seen_to_later() {
    let (bells, all, session) = hang(2);
    let mut held = vec![1];
    bells.give_back(&mut held);
    assert!(held.is_empty());
    assert_eq!(see_to(&bells, &all, &session), [1]);
}

#[test]
fn a_bell_may_outlive_its_session() {
    let (bells, all, _) = hang(1);
    drop(bells);
    all[0].ring();
}

proptest! {
    /// However many ring on other threads, and whenever: who has news is asked after it came.
    #[test]
    fn no_news_is_missed(rings in prop::collection::vec(0_usize..3, 0..200)) {
        let (bells, all, session) = hang(3);
        let told: [AtomicUsize; 3] = Default::default();
        let mut seen = [0; 3];
        std::thread::scope(|scope| {
            let ringing = scope.spawn(|| for &key in &rings {
                told[key].fetch_add(1, Relaxed);
                all[key].ring();
            });
            while !ringing.is_finished() {
                for key in see_to(&bells, &all, &session) {
                    seen[key] = told[key].load(Relaxed);
                }
            }
        });
        for key in see_to(&bells, &all, &session) {
            seen[key] = told[key].load(Relaxed);
        }
        prop_assert_eq!(seen, told.map(AtomicUsize::into_inner));
    }
}
