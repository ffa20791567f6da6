use super::*;
use futures_util::{FutureExt, future::BoxFuture};
use proptest::prelude::*;
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

#[test]
fn no_number_of_slots_is_too_large() {
    let slots = Slots::new(usize::MAX);
    let held: Vec<Slot> = (0..1_000).filter_map(|_| slots.try_take()).collect();
    assert_eq!(slots.taken(), 1_000);
    drop(held);
    assert_eq!(slots.taken(), 0);
}

#[tokio::test]
async fn a_panic_gives_the_slot_to_the_next_in_the_queue() {
    let slots = Slots::new(1);
    let held = slots.take().await.unwrap();
    let mut waits = Box::pin(slots.take());
    assert!(futures_util::poll!(waits.as_mut()).is_pending());
    let call = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = held;
        panic!("in the middle of a call");
    }));
    assert!(call.is_err());
    let next = waits.now_or_never().expect("it is called at once").unwrap();
    assert_eq!(slots.taken(), 1);
    drop(next);
    assert_eq!(slots.taken(), 0);
}

#[tokio::test]
async fn who_leaves_just_when_it_is_called_passes_the_slot_on() {
    let slots = Slots::new(1);
    let held = slots.take().await.unwrap();
    let (mut first, mut second) = (Box::pin(slots.take()), Box::pin(slots.take()));
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    drop(held);
    drop(first);
    assert!(second.now_or_never().is_some_and(|second| second.is_ok()));
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Try,
    Wait,
    GiveBack(usize),
    GiveUp(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::Try),
        3 => Just(Event::Wait),
        3 => (0_usize..4).prop_map(Event::GiveBack),
        1 => (0_usize..4).prop_map(Event::GiveUp),
    ]
}

/// Moves those who are called, in order, from the queue to the holders.
fn serve(waiting: &mut Vec<BoxFuture<'_, Result<Slot, Failure>>>, held: &mut Vec<Slot>) {
    waiting.retain_mut(|wait| match wait.now_or_never() {
        Some(slot) => {
            held.push(slot.unwrap());
            false
        }
        None => true,
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Slots are taken exactly by those who hold one, and nobody waits while one is free.
    #[test]
    fn what_is_taken_is_what_is_held(max in 1_usize..4, events in prop::collection::vec(event(), 0..60)) {
        let slots = Slots::new(max);
        let (mut held, mut waiting) = (Vec::new(), Vec::new());
        for event in events {
            match event {
                Event::Try => {
                    let slot = slots.try_take();
                    prop_assert_eq!(slot.is_some(), held.len() < max);
                    held.extend(slot);
                }
                Event::Wait => waiting.push(slots.take().boxed()),
                Event::GiveBack(at) if at < held.len() => drop(held.swap_remove(at)),
                Event::GiveUp(at) if at < waiting.len() => drop(waiting.remove(at)),
                Event::GiveBack(_) | Event::GiveUp(_) => {}
            }
            serve(&mut waiting, &mut held);
            prop_assert_eq!(slots.taken(), held.len());
            prop_assert!(waiting.is_empty() || held.len() == max);
        }
        drop((held, waiting));
        prop_assert_eq!(slots.taken(), 0);
    }
}
