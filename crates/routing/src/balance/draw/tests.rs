//! How chance falls to those who can be called.

use super::*;
use crate::view::fixtures::{well, wells};
use proptest::{collection::vec, prelude::*};
use std::time::Duration;

const DRAWS: u64 = 12_000;

/// How often each place is drawn.
fn counts(draw: impl Fn(u64) -> Option<usize>, len: usize) -> Vec<u64> {
    let mut counts = vec![0; len];
    (0..DRAWS).filter_map(draw).for_each(|place| counts[place] += 1);
    counts
}

/// A look at idle workers of whom only those at these places can be called.
fn only(usable: &'static [usize]) -> impl Fn(usize) -> Seen<View> {
    |place| match usable.contains(&place) {
        true => Seen::Usable(well(place)),
        false => Seen::Unusable,
    }
}

#[test]
fn what_would_fall_to_those_who_cannot_be_called_falls_to_the_others_evenly() {
    let even = Wheel::new([1; 6]);
    let by_turn = counts(|turn| Some(in_turn(&even, turn, only(&[0, 1, 4]))?.0), 6);
    let of_two = counts(|turn| Some(better_of_two((6, mix(turn)), None, only(&[0, 1, 4]))?.0), 6);
    for counts in [by_turn, of_two] {
        for (count, part) in counts.iter().zip([1, 1, 0, 0, 1, 0]) {
            assert!(count.abs_diff(part * DRAWS / 3) <= 200, "{counts:?}");
        }
    }
}

#[test]
fn it_falls_to_them_by_weight_where_weights_differ() {
    let wheel = Wheel::new([1, 5, 2, 1]);
    let counts = counts(|turn| Some(by_weight(&wheel, turn, only(&[0, 2, 3]))?.0), 4);
    for (count, part) in counts.iter().zip([1, 0, 2, 1]) {
        assert!(count.abs_diff(part * DRAWS / 4) <= 200, "{counts:?}");
    }
}

#[test]
fn two_that_are_drawn_are_never_the_same_and_every_pair_is_as_likely() {
    // The better one of two has the lower number; of the six pairs three have the first as their better one.
    let look = |place: usize| {
        Seen::Usable(View {
            latency: Some(Duration::from_millis(100 + place as u64)),
            ..well(place)
        })
    };
    let counts = counts(|turn| Some(better_of_two((4, mix(turn)), None, look)?.0), 4);
    for (count, pairs) in counts.iter().zip([3, 2, 1, 0]) {
        assert!(count.abs_diff(pairs * DRAWS / 6) <= 200, "{counts:?}");
    }
}

#[test]
fn one_of_whom_it_depends_on_others_ends_the_draw() {
    let look = |_: usize| Seen::<View>::Unclear;
    assert!(in_turn(&Wheel::new([1; 3]), 0, look).is_none());
    assert!(better_of_two((3, 0), None, look).is_none());
}

#[test]
fn nobody_is_drawn_from_nobody() {
    let look = |_: usize| Seen::<View>::Unusable;
    assert!(in_turn(&Wheel::default(), 7, look).is_none());
    assert!(by_weight(&Wheel::default(), 7, look).is_none());
    assert!(better_of_two((0, 7), None, look).is_none());
}

#[test]
fn of_one_alone_it_is_that_one() {
    for turn in 0..100 {
        assert_eq!(better_of_two((1, turn), None, only(&[0])).unwrap().0, 0);
        assert_eq!(better_of_two((2, turn), None, only(&[1])).unwrap().0, 1);
    }
}

#[test]
fn the_cheapest_is_the_first_of_those_that_can_be_called() {
    let wheel = Wheel::new([1, 1, 4, 1]);
    let cost = |place: usize| [3.0, 1.5, 4.0, 0.5][place];
    assert_eq!(cheapest(&wheel, cost, only(&[0, 1, 2, 3])).unwrap().0, 3);
    assert_eq!(cheapest(&wheel, cost, only(&[0, 1, 2])).unwrap().0, 2);
    assert_eq!(cheapest(&wheel, cost, only(&[0])).unwrap().0, 0);
    assert!(cheapest(&wheel, cost, only(&[])).is_none());
    let cold = |place| {
        Seen::Usable(View {
            warmth: 0.9,
            ..well(place)
        })
    };
    assert!(cheapest(&wheel, cost, cold).is_none(), "another may cost less");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whoever_is_drawn_can_be_called(usable in vec(any::<bool>(), 1..40), turn in any::<u64>()) {
        let views = wells(usable.len());
        let look = |place: usize| if usable[place] { Seen::Usable(&views[place]) } else { Seen::Unusable };
        let wheel = Wheel::new((1..).take(usable.len()));
        let drawn = [in_turn(&wheel, turn, look), by_weight(&wheel, turn, look), better_of_two((usable.len(), turn), None, look)];
        for (place, view) in drawn.into_iter().flatten() {
            prop_assert!(usable[place] && view.worker == place);
        }
    }
}
