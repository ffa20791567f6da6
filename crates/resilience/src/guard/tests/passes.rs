//! What a guard shows, what it refuses, and what operators do with it.

use super::*;
use expect_test::expect;

fn by_a_rate() -> Config {
    Config {
        circuit_breaker_threshold: 0,
        failure_rate: 0.5,
        min_calls: 4,
        circuit_breaker_timeout_s: 10,
        ..Config::default()
    }
}

fn calls(guard: &Guard, good: usize, bad: usize) {
    for _ in 0..good {
        guard.try_admit(Pass::Usual).unwrap().first_token();
    }
    for _ in 0..bad {
        fail(guard);
    }
}

fn history(guard: &Guard, began: Instant) -> String {
    let line = |change: &Change| {
        let at = (change.at - began).as_secs_f64();
        format!(
            "{at:<5.1} {} -> {}: {}\n",
            change.from.as_str(),
            change.to.as_str(),
            change.cause.as_str()
        )
    };
    guard.history().iter().map(line).collect()
}

#[tokio::test(start_paused = true)]
async fn a_view_tells_all_of_a_worker_and_changes_nothing() {
    let (guard, _) = guard(by_a_rate(), 4);
    let view = || guard.view(Instant::now());
    let fresh = View {
        state: State::Closed,
        cause: None,
        due: Duration::ZERO,
        rest: Duration::ZERO,
        rate_limited: Duration::ZERO,
        running: 0,
        free: 4,
        warmth: 1.0,
        failure_rate: 0.0,
    };
    assert_eq!(view(), fresh);
    let mut running = guard.try_admit(Pass::Usual).unwrap();
    calls(&guard, 2, 2);
    let open = view();
    assert_eq!((open.state, open.cause), (State::Open, Some(Cause::FailureRate)));
    assert_eq!((open.running, open.free, open.failure_rate), (1, 3, 0.5));
    assert!((9..=11).contains(&open.due.as_secs()));
    tokio::time::advance(open.due).await;
    let half_open = view();
    assert_eq!((half_open.state, half_open.due), (State::HalfOpen, Duration::ZERO));
    assert_eq!((half_open.free, half_open.warmth), (3, 0.1));
    let _probe = guard.try_admit(Pass::Usual).unwrap();
    assert_eq!((view().running, view().free), (2, 2), "two slots and two places");
    running.failed(limited(7));
    drop(running);
    assert_eq!(
        (view().rest, view().free),
        (Duration::from_secs(7), 2),
        "three slots, but two places"
    );
    assert_eq!(view(), view());
}

#[tokio::test(start_paused = true)]
async fn who_finds_all_slots_taken_is_refused_at_once() {
    let (guard, _) = guard(quick(), 2);
    let held = [(); 2].map(|()| guard.try_admit(Pass::Usual).unwrap());
    assert_eq!(refused(&guard), Refusal::Full);
    drop(held);
    assert!(guard.try_admit(Pass::Usual).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_rest_holds_for_every_pass() {
    let (guard, _) = guard(by_a_rate(), 4);
    guard.try_admit(Pass::Usual).unwrap().failed(limited(7));
    for pass in [Pass::Usual, Pass::AsClosed, Pass::EarlyProbe] {
        assert_eq!(refusal(&guard, pass), Refusal::Resting(Duration::from_secs(7)));
    }
}

/// A server that asks for a day, or for longer than a clock goes, is asked again in a minute.
#[tokio::test(start_paused = true)]
async fn no_worker_rests_for_longer_than_a_minute() {
    for asked in [86_400, u64::MAX] {
        let (guard, _) = guard(quick(), 4);
        guard.try_admit(Pass::Usual).unwrap().failed(limited(asked));
        assert_eq!(refused(&guard), Refusal::Resting(Duration::from_secs(60)));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(guard.try_admit(Pass::Usual).is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_a_rate_has_opened_can_be_called_as_if_it_were_closed() {
    let (guard, _) = guard(by_a_rate(), 4);
    calls(&guard, 2, 2);
    assert!(matches!(refused(&guard), Refusal::Open(_)));
    for _ in 0..10 {
        guard.try_admit(Pass::AsClosed).unwrap().first_token();
        guard.try_admit(Pass::AsClosed).unwrap().failed(broken());
    }
    assert_eq!((guard.state(), guard.slots().taken()), (State::Open, 0));
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_429s_are_too_many_is_left_alone() {
    let config = Config {
        rate_limit_rate: 0.5,
        ..by_a_rate()
    };
    let (guard, _) = guard(config, 4);
    calls(&guard, 2, 0);
    for _ in 0..2 {
        guard.try_admit(Pass::Usual).unwrap().failed(limited(0));
    }
    assert_eq!(guard.view(Instant::now()).cause, Some(Cause::RateLimitRate));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_too_slow_is_left_alone_also_if_nobody_waits_for_it() {
    for patient in [true, false] {
        let config = Config {
            latency_p95_ms: 6_000,
            ..by_a_rate()
        };
        let (guard, _) = guard(config, 4);
        for _ in 0..4 {
            let mut permit = guard.try_admit(Pass::Usual).unwrap();
            tokio::time::advance(Duration::from_secs(6)).await;
            if patient {
                permit.first_token();
            }
        }
        assert_eq!(
            guard.view(Instant::now()).cause,
            Some(Cause::Latency),
            "patient: {patient}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn how_long_an_answer_goes_on_is_no_latency() {
    let config = Config {
        latency_p95_ms: 6_000,
        ..by_a_rate()
    };
    let (guard, _) = guard(config, 4);
    for _ in 0..10 {
        let mut permit = guard.try_admit(Pass::Usual).unwrap();
        permit.first_token();
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    assert_eq!(guard.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn only_calls_that_are_let_through_count_against_the_rate() {
    let config = Config {
        requests_per_minute: 60,
        requests_burst: 2,
        ..quick()
    };
    let (guard, _) = guard(config, 3);
    let second = Duration::from_secs(1);
    assert_eq!(
        guard.view(Instant::now()).free,
        2,
        "no more than the limit lets through"
    );
    guard.set_max_concurrent(1);
    let only = guard.try_admit(Pass::Usual).unwrap();
    for _ in 0..10 {
        assert_eq!(refused(&guard), Refusal::Full);
    }
    drop(only);
    drop(guard.try_admit(Pass::Usual).unwrap());
    assert_eq!(refused(&guard), Refusal::RateLimited(second));
    let view = guard.view(Instant::now());
    assert_eq!((view.rate_limited, view.free, view.running), (second, 0, 0));
    tokio::time::advance(second).await;
    let view = guard.view(Instant::now());
    assert_eq!((view.rate_limited, view.free), (Duration::ZERO, 1));
    assert!(guard.try_admit(Pass::Usual).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_the_rate_refuses_takes_no_place() {
    let config = Config {
        requests_per_minute: 60,
        requests_burst: 2,
        half_open_probes: 1,
        ..quick()
    };
    let (guard, _) = guard(config, 4);
    calls(&guard, 0, 2);
    tokio::time::advance(Duration::from_secs(12)).await;
    for _ in 0..2 {
        drop(guard.try_admit(Pass::Usual).unwrap());
    }
    assert!(matches!(refused(&guard), Refusal::RateLimited(_)));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(guard.try_admit(Pass::Usual).is_ok(), "its one place is free");
}

#[tokio::test(start_paused = true)]
async fn operators_open_and_close_a_breaker_and_its_history_tells_it() {
    let ((guard, registry), began) = (guard(quick(), 4), Instant::now());
    guard.reset();
    assert_eq!(history(&guard, began), "", "it was closed");
    guard.force_open(Duration::from_secs(30));
    assert_eq!(
        refusal(&guard, Pass::EarlyProbe),
        Refusal::Open(Duration::from_secs(30))
    );
    guard.reset();
    calls(&guard, 0, 2);
    drop(guard.try_admit(Pass::EarlyProbe).unwrap());
    guard.try_admit(Pass::EarlyProbe).unwrap().first_token();
    fail(&guard);
    tokio::time::advance(Duration::from_secs(30)).await;
    calls(&guard, 2, 0);
    expect![[r#"
        0.0   closed -> open: forced
        0.0   open -> closed: reset
        0.0   closed -> open: failures_in_row
        0.0   open -> half_open: early_probe
        0.0   half_open -> open: probe_failed
        30.0  open -> half_open: elapsed
        30.0  half_open -> closed: probes_served
    "#]]
    .assert_eq(&history(&guard, began));
    for change in guard.history() {
        let name = "orchestrator_breaker_transitions_total";
        assert_eq!(shown(&registry, name, change.cause.as_str()), 1.0, "{change:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_has_at_least_one_slot() {
    for adaptive_concurrency in [false, true] {
        let config = Config {
            adaptive_concurrency,
            ..quick()
        };
        let (guard, _) = guard(config, 0);
        assert_eq!((guard.slots().max(), guard.slots().free()), (1, 1));
        let mut only = guard.try_admit(Pass::Usual).unwrap();
        assert_eq!(refused(&guard), Refusal::Full);
        only.first_token();
        drop(only);
        assert_eq!((guard.slots().max(), guard.slots().taken()), (1, 0));
        assert!(guard.try_admit(Pass::Usual).is_ok());
    }
}

/// A worker that answers five calls at once in a tenth of a second each, and more of them more slowly.
#[tokio::test(start_paused = true)]
async fn with_adaptive_concurrency_the_slots_are_as_many_as_the_worker_takes() {
    let config = Config {
        adaptive_concurrency: true,
        ..quick()
    };
    let (guard, _) = guard(config, 95);
    assert_eq!(guard.slots().max(), 1);
    for _ in 0..300 {
        let mut round: Vec<Permit> = std::iter::from_fn(|| guard.try_admit(Pass::Usual).ok()).collect();
        tokio::time::advance(Duration::from_millis(20 * round.len().max(5) as u64)).await;
        round.iter_mut().for_each(Permit::first_token);
    }
    let found = guard.slots().max();
    assert!((5..=16).contains(&found), "{found}");
    let mut late = guard.try_admit(Pass::Usual).unwrap();
    late.failed(Failure::new(Code::FirstTokenTimeout, "nothing came"));
    assert!(guard.slots().max() < found);
}

/// Whole answers take as long as they are long.
#[tokio::test(start_paused = true)]
async fn how_long_whole_answers_take_neither_opens_the_breaker_nor_lowers_the_limit() {
    let config = Config {
        adaptive_concurrency: true,
        latency_p95_ms: 6_000,
        ..by_a_rate()
    };
    let (guard, _) = guard(config, 40);
    for round in 0..60_u64 {
        let mut round_of: Vec<Permit> = std::iter::from_fn(|| guard.try_admit(Pass::Usual).ok()).collect();
        round_of.iter_mut().for_each(Permit::of_whole_answer);
        tokio::time::advance(Duration::from_secs(1 + 20 * (round % 2))).await;
        // One of them is given up.
        round_of.iter_mut().skip(1).for_each(Permit::first_token);
        if round_of.len() == 1 {
            round_of.iter_mut().for_each(Permit::first_token);
        }
    }
    assert_eq!((guard.state(), guard.slots().max()), (State::Closed, 40));
    guard.try_admit(Pass::Usual).unwrap().failed(limited(0));
    assert_eq!(guard.slots().max(), 36, "a 429 lowers it");
}

#[tokio::test(start_paused = true)]
async fn whole_answers_do_not_outweigh_what_streams_say() {
    let config = Config {
        adaptive_concurrency: true,
        ..quick()
    };
    let (guard, _) = guard(config, 95);
    for _ in 0..300 {
        let mut round: Vec<Permit> = std::iter::from_fn(|| guard.try_admit(Pass::Usual).ok()).collect();
        round.iter_mut().step_by(2).skip(1).for_each(Permit::of_whole_answer);
        tokio::time::advance(Duration::from_millis(20 * round.len().max(5) as u64)).await;
        round.iter_mut().for_each(Permit::first_token);
    }
    let found = guard.slots().max();
    assert!((5..=16).contains(&found), "{found}");
}
