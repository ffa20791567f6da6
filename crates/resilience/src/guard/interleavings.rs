//! Every interleaving of calls at one worker whose breaker is half-open: its machines under their lock, and the slots
//! beside it.
//!
//! Nothing here waits for the clock: a breaker that has just opened is half-open once an early probe was served.

use super::*;
use crate::Pass;
use loom::thread::{self, JoinHandle};
use orchestrator_core::{Code, Failure};
use prometheus::Registry;
use rand::SeedableRng;

type Racer = JoinHandle<Result<Permit, Refusal>>;

/// A guard of ten slots whose breaker opens at the first failure.
fn guard(half_open_probes: u32, close_after: u32) -> Guard {
    let config = Config {
        circuit_breaker_threshold: 1,
        half_open_probes,
        close_after,
        ..Config::default()
    };
    let metrics = Metrics::register(&Registry::new()).unwrap();
    Guard::new("w".into(), config, 10, StdRng::seed_from_u64(0), &metrics)
}

fn fail(mut permit: Permit) {
    drop(permit.failed(Failure::new(Code::UpstreamError, "500")));
}

/// Closed -> open -> half-open.
fn make_half_open(guard: &Guard) {
    fail(guard.try_admit(Pass::Usual).unwrap());
    assert_eq!(guard.state(), State::Open);
    guard.try_admit(Pass::EarlyProbe).unwrap().first_token();
    assert_eq!(guard.state(), State::HalfOpen);
}

/// Whose breaker is half-open and lets so many through at once; nothing closes it.
fn half_open(probes: u32) -> Guard {
    let guard = guard(probes, u32::MAX);
    make_half_open(&guard);
    guard
}

fn racer(guard: &Guard) -> Racer {
    let guard = guard.clone();
    thread::spawn(move || guard.try_admit(Pass::Usual))
}

/// How often it has changed for this cause.
fn changes(guard: &Guard, cause: Cause) -> usize {
    guard.history().iter().filter(|change| change.cause == cause).count()
}

/// All that it lends has come back: as many probes as at first get in, and no more.
fn assert_all_came_back(guard: &Guard, probes: usize) {
    assert_eq!(guard.slots().taken(), 0);
    let all: Vec<_> = std::iter::from_fn(|| guard.try_admit(Pass::Usual).ok()).collect();
    assert_eq!(all.len(), probes);
}

#[test]
fn of_three_racers_as_many_get_in_as_there_are_places_for_probes() {
    for probes in 1..=2 {
        loom::model(move || {
            let guard = half_open(probes);
            let others = [racer(&guard), racer(&guard)];
            let mine = guard.try_admit(Pass::Usual);
            let tried = others.into_iter().map(|other| other.join().unwrap()).chain([mine]);
            let (held, refused): (Vec<_>, Vec<_>) = tried.partition(Result::is_ok);
            assert_eq!(held.len(), probes as usize);
            assert_eq!(guard.slots().taken(), held.len(), "who is refused holds no slot");
            let whys = refused.into_iter().map(|refused| refused.unwrap_err());
            assert!(whys.into_iter().all(|why| why == Refusal::NoProbePlace));
            drop(held);
            assert_all_came_back(&guard, probes as usize);
        });
    }
}

/// The ways in which a probe gives its place back without closing or opening anything.
const WAYS: [fn(Permit); 3] = [drop, Permit::unused, |mut permit| permit.first_token()];

#[test]
fn a_place_comes_back_once_beside_one_who_wants_it() {
    for give_back in WAYS {
        loom::model(move || {
            let guard = half_open(1);
            let probe = guard.try_admit(Pass::Usual).unwrap();
            let leaver = thread::spawn(move || give_back(probe));
            let (mine, other) = (guard.try_admit(Pass::Usual), racer(&guard));
            let other = other.join().unwrap();
            assert!(mine.is_err() || other.is_err(), "there is one place");
            leaver.join().unwrap();
            drop((mine, other));
            assert_all_came_back(&guard, 1);
        });
    }
}

/// What a call is told that ends when its breaker has opened since.
const LATE: [fn(Permit); 3] = [drop, |mut permit| permit.first_token(), fail];

#[test]
fn a_call_from_before_it_opened_counts_for_nothing_beside_a_probe() {
    for end in LATE {
        loom::model(move || {
            let guard = guard(1, 1);
            let old = guard.try_admit(Pass::Usual).unwrap();
            make_half_open(&guard);
            let late = thread::spawn(move || end(old));
            let probe = guard.try_admit(Pass::Usual);
            late.join().unwrap();
            assert_eq!(guard.state(), State::HalfOpen);
            assert_eq!(guard.try_admit(Pass::Usual).unwrap_err(), Refusal::NoProbePlace);
            drop(probe.unwrap());
            assert_all_came_back(&guard, 1);
        });
    }
}

/// Of two probes one fails and one is served: whichever is first ends the epoch of the other.
#[test]
fn of_two_probes_the_first_to_end_decides() {
    loom::model(|| {
        let guard = guard(2, 1);
        make_half_open(&guard);
        let [mut served, failed] = [(); 2].map(|()| guard.try_admit(Pass::Usual).unwrap());
        let failing = thread::spawn(move || fail(failed));
        served.first_token();
        failing.join().unwrap();
        drop(served);
        let decided = [Cause::ProbesServed, Cause::ProbeFailed].map(|cause| changes(&guard, cause));
        match guard.state() {
            State::Closed => assert_eq!(decided, [1, 0]),
            _ => assert_eq!(decided, [0, 1]),
        }
        assert_eq!(guard.slots().taken(), 0);
    });
}
