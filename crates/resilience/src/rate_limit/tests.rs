use super::*;
use proptest::prelude::*;
use std::sync::atomic::AtomicU32;

/// One call a second, three of which may come at once.
fn limit() -> (RateLimit, Instant) {
    let limit = RateLimit::per_minute(60, 3);
    let base = limit.base;
    (limit, base)
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn a_burst_passes_and_then_one_call_per_interval() {
    let (limit, now) = limit();
    for _ in 0..3 {
        assert_eq!(limit.check(now), Ok(()));
    }
    assert_eq!(limit.check(now), Err(seconds(1.0)));
    assert_eq!(limit.check(now + seconds(0.4)), Err(seconds(0.6)));
    assert_eq!(limit.check(now + seconds(1.0)), Ok(()), "just when it said");
    assert_eq!(limit.check(now + seconds(1.0)), Err(seconds(1.0)));
}

#[test]
fn time_without_calls_saves_up_no_more_than_the_burst() {
    let (limit, now) = limit();
    let later = now + seconds(86_400.0);
    let passed = (0..100).filter(|_| limit.check(later).is_ok()).count();
    assert_eq!(passed, 3);
}

#[test]
fn looking_and_being_refused_count_nothing() {
    let (limit, now) = limit();
    (0..3).for_each(|_| limit.check(now).unwrap());
    for _ in 0..100 {
        assert_eq!(limit.wait(1, now), seconds(1.0));
        assert_eq!(limit.check(now), Err(seconds(1.0)));
    }
    assert_eq!(limit.wait(1, now + seconds(1.0)), Duration::ZERO);
    assert_eq!(limit.check(now + seconds(1.0)), Ok(()));
}

#[test]
fn a_limit_of_nothing_is_one_a_minute() {
    let limit = RateLimit::per_minute(0, 0);
    assert_eq!(limit.check(limit.base), Ok(()));
    assert_eq!(limit.check(limit.base), Err(seconds(60.0)));
}

#[test]
fn no_number_is_too_large() {
    for calls in [1, u32::MAX] {
        let limit = RateLimit::per_minute(calls, u32::MAX);
        assert_eq!(limit.check(limit.base), Ok(()));
        assert!(limit.left(limit.base) > 300_000_000);
    }
}

#[test]
fn a_clock_that_was_read_before_the_base_counts_as_the_base() {
    let early = Instant::now();
    let limit = RateLimit::per_minute(60, 1);
    assert_eq!(limit.check(early), Ok(()));
    assert!(limit.check(early).is_err());
}

#[test]
fn a_call_that_is_larger_than_the_burst_waits_for_all_of_it() {
    let (limit, now) = limit();
    drop(limit.take(1, now).unwrap());
    assert_eq!(limit.take(1_000, now).unwrap_err(), seconds(1.0));
    assert!(limit.take(1_000, now + seconds(1.0)).is_ok());
    assert_eq!(limit.left(now + seconds(1.0)), 0);
    assert_eq!(limit.wait(1, now + seconds(1.0)), seconds(1.0));
}

#[test]
fn what_a_call_has_not_cost_is_given_back_and_what_it_has_beyond_is_a_debt() {
    let (limit, now) = limit();
    let taken = limit.take(3, now).unwrap();
    limit.settle(taken, 1, now);
    assert_eq!((limit.left(now), limit.wait(2, now)), (2, Duration::ZERO));
    let taken = limit.take(2, now).unwrap();
    limit.settle(taken, 6, now);
    assert_eq!(limit.wait(1, now), seconds(5.0), "four of debt, and one");
    assert_eq!(limit.wait(0, now), seconds(4.0));
    assert_eq!(
        limit.take(0, now).unwrap_err(),
        seconds(4.0),
        "nothing passes with a debt"
    );
    assert!(limit.take(0, now + seconds(4.0)).is_ok());
}

#[test]
fn what_is_given_back_late_saves_up_no_more_than_the_burst() {
    let (limit, now) = limit();
    let taken = limit.take(3, now).unwrap();
    let later = now + seconds(60.0);
    limit.settle(taken, 0, later);
    assert_eq!((limit.left(later), limit.wait(3, later)), (3, Duration::ZERO));
    assert!((0..10).filter(|_| limit.check(later).is_ok()).count() == 3);
}

#[test]
fn a_worker_that_tells_nonsense_is_not_away_for_ever() {
    let (limit, now) = limit();
    for cost in [u64::MAX, u64::MAX / 2, 1_000_000] {
        let taken = limit.take(0, now + seconds(3_600.0));
        assert!(taken.is_ok() || cost < u64::MAX, "{cost}");
        if let Ok(taken) = taken {
            limit.settle(taken, cost, now);
        }
        assert_eq!(limit.wait(0, now), seconds(3_600.0));
    }
}

#[test]
fn racers_pass_no_more_often_than_is_allowed() {
    for burst in [1, 7, 100] {
        let limit = RateLimit::per_minute(6_000, burst);
        let (passed, end) = (AtomicU32::new(0), limit.base + seconds(1.0));
        let racer = || {
            for millis in (0..=1_000).step_by(10) {
                let now = limit.base + Duration::from_millis(millis);
                for _ in 0..5 {
                    passed.fetch_add(u32::from(limit.check(now).is_ok()), Ordering::SeqCst);
                }
            }
        };
        std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(racer))));
        let passed = passed.into_inner();
        assert!(passed <= 100 + burst, "{passed} of {burst} and 100");
        assert!(passed >= 100, "{passed}: whoever keeps to the rate is let through");
        assert!(!limit.wait(1, end).is_zero());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The same as a leaky bucket that holds the burst and is filled at the rate; what is refused passes after the wait
    /// that it was told, and no earlier.
    #[test]
    fn it_is_a_bucket_that_is_filled_at_the_rate(
        burst in 1_u32..10,
        pauses in prop::collection::vec(0_u64..3_000, 0..100),
    ) {
        let limit = RateLimit::per_minute(60, burst);
        // In thousandths of a call, which is what a millisecond fills in.
        let (size, mut level) = (i64::from(burst) * 1_000, i64::from(burst) * 1_000);
        let mut now = limit.base;
        for pause in pauses {
            now += Duration::from_millis(pause);
            level = (level + pause as i64).min(size);
            let wait = Duration::from_millis(u64::try_from(1_000 - level).unwrap_or(0));
            prop_assert_eq!(limit.left(now) as i64, level / 1_000);
            prop_assert_eq!(limit.wait(1, now), wait);
            prop_assert_eq!(limit.check(now).err().unwrap_or_default(), wait);
            if wait.is_zero() {
                level -= 1_000;
            }
        }
    }

    /// Over any time no more is taken than the rate allows, and the burst, and what the calls that ran together cost beyond
    /// what they took.
    #[test]
    fn what_calls_have_cost_keeps_to_the_rate(
        calls in prop::collection::vec((0_u64..4_000, 0_u64..12, 0_u64..20, 0_usize..4), 1..60),
    ) {
        let limit = RateLimit::per_minute(60, 10);
        let (mut now, mut running, mut counted) = (limit.base, Vec::new(), vec![(limit.base, 0_i64)]);
        let (mut most, mut beyond) = (0, 0);
        let settle = |(taken, estimate, cost): (Taken, u64, u64), now, counted: &mut Vec<_>| {
            limit.settle(taken, cost, now);
            counted.push((now, cost as i64 - estimate.min(10) as i64));
        };
        for (pause, estimate, cost, together) in calls {
            now += Duration::from_millis(pause);
            while running.len() > together {
                settle(running.remove(0), now, &mut counted);
            }
            if let Ok(taken) = limit.take(estimate, now) {
                counted.push((now, estimate.min(10) as i64));
                running.push((taken, estimate, cost));
                beyond = beyond.max(cost.saturating_sub(estimate.min(10)) as i64);
            }
            most = most.max(running.len() as i64);
        }
        running.into_iter().for_each(|call| settle(call, now, &mut counted));
        for (at, (began, _)) in counted.iter().enumerate() {
            let mut sum = 0;
            for (ended, cost) in &counted[at..] {
                sum += cost;
                let by_rate = (*ended - *began).as_secs_f64();
                prop_assert!(sum as f64 <= by_rate + 10.0 + (most * beyond) as f64 + 1e-6, "{sum} in {by_rate} s");
            }
        }
        prop_assert!(limit.wait(0, now) <= Duration::from_secs((most * beyond) as u64));
        prop_assert!(limit.take(100, now + Duration::from_secs((most * beyond + 10) as u64)).is_ok(), "it is worked off");
    }
}
