use super::*;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[tokio::test]
async fn as_many_are_taken_as_there_are_and_no_more() {
    let slots = Slots::new(2);
    let (first, _second) = (slots.try_take().unwrap(), slots.take().await.unwrap());
    assert!(slots.try_take().is_none());
    assert_eq!((slots.taken(), slots.max()), (2, 2));
    drop(first);
    assert!(slots.try_take().is_some());
    assert_eq!(slots.taken(), 1);
}

#[tokio::test]
async fn those_who_wait_are_served_in_order_and_one_who_leaves_takes_nothing() {
    let slots = Slots::new(1);
    let held = slots.take().await.unwrap();
    let (mut first, mut second) = (Box::pin(slots.take()), Box::pin(slots.take()));
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    drop(first);
    drop(held);
    assert!(second.await.is_ok());
    assert_eq!(slots.taken(), 0);
}

#[test]
fn there_is_always_at_least_one() {
    assert_eq!(Slots::new(0).max(), 1);
}

#[test]
fn racers_never_hold_more_than_there_are() {
    let slots = Slots::new(4);
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let Some(slot) = slots.try_take() else { continue };
                    most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                    inside.fetch_sub(1, SeqCst);
                    drop(slot);
                }
            });
        }
    });
    assert!(most.load(SeqCst) <= 4);
    assert_eq!(slots.taken(), 0);
}
