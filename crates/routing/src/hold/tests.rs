use super::*;
use crate::fixtures::ms;
use proptest::prelude::*;

fn mean(calls: &[(u64, bool)]) -> Duration {
    let hold = Hold::default();
    for (millis, has_served) in calls {
        hold.is_over(ms(*millis), *has_served);
    }
    hold.mean()
}

#[test]
fn the_mean_is_that_of_the_last_calls_that_served() {
    assert_eq!(mean(&[]), Duration::ZERO);
    assert_eq!(mean(&[(1_600, true)]), ms(1_600));
    assert_eq!(mean(&[(1_600, true), (3_200, true)]), ms(1_700));
    let mut calls = vec![(60_000, true)];
    calls.extend([(100, true); 200]);
    assert!((ms(100)..ms(101)).contains(&mean(&calls)), "{:?}", mean(&calls));
}

#[test]
fn calls_that_fail_fast_do_not_make_answers_short() {
    let mut calls = vec![(3_500, true)];
    calls.extend([(0, false); 100]);
    assert_eq!(mean(&calls), ms(3_500));
}

#[test]
fn a_slot_that_is_held_in_vain_for_longer_is_held_for_longer() {
    assert_eq!(mean(&[(1_600, true), (17_600, false)]), ms(2_600));
    // Before any answer it is the best that is known.
    assert_eq!(mean(&[(16_000, false)]), ms(1_000));
}

proptest! {
    #[test]
    fn the_mean_lies_between_the_shortest_and_the_longest(
        held in prop::collection::vec(1_u64..1_000_000, 1..40),
    ) {
        let calls: Vec<_> = held.iter().map(|held| (*held, true)).collect();
        let (least, most) = (held.iter().min().unwrap(), held.iter().max().unwrap());
        let rounding = Duration::from_micros(1);
        prop_assert!((ms(*least) - rounding..=ms(*most) + rounding).contains(&mean(&calls)));
    }
}
