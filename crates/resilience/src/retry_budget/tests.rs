use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn at(budget: &RetryBudget, seconds: u64) -> Instant {
    budget.base + Duration::from_secs(seconds)
}

/// Spends all that is left, and says how much that was.
fn spend_all(budget: &RetryBudget, now: Instant) -> usize {
    (0..100_000).take_while(|_| budget.try_spend(now)).count()
}

#[test]
fn without_requests_a_few_calls_are_left_and_no_more() {
    let budget = RetryBudget::new(20, 30);
    let now = at(&budget, 0);
    assert_eq!(
        (budget.left(now), spend_all(&budget, now), budget.left(now)),
        (30, 30, 0)
    );
    assert!(!budget.try_spend(now));
}

#[test]
fn with_many_requests_it_is_their_share() {
    let budget = RetryBudget::new(20, 30);
    for second in 0..10 {
        (0..100).for_each(|_| budget.request(at(&budget, second)));
    }
    assert_eq!(
        spend_all(&budget, at(&budget, 9)),
        200,
        "a fifth of the thousand of ten seconds"
    );
}

#[test]
fn what_is_older_than_ten_seconds_counts_no_more() {
    let budget = RetryBudget::new(50, 1);
    (0..100).for_each(|_| budget.request(at(&budget, 3)));
    assert_eq!(spend_all(&budget, at(&budget, 4)), 50);
    assert_eq!(budget.left(at(&budget, 12)), 0);
    assert_eq!(
        budget.left(at(&budget, 13)),
        0,
        "the requests are forgotten, what they spent is not"
    );
    assert_eq!(budget.left(at(&budget, 14)), 1);
    assert_eq!(budget.left(at(&budget, 1_000)), 1);
}

#[test]
fn a_budget_of_nothing_gives_nothing() {
    let budget = RetryBudget::new(0, 0);
    (0..1_000).for_each(|_| budget.request(at(&budget, 0)));
    assert!(!budget.try_spend(at(&budget, 0)));
}

#[test]
fn a_clock_that_is_behind_another_core_s_spends_from_the_same_budget() {
    let budget = RetryBudget::new(0, 3);
    assert_eq!(spend_all(&budget, at(&budget, 25)), 3);
    for behind in [24, 15, 5, 0] {
        assert!(!budget.try_spend(at(&budget, behind)), "{behind}");
    }
}

/// When every request fails and would be tried twice again, the calls are at most 1.2 times the requests.
#[test]
fn in_an_outage_the_calls_grow_by_the_share_and_not_to_a_multiple() {
    let budget = RetryBudget::new(20, 30);
    let (mut requests, mut calls) = (0_u32, 0_u32);
    for second in 0..30 {
        for _ in 0..200 {
            budget.request(at(&budget, second));
            requests += 1;
            calls += 1 + (0..2).filter(|_| budget.try_spend(at(&budget, second))).count() as u32;
        }
    }
    let times = f64::from(calls) / f64::from(requests);
    assert!((1.15..=1.2).contains(&times), "{times}");
}

#[test]
fn a_budget_that_is_changed_counts_what_was_spent_before() {
    let budget = RetryBudget::new(0, 10);
    (0..100).for_each(|_| budget.request(at(&budget, 0)));
    assert_eq!((0..6).filter(|_| budget.try_spend(at(&budget, 1))).count(), 6);
    for (percent, min, left) in [(0, 8, 2), (0, 5, 0), (20, 5, 14), (0, 0, 0), (6, 0, 0), (7, 0, 1)] {
        budget.change(percent, min);
        assert_eq!(budget.left(at(&budget, 2)), left, "{percent} % or {min}");
    }
    assert_eq!(spend_all(&budget, at(&budget, 3)), 1);
}

#[test]
fn racers_spend_no_more_than_there_is() {
    let (budget, spent) = (RetryBudget::new(10, 0), AtomicU64::new(0));
    let racer = || {
        for millis in (0..5_000).step_by(5) {
            let now = budget.base + Duration::from_millis(millis);
            budget.request(now);
            spent.fetch_add(u64::from(budget.try_spend(now)), Ordering::SeqCst);
        }
    };
    std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(racer))));
    assert_eq!(spent.into_inner(), 800, "a tenth of what eight racers asked for");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Counted anew each time from all that ever happened.
    #[test]
    fn it_allows_what_the_last_ten_seconds_allow(
        (percent, min) in (0_u32..300, 0_u32..5),
        events in prop::collection::vec((0_u64..3, any::<bool>()), 0..200),
    ) {
        let budget = RetryBudget::new(percent, min);
        let (mut second, mut requests, mut spent) = (0, Vec::new(), Vec::new());
        for (pause, is_request) in events {
            second += pause;
            let recent = |all: &[u64]| all.iter().filter(|at| **at + 10 > second).count() as u64;
            let allowed = (recent(&requests) * u64::from(percent) / 100).max(u64::from(min));
            let left = allowed.saturating_sub(recent(&spent));
            let now = at(&budget, second);
            prop_assert_eq!(budget.left(now), left);
            if is_request {
                budget.request(now);
                requests.push(second);
            } else {
                prop_assert_eq!(budget.try_spend(now), left > 0);
                spent.extend((left > 0).then_some(second));
            }
        }
    }
}
