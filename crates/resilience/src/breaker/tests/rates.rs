//! What the last calls came to opens it as well.

use super::*;

fn by_rates() -> Config {
    Config {
        circuit_breaker_threshold: 0,
        failure_rate: 0.5,
        window_calls: 20,
        window_s: 60,
        min_calls: 4,
        ..config()
    }
}

fn timed(world: &mut World, millis: u64, outcome: Outcome) {
    let call = world.begin();
    let wait = Some(Duration::from_millis(millis));
    world.breaker.end(call, (outcome, wait), world.now, &mut world.rng);
}

/// Which cause opens it, and after how many of these calls.
fn opens(config: Config, calls: &[Outcome]) -> Option<(usize, Cause)> {
    let mut world = World::new(config);
    for (nth, outcome) in calls.iter().enumerate() {
        world.call(*outcome);
        if world.state() == State::Open {
            return world.last().map(|cause| (nth + 1, cause));
        }
    }
    None
}

#[test]
fn a_rate_opens_it_at_its_threshold_with_enough_calls() {
    let limited = Config {
        rate_limit_rate: 0.25,
        ..by_rates()
    };
    let (failures, limits) = (Some((4, Cause::FailureRate)), Some((4, Cause::RateLimitRate)));
    for (name, config, calls, expected) in [
        (
            "just at it",
            by_rates(),
            &[Success, Success, Failure, Failure][..],
            failures,
        ),
        (
            "below it",
            by_rates(),
            &[Success, Success, Failure, Success, Failure],
            None,
        ),
        ("too few calls", by_rates(), &[Failure, Failure, Failure], None),
        (
            "a success makes them enough",
            by_rates(),
            &[Failure, Failure, Failure, Success],
            failures,
        ),
        (
            "neutral calls are none",
            by_rates(),
            &[Failure, Neutral, Failure, GivenUp, Failure],
            None,
        ),
        (
            "429s do not hide failures",
            by_rates(),
            &[
                RateLimited,
                RateLimited,
                RateLimited,
                RateLimited,
                RateLimited,
                Failure,
                Failure,
                Failure,
                Success,
            ],
            Some((9, Cause::FailureRate)),
        ),
        ("429s are no failures", by_rates(), &[RateLimited; 100], None),
        (
            "429s at their threshold",
            limited.clone(),
            &[Success, Success, RateLimited, Success],
            limits,
        ),
        (
            "429s below theirs",
            limited,
            &[Success, Success, Success, Success, RateLimited],
            None,
        ),
    ] {
        assert_eq!(opens(config, calls), expected, "{name}");
    }
}

#[test]
fn more_calls_than_it_looks_at_are_never_asked_for() {
    let config = Config {
        window_calls: 3,
        min_calls: 1_000,
        ..by_rates()
    };
    assert_eq!(opens(config, &[Failure; 3]), Some((3, Cause::FailureRate)));
}

#[test]
fn calls_that_are_too_old_or_too_many_ago_are_forgotten() {
    let mut world = World::new(by_rates());
    world.calls(&[Failure, Failure, Failure]);
    world.pass(60.001);
    world.calls(&[Failure, Success, Success]);
    assert_eq!(world.state(), State::Closed, "the first three are older than a minute");
    world.calls(&[Success; 20]);
    assert_eq!(world.breaker.failure_rate(world.now), 0.0, "twenty calls later");
}

#[test]
fn one_slow_call_in_twenty_is_no_slow_worker_and_two_are() {
    let config = Config {
        latency_p95_ms: 1_000,
        ..by_rates()
    };
    let mut world = World::new(config.clone());
    (0..19).for_each(|_| timed(&mut world, 999, Success));
    timed(&mut world, 1_000, Success);
    assert_eq!(world.state(), State::Closed, "the nineteenth of twenty is fast");
    timed(&mut world, 1_000, Success);
    assert_eq!((world.state(), world.last()), (State::Open, Some(Cause::Latency)));
    let mut world = World::new(config);
    (0..4).for_each(|_| timed(&mut world, 5_000, GivenUp));
    assert_eq!(
        world.last(),
        Some(Cause::Latency),
        "whoever waited in vain has waited too"
    );
}

#[test]
fn latency_that_nobody_asks_for_opens_nothing() {
    let mut world = World::new(by_rates());
    (0..100).for_each(|_| timed(&mut world, 3_600_000, Success));
    assert_eq!(world.state(), State::Closed);
}

#[test]
fn every_change_empties_window_and_row() {
    let mut world = World::new(Config {
        circuit_breaker_threshold: 3,
        failure_rate: 0.5,
        min_calls: 4,
        ..config()
    });
    world.calls(&[Failure, Failure, Success, Failure]);
    assert_eq!(world.last(), Some(Cause::FailureRate));
    world.pass(12.0);
    world.calls(&[Success, Success]);
    assert_eq!(
        (world.state(), world.breaker.failure_rate(world.now)),
        (State::Closed, 0.0)
    );
    world.calls(&[Failure, Failure]);
    world.breaker.reset(world.now);
    world.calls(&[Failure, Failure]);
    assert_eq!(world.state(), State::Closed);
}

#[test]
fn while_it_is_not_closed_its_failure_rate_is_the_one_from_before_and_worse_with_each_failed_probe() {
    let mut world = World::new(by_rates());
    world.calls(&[Success, Failure, Success, Failure]);
    let mut rates = vec![world.breaker.failure_rate(world.now)];
    for _ in 0..2 {
        world.pass(60.0);
        world.call(Failure);
        rates.push(world.breaker.failure_rate(world.now));
    }
    assert_eq!(rates, [0.5, 0.75, 0.875]);
    world.pass(60.0);
    world.calls(&[Success, Success]);
    assert_eq!(world.breaker.failure_rate(world.now), 0.0);
}
