use super::*;
use proptest::{collection::vec, prelude::*};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The estimate in milliseconds, rounded.
fn at(latency: &Latency, now: Instant) -> u128 {
    (latency.estimate(now).unwrap() + Duration::from_micros(500)).as_millis()
}

#[test]
fn without_a_sample_there_is_no_estimate() {
    assert_eq!(Latency::default().estimate(Instant::now()), None);
}

#[test]
fn it_rises_at_once_and_is_forgotten_by_and_by() {
    let start = Instant::now();
    let mut latency = Latency::default();
    latency.observe(ms(100), start);
    latency.observe(ms(2_000), start + ms(1));
    let seconds = |count| start + ms(1) + Duration::from_secs(count);
    let estimates = [0, 5, 10, 20, 30, 60].map(|count| at(&latency, seconds(count)));
    assert_eq!(estimates, [2_000, 1_213, 736, 271, 100, 5]);
}

#[test]
fn a_faster_sample_never_raises_it_and_bounds_how_far_it_falls() {
    let start = Instant::now();
    let mut latency = Latency::default();
    latency.observe(ms(1_000), start);
    latency.observe(ms(100), start + ms(10_000));
    assert_eq!(at(&latency, start + ms(10_000)), 368);
    latency.observe(ms(100), start + ms(60_000));
    assert_eq!(at(&latency, start + ms(60_000)), 100);
}

#[test]
fn what_it_last_was_is_known_for_half_a_minute_and_does_not_fade() {
    let start = Instant::now();
    let mut latency = Latency::default();
    latency.wait_at_least(ms(700), start);
    assert_eq!(latency.last(start), None, "a bound is no sample");
    latency.observe(ms(2_000), start);
    let seconds = |count| start + Duration::from_secs(count);
    let known = [0, 10, 30, 31].map(|count| latency.last(seconds(count)));
    assert_eq!(known, [Some(ms(2_000)), Some(ms(2_000)), Some(ms(2_000)), None]);
    latency.observe(ms(100), seconds(40));
    assert_eq!(latency.last(seconds(41)), Some(ms(100)), "the slow time is forgotten");
}

#[test]
fn a_failure_adds_a_second_whatever_came_before() {
    let start = Instant::now();
    let mut latency = Latency::default();
    latency.penalize(start);
    assert_eq!(at(&latency, start), 1_000);
    latency.observe(ms(3), start);
    latency.penalize(start);
    assert_eq!(at(&latency, start), 2_000);
    assert_eq!(at(&latency, start + TAU), 736);
}

#[test]
fn a_worker_that_fails_fast_is_no_better_than_one_that_answers() {
    let start = Instant::now();
    let (mut fails, mut answers) = (Latency::default(), Latency::default());
    for second in 0..100 {
        let now = start + Duration::from_secs(second);
        fails.penalize(now);
        answers.observe(ms(900), now);
        assert!(fails.estimate(now) > answers.estimate(now));
    }
}

#[test]
fn looking_changes_nothing() {
    let start = Instant::now();
    let mut latency = Latency::default();
    latency.observe(ms(700), start);
    let before = latency;
    for second in 0..50 {
        latency.estimate(start + Duration::from_secs(second));
    }
    assert_eq!(latency, before);
}

#[test]
fn a_wait_that_was_given_up_makes_no_estimate_but_is_kept_as_a_bound() {
    let start = Instant::now();
    let mut latency = Latency::default();
    assert_eq!(latency.at_least(start), Duration::ZERO);
    latency.wait_at_least(ms(3_000), start);
    latency.wait_at_least(ms(1), start);
    assert_eq!((latency.estimate(start), latency.at_least(start)), (None, ms(3_000)));
    assert_eq!(
        latency.at_least(start + TAU).as_millis(),
        1_103,
        "it is forgotten like a sample"
    );
    latency.observe(ms(100), start);
    assert_eq!(at(&latency, start), 3_000, "who made somebody wait in vain is not fast");
}

#[test]
fn a_wait_that_was_given_up_raises_an_estimate_and_never_lowers_it() {
    let start = Instant::now();
    let mut latency = Latency::default();
    latency.observe(ms(500), start);
    latency.wait_at_least(ms(20), start);
    assert_eq!(at(&latency, start), 500);
    latency.wait_at_least(ms(900), start);
    assert_eq!(at(&latency, start), 900);
}

#[test]
fn a_report_that_comes_late_is_not_forgotten_twice() {
    let start = Instant::now();
    let mut latency = Latency::default();
    latency.observe(ms(500), start + ms(10));
    latency.observe(ms(600), start);
    assert_eq!(at(&latency, start), 600);
    assert_eq!(at(&latency, start + ms(10)), 600);
    assert_eq!(at(&latency, start + ms(10) + TAU), 221);
}

#[test]
fn extremes_are_borne() {
    let start = Instant::now();
    let mut latency = Latency::default();
    latency.observe(Duration::ZERO, start);
    assert_eq!(latency.estimate(start), Some(Duration::ZERO));
    latency.observe(Duration::MAX, start);
    for _ in 0..10 {
        latency.penalize(start);
    }
    assert!(latency.estimate(start).is_some());
    assert!(latency.estimate(start + ms(1_000_000)).unwrap() < Duration::MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn it_is_the_greatest_of_all_samples_as_far_as_each_is_remembered(
        steps in vec((0_u64..20_000, 1_u64..100_000), 1..30),
        later in 0_u64..60_000,
    ) {
        let start = Instant::now();
        let mut latency = Latency::default();
        let mut samples = Vec::new();
        let mut now = start;
        for (pause, sample) in steps {
            now += ms(pause);
            latency.observe(ms(sample), now);
            samples.push((now, sample as f64 / 1e3));
        }
        now += ms(later);
        let remembered = samples.iter().map(|(at, sample)| sample * (-(now - *at).as_secs_f64() / 10.0).exp());
        let expected = remembered.fold(0.0, f64::max);
        let found = latency.estimate(now).unwrap().as_secs_f64();
        prop_assert!((found - expected).abs() < 1e-6 + expected * 1e-6, "{found} instead of {expected}");
    }
}
