use super::*;
use proptest::{collection::vec, prelude::*};

fn wheel(weights: &[u32]) -> Wheel {
    Wheel::new(weights.iter().copied())
}

#[test]
fn a_wheel_is_even_where_nobody_weighs_more_than_another() {
    for (weights, expected) in [
        (&[][..], true),
        (&[7], true),
        (&[2, 2, 2], true),
        (&[0, 1], true),
        (&[1, 2], false),
        (&[2, 2, 1], false),
    ] {
        assert_eq!(wheel(weights).is_even(), expected, "{weights:?}");
    }
}

#[test]
fn points_from_one_end_to_the_other_fall_to_one_worker_after_the_other() {
    let wheel = wheel(&[3, 1, 4]);
    let eighth = u64::MAX / 8;
    let places: Vec<_> = (0..8).map(|arc| wheel.at(arc * eighth + eighth / 2)).collect();
    assert_eq!(places, [0, 0, 0, 1, 2, 2, 2, 2]);
    assert_eq!([wheel.at(0), wheel.at(u64::MAX)], [0, 2]);
}

#[test]
fn on_an_empty_wheel_there_is_nobody() {
    assert_eq!(
        (wheel(&[]).len(), wheel(&[]).at(7), wheel(&[]).weights().count()),
        (0, 0, 0)
    );
}

#[test]
fn who_is_not_on_it_weighs_what_a_worker_does_by_default() {
    assert_eq!(wheel(&[5]).weight(1), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn each_gets_as_many_points_as_its_weight_says(weights in vec(0_u32..=20, 1..20)) {
        let wheel = wheel(&weights);
        let lawful: Vec<_> = weights.iter().map(|weight| *weight.max(&1)).collect();
        prop_assert_eq!(wheel.weights().collect::<Vec<_>>(), &lawful[..]);
        let all = u64::from(lawful.iter().sum::<u32>());
        let mut points = vec![0_u32; weights.len()];
        for point in 0..all {
            let arc = u64::MAX / all;
            points[wheel.at(point * arc + arc / 2)] += 1;
        }
        prop_assert_eq!(points, lawful);
    }
}
