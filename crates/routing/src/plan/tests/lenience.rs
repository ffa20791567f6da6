//! Breakers that rates have opened: how many of a tier are skipped, and when fewer.

use super::*;

/// The workers that are treated as closed.
fn as_closed(words: &str) -> Vec<usize> {
    let plan = planned(words, &ask());
    let passed = plan.candidates.iter().filter(|one| one.pass == Pass::AsClosed);
    passed.map(|one| one.worker).collect()
}

#[test]
fn at_most_half_of_a_tier_is_skipped_for_rates_and_the_least_bad_go_on() {
    for (words, expected) in [
        ("rate:0.9", vec![0]),
        ("rate:0.9 ok", vec![]),
        ("rate:0.9 rate:0.8", vec![1]),
        ("rate:0.9 rate:0.6 rate:0.8", vec![1, 2]),
        ("rate:0.9 rate:0.6 rate:0.8 ok", vec![1]),
        ("rate:0.9 rate:0.6 ok ok", vec![]),
        ("rate:0.5 rate:0.6 rate:0.7 rate:0.8 rate:0.9", vec![0, 1, 2]),
    ] {
        assert_eq!(as_closed(words), expected, "{words}");
    }
}

#[test]
fn a_worker_that_is_treated_as_closed_is_called_as_if_it_were() {
    check(
        "rate:0.9 rate:0.8 ok",
        &expect![[r#"
            call 1 primary_normal AsClosed
            call 2 primary_normal Usual
            skip 0 primary_breaker_open
        "#]],
    );
}

#[test]
fn nothing_is_lenient_while_another_tier_has_a_usable_worker() {
    for (words, expected) in [
        ("rate:0.9 | ok", vec![]),
        ("rate:0.9 | half", vec![]),
        ("rate:0.9 | | ok", vec![]),
        ("ok | rate:0.9", vec![]),
        ("rate:0.9 | open | full", vec![0]),
        ("rate:0.9 | rate:0.8 | rest", vec![0, 1]),
        ("ok rate:0.9 rate:0.8 | rate:0.7", vec![2]),
    ] {
        assert_eq!(as_closed(words), expected, "{words}");
    }
}

#[test]
fn those_opened_for_other_causes_stay_open() {
    assert!(as_closed("open open open").is_empty());
    assert_eq!(as_closed("open rate:0.9 rate:0.8"), vec![2]);
    assert!(as_closed("open open rate:0.8").is_empty());
}

#[test]
fn those_that_could_not_be_called_anyway_leave_their_place_to_others() {
    assert_eq!(as_closed("rate:0.5+rest rate:0.6+full rate:0.9"), vec![2]);
    assert_eq!(as_closed("rate:0.5+down rate:0.9"), vec![1]);
    assert!(as_closed("rate:0.5+limited").is_empty());
}

#[test]
fn of_equally_bad_ones_the_one_due_first_goes_on_and_then_the_first() {
    let mut tiers = route("rate:0.5 rate:0.5 rate:0.5 rate:0.5");
    tiers[0][3].due = Duration::from_secs(1);
    let plan = planned_by(&tiers, Balance::RoundRobin, &ask());
    let mut on: Vec<_> = plan.candidates.iter().map(|one| one.worker).collect();
    on.sort_unstable();
    assert_eq!(on, [0, 3]);
}

#[test]
fn a_failure_rate_that_is_no_number_is_the_worst() {
    let mut tiers = route("rate:0.9 rate:0.9");
    tiers[0][0].badness = f64::NAN;
    assert_eq!(planned_by(&tiers, Balance::RoundRobin, &ask()).candidates[0].worker, 1);
}
