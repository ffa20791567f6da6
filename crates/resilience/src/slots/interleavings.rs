//! Every interleaving of what threads may do to the same slots at once.

use super::*;
use loom::thread::{self, JoinHandle};

/// Tries once, on a thread of its own, and keeps what it gets.
fn racer(slots: &Slots) -> JoinHandle<Option<Slot>> {
    let slots = slots.clone();
    thread::spawn(move || slots.try_take())
}

/// What the racers got.
fn taken<const N: usize>(racers: [JoinHandle<Option<Slot>>; N]) -> Vec<Slot> {
    racers.into_iter().filter_map(|racer| racer.join().unwrap()).collect()
}

#[test]
fn of_three_racers_as_many_win_as_there_are_slots() {
    for max in 0..=3 {
        loom::model(move || {
            let slots = Slots::new(max);
            let others = [racer(&slots), racer(&slots)];
            let mine = slots.try_take();
            let mut held = taken(others);
            held.extend(mine);
            assert_eq!((held.len(), slots.taken()), (max, max));
            drop(held);
            assert_eq!((slots.taken(), slots.free()), (0, max));
        });
    }
}

/// Each asks once, so that one is refused only while the other is inside.
#[test]
fn nobody_is_inside_with_another_where_there_is_one_slot() {
    loom::model(|| {
        let (slots, inside) = (Slots::new(1), Arc::new(AtomicUsize::new(0)));
        let pass = |slots: Slots, inside: Arc<AtomicUsize>| {
            let slot = slots.try_take()?;
            assert_eq!(inside.fetch_add(1, SeqCst), 0, "somebody is inside");
            inside.fetch_sub(1, SeqCst);
            drop(slot);
            Some(())
        };
        let theirs = (slots.clone(), inside.clone());
        let other = thread::spawn(move || pass(theirs.0, theirs.1));
        let mine = pass(slots.clone(), inside);
        let other = other.join().unwrap();
        assert!(mine.or(other).is_some(), "nobody refuses the first");
        assert_eq!(slots.taken(), 0);
        assert!(slots.try_take().is_some(), "what was given back is free");
    });
}

/// Two hold all, give them back beside each other, and beside one who wants in.
#[test]
fn each_gives_its_own_slot_back_once() {
    loom::model(|| {
        let slots = Slots::new(2);
        let [one, other] = [slots.try_take(), slots.try_take()];
        let leaving = [one, other].map(|slot| thread::spawn(move || drop(slot)));
        let late = slots.try_take();
        leaving.into_iter().for_each(|leaver| leaver.join().unwrap());
        assert_eq!(slots.taken(), usize::from(late.is_some()));
        drop(late);
        let both = [slots.try_take(), slots.try_take(), slots.try_take()].map(|slot| slot.is_some());
        assert_eq!(both, [true, true, false]);
    });
}

/// Those who race with a change obey the old number or the new one; who comes after it, the new one. Of the many
/// interleavings those in which no thread is interrupted more than three times in all.
#[test]
fn a_change_of_their_number_holds_for_all_who_come_after_it() {
    for (before, after) in [(2, 1), (0, 1), (1, 2)] {
        let mut few = loom::model::Builder::new();
        few.preemption_bound = Some(3);
        few.check(move || {
            let slots = Slots::new(before);
            let racers = [racer(&slots), racer(&slots)];
            slots.resize(after);
            let late = slots.try_take();
            let early = taken(racers);
            assert!(early.len() + usize::from(late.is_some()) <= before.max(after));
            assert_eq!(slots.taken(), early.len() + usize::from(late.is_some()));
            drop(late);
            assert_eq!(slots.try_take().is_some(), early.len() < after);
            drop(early);
            assert_eq!((slots.taken(), slots.free()), (0, after));
        });
    }
}
