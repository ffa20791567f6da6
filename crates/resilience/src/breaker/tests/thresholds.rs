//! Thresholds that follow what is usual of a worker.

use super::*;

/// Only the failure rate opens it, at a half or at what follows.
fn follows(adaptive_thresholds: bool) -> Config {
    Config {
        circuit_breaker_threshold: 0,
        failure_rate: 0.5,
        rate_limit_rate: 0.4,
        latency_p95_ms: 1_000,
        adaptive_thresholds,
        ..Config::default()
    }
}

/// One call every half second, of each hundred so many failures; as long as it is closed, at most so many.
fn live(world: &mut World, calls: u32, percent: u32) -> u32 {
    for nth in 0..calls {
        if world.state() == State::Open {
            return nth;
        }
        let fails = (nth + 1) * percent / 100 > nth * percent / 100;
        world.call(if fails { Failure } else { Success });
        world.pass(0.5);
    }
    calls
}

fn thresholds(world: &World) -> Thresholds {
    world.breaker.thresholds(world.now)
}

#[test]
fn a_worker_that_was_always_good_is_found_out_sooner() {
    for (adaptive, opens) in [(false, false), (true, true)] {
        let mut world = World::new(follows(adaptive));
        assert_eq!(live(&mut world, 5_000, 1), 5_000);
        let lived = live(&mut world, 200, 40);
        assert_eq!(lived < 60, opens, "after {lived} calls");
    }
}

#[test]
fn a_worker_that_is_no_worse_than_always_is_spared() {
    for (adaptive, opens) in [(false, true), (true, false)] {
        let mut world = World::new(follows(adaptive));
        live(&mut world, 5_000, 40);
        assert_eq!(live(&mut world, 1_000, 60) < 1_000, opens);
    }
}

/// Each goes on for a day: 5 minutes closed at the most, then so bad that it opens.
#[test]
fn an_outage_does_not_become_usual() {
    let mut world = World::new(follows(true));
    live(&mut world, 5_000, 0);
    for outage in 0..20 {
        assert!(live(&mut world, 50, 100) < 25, "outage {outage}");
        for _ in 0..20 {
            world.pass(400.0);
            world.call(Failure);
            assert_eq!(world.state(), State::Open, "a probe has failed");
        }
        world.pass(400.0);
        (0..2).for_each(|_| world.call(Success));
        assert_eq!(world.state(), State::Closed);
        assert!(thresholds(&world).failure_rate <= 0.5, "{:?}", thresholds(&world));
        live(&mut world, 500, 0);
    }
}

#[test]
fn what_happens_while_it_is_not_closed_is_not_learned() {
    let mut world = World::new(follows(true));
    live(&mut world, 5_000, 10);
    let mut idle = World {
        breaker: world.breaker.clone(),
        now: world.now,
        rng: world.rng.clone(),
    };
    let calls: Vec<_> = (0..200).map(|_| world.begin()).collect();
    for call in calls {
        world.end(call, Failure);
    }
    assert_eq!(world.state(), State::Open);
    // Half-open for longer than the window goes back, with calls that say nothing for or against it.
    for _ in 0..300 {
        world.pass(400.0);
        world.call(RateLimited);
    }
    idle.now = world.now;
    assert_eq!(
        (world.state(), thresholds(&world)),
        (State::HalfOpen, thresholds(&idle))
    );
}

#[test]
fn a_first_token_is_slow_by_the_threshold_in_force() {
    let mut world = World::new(follows(true));
    let timed = |world: &mut World, millis| {
        let (call, wait) = (world.begin(), Duration::from_millis(millis));
        world
            .breaker
            .end(call, (Success, Some(wait)), world.now, &mut world.rng);
        world.pass(0.5);
    };
    (0..5_000).for_each(|_| timed(&mut world, 100));
    assert!(thresholds(&world).latency_p95 < Duration::from_millis(600));
    (0..10).for_each(|_| match world.state() {
        State::Closed => timed(&mut world, 700),
        _ => world.pass(0.1),
    });
    assert_eq!((world.state(), world.last()), (State::Open, Some(Cause::Latency)));
}

fn any_calls() -> impl Strategy<Value = Vec<(Outcome, u64, f64)>> {
    let outcome = prop::sample::select(vec![Success, Failure, RateLimited, GivenUp, Neutral]);
    prop::collection::vec((outcome, 0_u64..3_000, 0.0..90.0), 0..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn they_are_the_fixed_ones_when_that_is_off(calls in any_calls()) {
        let config = follows(false);
        let mut world = World::new(config.clone());
        for (outcome, millis, pause) in calls {
            if let Ok(call) = world.admit() {
                let wait = Some(Duration::from_millis(millis));
                world.breaker.end(call, (outcome, wait), world.now, &mut world.rng);
            }
            world.pass(pause);
            prop_assert_eq!(thresholds(&world), Thresholds::fixed(&config));
        }
    }

    #[test]
    fn a_steady_rate_below_does_not_open_it_and_a_jump_does(percent in 0_u32..35) {
        let mut world = World::new(follows(true));
        prop_assert_eq!(live(&mut world, 4_000, percent), 4_000);
        prop_assert!(live(&mut world, 100, percent + 35) < 100, "{:?}", thresholds(&world));
    }
}
