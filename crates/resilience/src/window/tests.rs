use super::*;
use Outcome::{Failure, GivenUp, Neutral, RateLimited, Success};
use proptest::prelude::*;

/// A window in which waits are slow from some time on, and what has left it.
struct Seen {
    window: Window,
    slow_from: Option<Duration>,
    left: Counts,
}

fn window(calls: u32, seconds: u64, slow_ms: u64) -> Seen {
    let config = Config {
        window_calls: calls,
        window_s: seconds,
        ..Config::default()
    };
    Seen {
        window: Window::new(&config),
        slow_from: (slow_ms > 0).then(|| Duration::from_millis(slow_ms)),
        left: Counts::default(),
    }
}

impl Seen {
    fn push(&mut self, outcome: Outcome, wait: Option<Duration>, now: Instant) {
        let (left, wait) = (&mut self.left, self.slow_from.zip(wait));
        self.window
            .push(outcome, wait, now, |entry| *left = left.with(entry.counts));
    }

    fn counts(&self, now: Instant) -> Counts {
        self.window.counts(now)
    }
}

#[test]
fn an_empty_window_has_no_rates_and_is_not_slow() {
    let counts = window(50, 60, 1).counts(Instant::now());
    assert_eq!((counts.failure_rate(), counts.rate_limit_rate()), (0.0, 0.0));
    assert!(!counts.p95_is_slow());
}

#[test]
fn each_rate_counts_among_those_that_say_something_about_it() {
    let (mut window, now) = (window(50, 60, 0), Instant::now());
    for outcome in [Success, Failure, RateLimited, RateLimited, Neutral, GivenUp] {
        window.push(outcome, None, now);
    }
    let counts = window.counts(now);
    assert_eq!((counts.failure_rate(), counts.rate_limit_rate()), (0.5, 0.5));
    assert_eq!((counts.decided(), counts.answered()), (2, 4));
}

#[test]
fn what_says_nothing_pushes_nothing_out() {
    let (mut window, now) = (window(2, 60, 0), Instant::now());
    window.push(Failure, None, now);
    for _ in 0..10 {
        window.push(Neutral, None, now);
        window.push(GivenUp, Some(Duration::from_secs(9)), now);
    }
    assert_eq!(window.counts(now).failures, 1);
}

#[test]
fn an_outcome_is_forgotten_when_it_is_older_than_the_window_and_not_before() {
    let (mut window, now) = (window(50, 60, 0), Instant::now());
    window.push(Failure, None, now);
    let after = |millis| now + Duration::from_millis(millis);
    assert_eq!(window.counts(after(60_000)).failures, 1);
    assert_eq!(
        window.counts(after(60_001)).failures,
        0,
        "also if nothing was pushed since"
    );
    assert_eq!(window.counts(now).failures, 1, "looking has changed nothing");
    window.push(Success, None, after(60_001));
    assert_eq!(
        window.counts(after(60_001)),
        Counts {
            successes: 1,
            ..Counts::default()
        }
    );
}

#[test]
fn a_window_that_is_cleared_is_as_new() {
    let (mut window, now) = (window(50, 60, 10), Instant::now());
    window.push(Failure, Some(Duration::from_secs(1)), now);
    window.window.clear();
    assert_eq!(window.counts(now), Counts::default());
    window.push(Success, None, now);
    assert_eq!(window.counts(now).failure_rate(), 0.0);
}

/// The p95 by nearest rank, by its definition.
fn p95(mut waits: Vec<u64>) -> Option<u64> {
    waits.sort_unstable();
    let rank = (waits.len() * 95).div_ceil(100);
    waits.get(rank.checked_sub(1)?).copied()
}

fn any_push() -> impl Strategy<Value = (Outcome, Option<u64>, u64)> {
    let outcome = prop::sample::select(vec![Success, Failure, RateLimited, GivenUp, Neutral]);
    (
        outcome,
        prop::option::of(0_u64..200),
        prop_oneof![3 => Just(0), 1 => 0_u64..40],
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Counted anew each time from all that was ever pushed.
    #[test]
    fn its_counts_are_those_of_the_last_outcomes(
        (calls, seconds) in (1_u32..60, 1_u64..100),
        pushes in prop::collection::vec(any_push(), 0..200),
    ) {
        let (mut window, mut now) = (window(calls, seconds, 100), Instant::now());
        let mut all = Vec::new();
        for (outcome, wait, pause) in pushes {
            now += Duration::from_secs(pause);
            window.push(outcome, wait.map(Duration::from_millis), now);
            if wait.is_some() || !matches!(outcome, GivenUp | Neutral) {
                all.push((outcome, wait, now));
            }
            let is_young = |call: &&(Outcome, Option<u64>, Instant)| now - call.2 <= Duration::from_secs(seconds);
            let last: Vec<_> = all.iter().rev().take(calls as usize).filter(is_young).collect();
            let count = |what: Outcome| last.iter().filter(|call| call.0 == what).count() as u32;
            let waits: Vec<u64> = last.iter().filter_map(|call| call.1).collect();
            let counts = window.counts(now);
            prop_assert_eq!(window.window.pushed(), counts);
            prop_assert_eq!(window.left.answered() + counts.answered(), all.iter().filter(|call| !matches!(call.0, GivenUp | Neutral)).count() as u32);
            prop_assert_eq!((counts.successes, counts.failures, counts.limited), (count(Success), count(Failure), count(RateLimited)));
            prop_assert_eq!(counts.timed as usize, waits.len());
            prop_assert_eq!(counts.p95_is_slow(), p95(waits).is_some_and(|wait| wait >= 100));
        }
    }
}
