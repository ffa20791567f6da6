use super::*;
use proptest::prelude::*;
use std::{panic, sync::Barrier, thread};

/// Takes all that there are.
fn take_all(slots: &Slots) -> Vec<Slot> {
    std::iter::from_fn(|| slots.try_take()).collect()
}

#[test]
fn as_many_are_taken_as_there_are_and_no_more() {
    let slots = Slots::new(2);
    let (first, _second) = (slots.try_take().unwrap(), slots.try_take().unwrap());
    assert!(slots.try_take().is_none());
    assert_eq!((slots.taken(), slots.max(), slots.free()), (2, 2, 0));
    drop(first);
    assert!(slots.try_take().is_some());
    assert_eq!((slots.taken(), slots.max(), slots.free()), (1, 2, 1));
}

#[test]
fn a_clone_is_the_same_slots_and_a_slot_outlives_them() {
    let slots = Slots::new(1);
    let held = slots.clone().try_take().unwrap();
    assert!(slots.try_take().is_none());
    assert!(slots.is_same(&slots.clone()) && !slots.is_same(&Slots::new(1)));
    slots.clone().resize(2);
    assert_eq!((slots.taken(), slots.max(), slots.free()), (1, 2, 1));
    drop(slots);
    drop(held);
}

#[test]
fn without_slots_nobody_is_let_through() {
    let slots = Slots::new(0);
    assert!(slots.try_take().is_none());
    assert_eq!((slots.taken(), slots.max(), slots.free()), (0, 0, 0));
    slots.resize(1);
    let held = slots.try_take().unwrap();
    slots.resize(0);
    drop(held);
    assert!(slots.try_take().is_none(), "there are none once more");
}

#[test]
fn more_slots_let_more_through() {
    let slots = Slots::new(1);
    let _held = slots.try_take().unwrap();
    assert!(slots.try_take().is_none());
    slots.resize(3);
    assert_eq!(take_all(&slots).len(), 2);
    assert_eq!((slots.taken(), slots.max(), slots.free()), (1, 3, 2));
}

#[test]
fn fewer_slots_than_calls_let_nobody_through_until_enough_have_ended() {
    let slots = Slots::new(4);
    let mut held = take_all(&slots);
    slots.resize(2);
    assert_eq!((slots.taken(), slots.max(), slots.free()), (4, 2, 0));
    for running in [3, 2] {
        held.pop();
        assert!(slots.try_take().is_none());
        assert_eq!(slots.taken(), running);
    }
    held.pop();
    assert!(slots.try_take().is_some());
    slots.resize(1);
    assert!(slots.try_take().is_none(), "one runs, and one may");
}

#[test]
fn no_number_of_slots_is_too_large() {
    let slots = Slots::new(usize::MAX);
    let held: Vec<Slot> = (0..1_000).filter_map(|_| slots.try_take()).collect();
    assert_eq!((slots.taken(), slots.free()), (1_000, usize::MAX - 1_000));
    drop(held);
    assert_eq!(slots.taken(), 0);
}

#[test]
fn a_panic_gives_the_slot_to_the_next_who_comes() {
    let slots = Slots::new(1);
    let held = slots.try_take().unwrap();
    assert!(slots.try_take().is_none());
    let call = panic::catch_unwind(panic::AssertUnwindSafe(move || {
        let _held = held;
        panic!("in the middle of a call");
    }));
    assert!(call.is_err());
    let next = slots.try_take().expect("it is free at once");
    assert_eq!(slots.taken(), 1);
    drop(next);
    assert_eq!(slots.taken(), 0);
}

/// How many of so many racers, who all try once at the same moment, get a slot; each keeps it until all have tried.
fn winners(slots: &Slots, racers: usize) -> usize {
    let barrier = Barrier::new(racers);
    let racer = || {
        barrier.wait();
        let slot = slots.try_take();
        barrier.wait();
        slot.is_some()
    };
    thread::scope(|scope| {
        let racers: Vec<_> = (0..racers).map(|_| scope.spawn(racer)).collect();
        racers.into_iter().map(|racer| usize::from(racer.join().unwrap())).sum()
    })
}

#[test]
fn of_more_racers_than_slots_exactly_as_many_win_as_there_are_slots() {
    for (max, racers) in [(1, 2), (1, 16), (7, 16), (15, 16), (16, 16), (20, 16)] {
        let slots = Slots::new(max);
        for _ in 0..20 {
            assert_eq!(winners(&slots, racers), max.min(racers), "{racers} at {max}");
            assert_eq!((slots.taken(), slots.free()), (0, max));
        }
    }
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
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| race(&slots, &inside, &most));
        }
    });
    assert!((1..=4).contains(&most.into_inner()));
    assert_eq!(slots.taken(), 0);
}

/// Their number goes up and down under way, and in the end there are just as many as the last change said.
#[test]
fn racers_never_hold_more_than_the_most_there_ever_are() {
    let slots = Slots::new(6);
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| race(&slots, &inside, &most));
        }
        for thread in 0..2 {
            let slots = &slots;
            scope.spawn(move || (0..3_000).for_each(|turn| slots.resize(1 + (turn + thread) % 6)));
        }
    });
    assert!((1..=6).contains(&most.into_inner()));
    assert_eq!(slots.taken(), 0);
    for size in [3, 1, 5] {
        slots.resize(size);
        assert_eq!(take_all(&slots).len(), size);
        assert_eq!(winners(&slots, 8), size);
    }
}

/// Who comes after a change obeys it, whatever raced with it.
#[test]
fn nobody_who_comes_after_a_change_obeys_the_old_number() {
    for _ in 0..20 {
        let (slots, barrier) = (Slots::new(8), Barrier::new(9));
        let racer = || {
            barrier.wait();
            let early = slots.try_take();
            barrier.wait();
            let late = slots.try_take();
            barrier.wait();
            (early.is_some(), late.is_some())
        };
        let (early, late) = thread::scope(|scope| {
            let racers: Vec<_> = (0..8).map(|_| scope.spawn(racer)).collect();
            barrier.wait();
            slots.resize(3);
            barrier.wait();
            barrier.wait();
            let got: Vec<_> = racers.into_iter().map(|racer| racer.join().unwrap()).collect();
            let count = |of: fn(&(bool, bool)) -> bool| got.iter().filter(|got| of(got)).count();
            (count(|got| got.0), count(|got| got.1))
        });
        assert!((3..=8).contains(&early), "{early} raced with the change");
        assert_eq!(late, 0, "{early} were in, and three may be");
        assert_eq!((slots.taken(), slots.free()), (0, 3));
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Try,
    GiveBack(usize),
    Resize(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Try),
        3 => (0_usize..6).prop_map(Event::GiveBack),
        1 => (0_usize..6).prop_map(Event::Resize),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Against a list: slots are taken exactly by those who hold one, and somebody gets one just while one is free.
    #[test]
    fn what_is_taken_is_what_is_held(mut max in 0_usize..4, events in prop::collection::vec(event(), 0..60)) {
        let slots = Slots::new(max);
        let mut held = Vec::new();
        for event in events {
            match event {
                Event::Try => {
                    let slot = slots.try_take();
                    prop_assert_eq!(slot.is_some(), held.len() < max);
                    held.extend(slot);
                }
                Event::GiveBack(at) if at < held.len() => drop(held.swap_remove(at)),
                Event::GiveBack(_) => {}
                Event::Resize(to) => {
                    max = to;
                    slots.resize(to);
                }
            }
            prop_assert_eq!((slots.taken(), slots.max()), (held.len(), max));
            prop_assert_eq!(slots.free(), max.saturating_sub(held.len()));
        }
        drop(held);
        prop_assert_eq!(slots.taken(), 0);
    }
}
