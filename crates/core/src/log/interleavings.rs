//! Every interleaving of what two threads may do to an answer at once, on the very types that answers use.

use super::*;
use crate::{AnswerWriter, FinishReason, answer};
use futures_util::{
    StreamExt,
    future::poll_fn,
    task::{Context, Poll, noop_waker_ref},
};
use loom::{future::block_on, thread};
use std::{pin::Pin, time::Duration};

const END: End = End {
    finish: FinishReason::Stop,
    usage: None,
    cut: false,
};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(9)
}

fn log() -> Arc<Log> {
    Arc::new(Log::new(Ledger::generous(), Priority::Normal))
}

fn new_answer() -> (AnswerWriter, Answer) {
    answer(soon(), Priority::Normal, Ledger::generous())
}

/// A leader that has said something, and one who follows it and still has to move.
fn followed() -> (AnswerWriter, Answer, AnswerWriter, Answer, Answer) {
    let (leading, leader) = new_answer();
    let (following, follower) = new_answer();
    let (there, _) = leader.downgrade().join(soon(), Priority::Normal).unwrap();
    (leading, leader, following, follower, there)
}

/// Waits as an answer does: `at` is where the listener stands, and the end ends it.
async fn next(log: &Log, listener: usize, at: usize) -> Option<usize> {
    poll_fn(|cx| match log.read(listener, at, cx.waker()) {
        Found::More(chunks, _) => Poll::Ready(Some(chunks.len())),
        Found::Over(_) | Found::Moved(..) => Poll::Ready(None),
        Found::Nothing => Poll::Pending,
    })
    .await
}

/// Whoever joined is heard: the work cannot have seen "nobody listens" before.
#[test]
fn nobody_joins_work_that_was_given_up() {
    loom::model(|| {
        let log = log();
        let first = log.listen(soon());
        let other = log.clone();
        let leaver = thread::spawn(move || {
            other.leave(first);
            other.wanted_until(None).is_none()
        });
        let joined = matches!(log.join(soon(), Priority::Normal, Instant::now()), Joined::Here { .. });
        let given_up = leaver.join().unwrap();
        assert!(!(joined && given_up));
    });
}

/// A wake-up that went missing would leave the listener asleep, which loom reports as a deadlock.
#[test]
fn a_listener_that_waits_is_woken_for_every_chunk_and_for_the_end() {
    loom::model(|| {
        let log = log();
        let listener = log.listen(soon());
        let writer = log.clone();
        let writing = thread::spawn(move || {
            writer.append([Chunk::text("a")]);
            writer.append([Chunk::text("b")]);
            writer.end(Ending::Over(Ok(END)));
        });
        let heard = block_on(async {
            let mut at = 0;
            while let Some(more) = next(&log, listener, at).await {
                assert!(more > 0, "it is woken for something");
                at += more;
            }
            at
        });
        assert_eq!(heard, 2);
        writing.join().unwrap();
    });
}

/// Who has taken all that is there sleeps without asking again.
#[test]
fn a_listener_that_took_all_is_woken_for_more() {
    loom::model(|| {
        let log = log();
        let listener = log.listen(soon());
        let writer = log.clone();
        log.append([Chunk::text("a")]);
        let writing = thread::spawn(move || {
            writer.append([Chunk::text("b")]);
            writer.end(Ending::Over(Ok(END)));
        });
        let mut at = 0;
        block_on(poll_fn(|cx| {
            loop {
                match log.read_alike(listener, at, cx.waker()) {
                    Found::More(alike, next) => {
                        at = next;
                        if alike.waits {
                            return Poll::Pending;
                        }
                    }
                    Found::Over(_) | Found::Moved(..) => return Poll::Ready(()),
                    Found::Nothing => return Poll::Pending,
                }
            }
        }));
        assert_eq!(at, 2);
        writing.join().unwrap();
    });
}

/// Whatever the writer and another listener do meanwhile, what a listener is told is told of just what it has not heard.
#[test]
fn what_one_listener_was_told_is_no_more_and_no_less_than_another_hears() {
    loom::model(|| {
        let log = log();
        let (one, other) = (log.listen(soon()), log.listen(soon()));
        log.append([Chunk::text("a")]);
        let there = log.clone();
        let hearing = thread::spawn(move || block_on(hear_alike(&there, other)));
        log.append([Chunk::text("b")]);
        log.end(Ending::Over(Ok(END)));
        assert_eq!(block_on(hear_alike(&log, one)), 2);
        assert_eq!(hearing.join().unwrap(), 2);
    });
}

/// Hears all as one of those who are told alike; how many chunks that were.
async fn hear_alike(log: &Log, listener: usize) -> usize {
    let mut at = 0;
    while let Some(next) = poll_fn(|cx| tell(log, listener, at, cx)).await {
        at = next;
    }
    at
}

fn tell(log: &Log, listener: usize, at: usize, cx: &Context<'_>) -> Poll<Option<usize>> {
    match log.read_alike(listener, at, cx.waker()) {
        Found::More(alike, next) => {
            match alike.told {
                Ok(told) => assert_eq!(told, format!("{at}..{next}")),
                Err(chunks) => {
                    assert_eq!(chunks.len(), next - at);
                    log.tell(at..next, &format!("{at}..{next}").into());
                }
            }
            Poll::Ready(Some(next))
        }
        Found::Over(_) | Found::Moved(..) => Poll::Ready(None),
        Found::Nothing => Poll::Pending,
    }
}

/// Two listeners on one log: what wakes the one must not use up the wake-up of the other.
#[test]
fn the_end_wakes_all_who_wait() {
    loom::model(|| {
        let log = log();
        let listeners = [log.listen(soon()), log.listen(soon())].map(|listener| {
            let log = log.clone();
            thread::spawn(move || block_on(next(&log, listener, 0)))
        });
        log.end(Ending::Over(Ok(END)));
        for listener in listeners {
            assert_eq!(listener.join().unwrap(), None);
        }
    });
}

/// The work sleeps until nobody listens: a leave that is not the last must not use up its wake-up.
#[test]
fn the_work_hears_of_the_last_leave() {
    loom::model(|| {
        let log = log();
        let listeners = [log.listen(soon()), log.listen(soon())];
        let left = log.clone();
        let leaving = thread::spawn(move || listeners.map(|listener| left.leave(listener)));
        block_on(poll_fn(|cx| match log.wanted_until(Some(cx.waker())) {
            Some(_) => Poll::Pending,
            None => Poll::Ready(()),
        }));
        leaving.join().unwrap();
    });
}

/// The work that waits in a lane hears of a join that lifts it.
#[test]
fn the_work_hears_of_a_higher_lane() {
    loom::model(|| {
        let log = log();
        let first = log.listen(soon());
        let other = log.clone();
        let joining = thread::spawn(move || {
            let joined = other.join(soon(), Priority::High, Instant::now());
            assert!(matches!(joined, Joined::Here { running: true, .. }));
        });
        block_on(poll_fn(|cx| match log.priority(Some(cx.waker())) {
            Priority::High => Poll::Ready(()),
            _ => Poll::Pending,
        }));
        joining.join().unwrap();
        log.leave(first);
    });
}

/// The joined end listens for its followers until they have moved: at no moment does the leader's work look unwanted.
#[test]
fn work_stays_wanted_while_a_follower_moves() {
    loom::model(|| {
        let (mut leading, leader, following, mut follower, there) = followed();
        leading.push([Chunk::text("a")]);
        following.join(there, Cache::Coalesced);
        let moving = thread::spawn(move || {
            let mut cx = Context::from_waker(noop_waker_ref());
            let next = Pin::new(&mut follower).poll_next_unpin(&mut cx);
            assert!(matches!(next, Poll::Ready(Some(Ok(chunks))) if chunks.len() == 1));
            follower
        });
        drop(leader);
        assert!(leading.deadline().is_some());
        let follower = moving.join().unwrap();
        assert!(leading.deadline().is_some());
        drop(follower);
        assert!(leading.deadline().is_none());
    });
}

/// A follower may leave while it is being sent over: whichever comes first, nobody stays behind at the leader.
#[test]
fn a_follower_that_leaves_while_it_is_sent_over_holds_nobody() {
    loom::model(|| {
        let (leading, leader, following, follower, there) = followed();
        let leaving = thread::spawn(move || drop(follower));
        following.join(there, Cache::Coalesced);
        drop(leader);
        leaving.join().unwrap();
        assert!(leading.deadline().is_none());
    });
}
