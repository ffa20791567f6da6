//! A call is told of twice: at its first token, and at its end.

use super::*;

/// A call that reaches its first token and then ends so.
fn stream(world: &mut World, end: Outcome) {
    let mut call = world.begin();
    world.hear(&mut call);
    world.end(call, end);
}

/// Were the first token a success already, no row of such failures would ever be two long.
#[test]
fn a_worker_whose_streams_always_break_after_the_first_token_is_found_out() {
    let mut world = World::new(config());
    stream(&mut world, Failure);
    stream(&mut world, Failure);
    assert_eq!(world.state(), State::Closed);
    stream(&mut world, Failure);
    assert_eq!((world.state(), world.last()), (State::Open, Some(Cause::FailuresInRow)));
}

#[test]
fn streams_that_are_on_their_way_do_not_begin_the_row_anew_but_those_that_end_well_do() {
    let mut world = World::new(config());
    let mut long = world.begin();
    world.calls(&[Failure, Failure]);
    world.hear(&mut long);
    world.end(long, Success);
    world.calls(&[Failure, Failure]);
    assert_eq!(world.state(), State::Closed);
    let mut long = world.begin();
    world.hear(&mut long);
    world.call(Failure);
    assert_eq!(world.state(), State::Open);
}

#[test]
fn a_probe_gives_its_place_back_at_its_first_token_once() {
    let mut world = World::half_open(Config {
        close_after: 9,
        ..config()
    });
    let [mut one, two] = [(); 2].map(|()| world.begin());
    for _ in 0..5 {
        world.hear(&mut one);
    }
    assert_eq!(world.breaker.places(world.now), Some(1));
    world.end(one, Success);
    assert_eq!(
        world.breaker.places(world.now),
        Some(1),
        "its end gives nothing more back"
    );
    world.end(two, Neutral);
    assert_eq!(world.breaker.places(world.now), Some(2));
}

#[test]
fn a_probe_that_breaks_after_its_first_token_opens_it_unless_it_has_closed_meanwhile() {
    let mut world = World::half_open(config());
    stream(&mut world, Failure);
    assert_eq!((world.state(), world.last()), (State::Open, Some(Cause::ProbeFailed)));
    world.pass(25.0);
    let [mut one, mut two] = [(); 2].map(|()| world.begin());
    world.hear(&mut one);
    world.hear(&mut two);
    assert_eq!(world.state(), State::Closed, "at the second first token");
    world.end(one, Failure);
    world.end(two, Failure);
    world.calls(&[Failure, Failure]);
    assert_eq!(world.state(), State::Closed, "those breaks are of another epoch");
    world.call(Failure);
    assert_eq!(world.state(), State::Open);
}

#[test]
fn one_success_of_a_probe_counts_once() {
    let mut world = World::half_open(config());
    stream(&mut world, Success);
    assert_eq!(world.state(), State::HalfOpen, "first token and end are one success");
    stream(&mut world, Success);
    assert_eq!(world.state(), State::Closed);
}

#[test]
fn a_first_token_ends_the_row_of_silent_calls_at_once() {
    let mut world = World::new(config());
    let mut stream = world.begin();
    world.calls(&[GivenUp; 19]);
    world.hear(&mut stream);
    world.calls(&[GivenUp; 19]);
    assert_eq!(world.state(), State::Closed);
    world.call(GivenUp);
    assert_eq!(world.state(), State::Open);
}
