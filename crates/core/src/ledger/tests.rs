use super::*;
use proptest::{collection::vec, prelude::*};

#[test]
fn more_than_the_cap_racing_in_admits_exactly_the_cap() {
    const CAP: usize = 5;
    const RACERS: usize = 16;
    let ledger = Ledger::new(0, 0, CAP);
    for _ in 0..50 {
        let start = std::sync::Barrier::new(RACERS);
        let places: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        ledger.enter()
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!((places.iter().flatten().count(), ledger.requests()), (CAP, CAP));
        drop(places);
        assert_eq!(ledger.requests(), 0);
    }
}

#[test]
fn a_panic_gives_the_place_back() {
    let ledger = Ledger::new(0, 0, 1);
    let inside = ledger.clone();
    let panicked = std::thread::spawn(move || {
        let _place = inside.enter().unwrap();
        panic!("boom");
    });
    assert!(panicked.join().is_err());
    assert!(ledger.enter().is_some());
}

#[test]
fn the_logs_are_full_at_the_limit_and_not_before() {
    let ledger = Ledger::new(10, 100, 1);
    ledger.add(99);
    assert!(!ledger.is_full());
    ledger.add(1);
    assert!(ledger.is_full());
    ledger.remove(1);
    assert!(!ledger.is_full());
    assert_eq!((ledger.bytes(), ledger.max_answer_bytes()), (99, 10));
}

proptest! {
    #[test]
    fn places_are_taken_and_given_back_as_a_counter_would(cap in 0_usize..6, steps in vec(any::<Option<u8>>(), 1..60)) {
        let ledger = Ledger::new(0, 0, cap);
        let mut held = Vec::new();
        for step in steps {
            match step {
                None => {
                    let place = ledger.enter();
                    prop_assert_eq!(place.is_some(), held.len() < cap);
                    held.extend(place);
                }
                Some(nth) if !held.is_empty() => drop(held.swap_remove(usize::from(nth) % held.len())),
                Some(_) => {}
            }
            prop_assert_eq!(ledger.requests(), held.len());
        }
    }
}
