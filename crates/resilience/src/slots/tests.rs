use super::*;
use futures_util::{FutureExt, future::BoxFuture};
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[tokio::test]
async fn as_many_are_taken_as_there_are_and_no_more() {
    let slots = Slots::new(2);
    let (first, _second) = (slots.try_take().unwrap(), slots.take().await);
    assert!(slots.try_take().is_none());
    assert_eq!((slots.taken(), slots.max()), (2, 2));
    drop(first);
    assert!(slots.try_take().is_some());
    assert_eq!(slots.taken(), 1);
}

#[tokio::test]
async fn those_who_wait_are_served_in_order_and_one_who_leaves_takes_nothing() {
    let slots = Slots::new(1);
    let held = slots.take().await;
    let (mut first, mut second) = (Box::pin(slots.take()), Box::pin(slots.take()));
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    drop(first);
    drop(held);
    drop(second.await);
    assert_eq!(slots.taken(), 0);
}

#[test]
fn there_is_always_at_least_one() {
    assert_eq!(Slots::new(0).max(), 1);
}

#[tokio::test]
async fn more_slots_call_those_who_wait() {
    let slots = Slots::new(1);
    let _held = slots.take().await;
    let mut waits: Vec<_> = (0..3).map(|_| Box::pin(slots.take())).collect();
    assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_none()));
    slots.resize(3);
    let called: Vec<_> = waits.iter_mut().map(|wait| wait.now_or_never()).collect();
    assert_eq!(
        called.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, true, false]
    );
    assert_eq!((slots.taken(), slots.max(), slots.free()), (3, 3, 0));
}

#[tokio::test]
async fn fewer_slots_than_calls_let_nobody_through_until_enough_have_ended() {
    let slots = Slots::new(4);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(slots.take().await);
    }
    slots.resize(2);
    assert_eq!((slots.taken(), slots.max(), slots.free()), (4, 2, 0));
    for running in [3, 2] {
        held.pop();
        assert!(slots.try_take().is_none());
        assert_eq!(slots.taken(), running);
    }
    held.pop();
    assert!(slots.try_take().is_some());
    slots.resize(0);
    assert_eq!(slots.max(), 1, "there is always one");
}

/// Takes and gives back slots as fast as it can.
fn race(slots: &Slots, inside: &AtomicUsize, most: &AtomicUsize) {
    for _ in 0..2_000 {
        let Some(slot) = slots.try_take() else { continue };
        most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
        inside.fetch_sub(1, SeqCst);
        drop(slot);
    }
}

#[test]
fn racers_never_hold_more_than_there_are() {
    let slots = Slots::new(4);
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| race(&slots, &inside, &most));
        }
    });
    assert!(most.load(SeqCst) <= 4);
    assert_eq!(slots.taken(), 0);
}

/// Their number goes up and down under way, and in the end there are just as many as the last change said.
#[test]
fn racers_never_hold_more_than_the_most_there_ever_are() {
    let slots = Slots::new(6);
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| race(&slots, &inside, &most));
        }
        for thread in 0..2 {
            let slots = &slots;
            scope.spawn(move || (0..3_000).for_each(|turn| slots.resize(1 + (turn + thread) % 6)));
        }
    });
    assert!(most.load(SeqCst) <= 6);
    assert_eq!(slots.taken(), 0);
    for size in [3, 1, 5] {
        slots.resize(size);
        let held: Vec<Slot> = std::iter::from_fn(|| slots.try_take()).collect();
        assert_eq!(held.len(), size);
    }
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
    let held = slots.take().await;
    let mut waits = Box::pin(slots.take());
    assert!(futures_util::poll!(waits.as_mut()).is_pending());
    let call = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = held;
        panic!("in the middle of a call");
    }));
    assert!(call.is_err());
    let next = waits.now_or_never().expect("it is called at once");
    assert_eq!(slots.taken(), 1);
    drop(next);
    assert_eq!(slots.taken(), 0);
}

#[tokio::test]
async fn who_leaves_just_when_it_is_called_passes_the_slot_on() {
    let slots = Slots::new(1);
    let held = slots.take().await;
    let (mut first, mut second) = (Box::pin(slots.take()), Box::pin(slots.take()));
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    drop(held);
    drop(first);
    assert!(second.now_or_never().is_some());
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Try,
    Wait,
    GiveBack(usize),
    GiveUp(usize),
    Resize(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::Try),
        3 => Just(Event::Wait),
        3 => (0_usize..4).prop_map(Event::GiveBack),
        1 => (0_usize..4).prop_map(Event::GiveUp),
        1 => (1_usize..6).prop_map(Event::Resize),
    ]
}

/// Moves those who are called, in order, from the queue to the holders.
fn serve(waiting: &mut Vec<BoxFuture<'_, Slot>>, held: &mut Vec<Slot>) {
    waiting.retain_mut(|wait| match wait.now_or_never() {
        Some(slot) => {
            held.push(slot);
            false
        }
        None => true,
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Slots are taken exactly by those who hold one, nobody waits while one is free, and nobody gets one while none is.
    #[test]
    fn what_is_taken_is_what_is_held(mut max in 1_usize..4, events in prop::collection::vec(event(), 0..60)) {
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
                Event::Resize(to) => {
                    max = to;
                    slots.resize(to);
                }
                Event::GiveBack(_) | Event::GiveUp(_) => {}
            }
            let before = held.len();
            serve(&mut waiting, &mut held);
            prop_assert!(held.len() == before || held.len() <= max);
            prop_assert_eq!((slots.taken(), slots.max()), (held.len(), max));
            prop_assert_eq!(slots.free(), max.saturating_sub(held.len()));
            prop_assert!(waiting.is_empty() || held.len() >= max);
        }
        drop((held, waiting));
        prop_assert_eq!(slots.taken(), 0);
    }
}
