//! Calls that pass an open breaker, operators who move it, and the time after it has closed.

use super::*;

fn opened_by_a_rate() -> World {
    let mut world = World::new(Config {
        failure_rate: 0.5,
        min_calls: 4,
        ..config()
    });
    world.calls(&[Failure, Failure, Success, Failure]);
    assert_eq!(world.breaker.cause(), Some(Cause::FailureRate));
    world
}

fn ask(world: &mut World, pass: Pass) -> Result<Grant, Refusal> {
    world.breaker.admit(pass, world.now)
}

#[test]
fn only_what_a_rate_has_opened_can_be_treated_as_closed() {
    let mut world = opened_by_a_rate();
    assert!(matches!(world.admit(), Err(Refusal::Open(_))));
    let calls: Vec<_> = (0..50).map(|_| ask(&mut world, Pass::AsClosed).unwrap()).collect();
    for (nth, mut call) in calls.into_iter().enumerate() {
        world.hear(&mut call);
        world.end(call, if nth % 2 == 0 { Success } else { Failure });
    }
    assert_eq!(world.state(), State::Open, "what they come to counts for nothing");
    let mut world = World::open(config());
    assert!(matches!(ask(&mut world, Pass::AsClosed), Err(Refusal::Open(_))));
}

#[test]
fn a_failed_probe_does_not_end_the_leniency_for_what_a_rate_has_opened() {
    let mut world = opened_by_a_rate();
    world.pass(12.0);
    world.call(Failure);
    assert_eq!((world.state(), world.last()), (State::Open, Some(Cause::ProbeFailed)));
    assert!(ask(&mut world, Pass::AsClosed).is_ok());
}

#[test]
fn a_half_open_breaker_has_its_places_for_whoever_comes() {
    for pass in [Pass::Usual, Pass::AsClosed, Pass::EarlyProbe] {
        let mut world = opened_by_a_rate();
        world.pass(12.0);
        let probes: Vec<_> = (0..9).filter_map(|_| ask(&mut world, pass).ok()).collect();
        assert_eq!(probes.len(), 2, "{pass:?}");
        assert_eq!(ask(&mut world, pass), Err(Refusal::NoProbePlace));
    }
}

#[test]
fn a_closed_breaker_lets_everybody_through() {
    let mut world = World::new(config());
    for pass in [Pass::Usual, Pass::AsClosed, Pass::EarlyProbe] {
        assert!(ask(&mut world, pass).is_ok());
    }
}

#[test]
fn an_early_probe_that_is_served_makes_it_half_open_and_one_that_is_not_changes_nothing() {
    let mut world = World::open(config());
    let wait = world.wait();
    for outcome in [Failure, Neutral, GivenUp, RateLimited] {
        let probe = ask(&mut world, Pass::EarlyProbe).unwrap();
        world.end(probe, outcome);
        assert_eq!((world.state(), world.wait()), (State::Open, wait), "{outcome:?}");
    }
    let mut probe = ask(&mut world, Pass::EarlyProbe).unwrap();
    world.hear(&mut probe);
    assert_eq!(
        (world.state(), world.last()),
        (State::HalfOpen, Some(Cause::EarlyProbe))
    );
    world.end(probe, Success);
    world.call(Success);
    assert_eq!(world.state(), State::HalfOpen, "it has earned no credit beyond that");
    world.call(Success);
    assert_eq!(world.state(), State::Closed);
}

#[test]
fn early_probes_are_no_more_than_there_are_places() {
    let mut world = World::open(config());
    let [one, _two] = [(); 2].map(|()| ask(&mut world, Pass::EarlyProbe).unwrap());
    assert_eq!(ask(&mut world, Pass::EarlyProbe), Err(Refusal::NoProbePlace));
    world.end(one, Neutral);
    assert!(ask(&mut world, Pass::EarlyProbe).is_ok());
}

#[test]
fn an_early_probe_that_ends_after_the_clock_has_made_it_half_open_counts_for_no_place() {
    let mut world = World::open(config());
    let early = ask(&mut world, Pass::EarlyProbe).unwrap();
    world.pass(12.0);
    let _probes = (world.begin(), world.begin());
    world.end(early, Failure);
    assert_eq!(
        (world.state(), world.admit()),
        (State::HalfOpen, Err(Refusal::NoProbePlace))
    );
}

#[test]
fn an_early_probe_that_is_heard_after_the_clock_has_made_it_half_open_counts_for_nothing() {
    for with_another in [false, true] {
        let mut world = World::open(config());
        let mut early = ask(&mut world, Pass::EarlyProbe).unwrap();
        world.pass(12.0);
        let _probe = with_another.then(|| world.begin());
        world.hear(&mut early);
        assert_eq!((world.state(), world.last()), (State::HalfOpen, Some(Cause::Elapsed)));
        world.end(early, Success);
        world.call(Success);
        assert_eq!(world.state(), State::HalfOpen);
        world.call(Success);
        assert_eq!(
            (world.state(), world.last()),
            (State::Closed, Some(Cause::ProbesServed))
        );
    }
}

#[test]
fn an_operator_opens_it_for_just_so_long_and_no_early_probe_ends_that() {
    for mut world in [World::new(config()), World::open(config()), World::half_open(config())] {
        world.breaker.force_open(world.now, Duration::from_secs(3_600));
        assert_eq!((world.state(), world.last()), (State::Open, Some(Cause::Forced)));
        for pass in [Pass::Usual, Pass::AsClosed, Pass::EarlyProbe] {
            assert_eq!(ask(&mut world, pass), Err(Refusal::Open(Duration::from_secs(3_600))));
        }
        world.pass(3_600.0);
        world.call(Failure);
        let wait = world.wait().as_secs_f64();
        assert!((18.0..=22.0).contains(&wait), "{wait} is twice the usual time");
        assert_eq!(world.breaker.cause(), Some(Cause::ProbeFailed));
        assert!(ask(&mut world, Pass::EarlyProbe).is_ok(), "the operator's time is over");
    }
}

#[test]
fn an_operator_can_open_it_for_longer_than_clocks_go() {
    let mut world = World::new(config());
    world.breaker.force_open(world.now, Duration::MAX);
    world.pass(86_400.0 * 364.0);
    assert_eq!(world.state(), State::Open);
}

#[test]
fn an_operator_closes_it_while_probes_are_on_their_way() {
    let mut world = World::half_open(config());
    let [mut one, two] = [(); 2].map(|()| world.begin());
    world.breaker.reset(world.now);
    assert_eq!((world.state(), world.last()), (State::Closed, Some(Cause::Reset)));
    world.hear(&mut one);
    world.end(one, Failure);
    world.end(two, Failure);
    world.calls(&[Failure, Failure]);
    assert_eq!(world.state(), State::Closed, "the probes are of another epoch");
    world.breaker.reset(world.now);
    world.call(Failure);
    assert_eq!(world.state(), State::Closed, "a reset begins the row anew");
}

#[test]
fn after_closing_it_warms_up_in_a_straight_line() {
    let mut world = World::new(config());
    assert_eq!(world.breaker.warmth(world.now), 1.0, "it never was open");
    world.calls(&[Failure; 3]);
    world.pass(12.0);
    assert_eq!(world.breaker.warmth(world.now), 0.1);
    world.calls(&[Success, Success]);
    let mut warm = Vec::new();
    for _ in 0..6 {
        warm.push((world.breaker.warmth(world.now) * 100.0).round());
        world.pass(2.5);
    }
    assert_eq!(warm, [10.0, 33.0, 55.0, 78.0, 100.0, 100.0]);
}

#[test]
fn without_a_slow_start_it_is_warm_at_once() {
    let mut world = World::half_open(Config {
        slow_start_s: 0,
        ..config()
    });
    assert_eq!(world.breaker.warmth(world.now), 1.0);
    world.calls(&[Success, Success]);
    assert_eq!(world.breaker.warmth(world.now), 1.0);
}
