mod model;

use super::*;
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

fn config() -> Config {
    Config {
        circuit_breaker_threshold: 3,
        circuit_breaker_timeout_s: 10,
        half_open_probes: 2,
        close_after: 2,
        open_max_s: 35,
        ..Config::default()
    }
}

/// A breaker on a clock of its own, which is moved by hand.
struct World {
    breaker: Breaker,
    now: Instant,
    rng: StdRng,
}

impl World {
    fn new(config: Config) -> Self {
        World {
            breaker: Breaker::new(config),
            now: Instant::now(),
            rng: StdRng::seed_from_u64(7),
        }
    }

    fn pass(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
    }

    fn state(&self) -> State {
        self.breaker.state(self.now)
    }

    fn admit(&mut self) -> Result<Admission, Duration> {
        self.breaker.admit(self.now)
    }

    fn report(&mut self, call: Admission, outcome: Outcome) {
        self.breaker.report(call, outcome, self.now, &mut self.rng);
    }

    fn call(&mut self, outcome: Outcome) {
        let call = self.admit().expect("the breaker lets the call through");
        self.report(call, outcome);
    }

    fn open(config: Config) -> Self {
        let mut world = World::new(config);
        for _ in 0..3 {
            world.call(Outcome::Failure);
        }
        assert_eq!(world.state(), State::Open);
        world
    }
}

#[test]
fn failures_in_a_row_open_it_and_a_success_begins_the_row_anew() {
    let mut world = World::new(config());
    for outcome in [
        Outcome::Failure,
        Outcome::Failure,
        Outcome::Success,
        Outcome::Failure,
        Outcome::Failure,
    ] {
        world.call(outcome);
        assert_eq!(world.state(), State::Closed);
    }
    world.call(Outcome::Failure);
    assert_eq!(world.state(), State::Open);
}

#[test]
fn neutral_ends_neither_count_nor_begin_the_row_anew() {
    let mut world = World::new(config());
    for outcome in [
        Outcome::Failure,
        Outcome::Neutral,
        Outcome::Failure,
        Outcome::Neutral,
        Outcome::Failure,
    ] {
        world.call(outcome);
    }
    assert_eq!(world.state(), State::Open);
}

#[test]
fn a_threshold_of_zero_never_opens_it() {
    let mut world = World::new(Config {
        circuit_breaker_threshold: 0,
        ..config()
    });
    for _ in 0..1000 {
        world.call(Outcome::Failure);
    }
    assert_eq!(world.state(), State::Closed);
}

#[test]
fn it_becomes_half_open_by_the_clock_alone() {
    let mut world = World::open(config());
    world.pass(8.9);
    assert_eq!(world.state(), State::Open);
    world.pass(2.2);
    assert_eq!(world.state(), State::HalfOpen, "no traffic and no timer was needed");
}

#[test]
fn it_says_how_long_to_stay_away() {
    let mut world = World::open(config());
    let wait = world.admit().unwrap_err();
    assert!(
        (9.0..=11.0).contains(&wait.as_secs_f64()),
        "{wait:?} is 10 s with 10 % of jitter"
    );
    world.pass(wait.as_secs_f64() - 1.0);
    assert_eq!(world.admit().unwrap_err(), Duration::from_secs(1));
}

#[test]
fn half_open_lets_no_more_probes_through_than_it_has_places() {
    let mut world = World::open(config());
    world.pass(12.0);
    let (first, _second) = (world.admit().unwrap(), world.admit().unwrap());
    assert_eq!(world.admit(), Err(Duration::ZERO));
    world.report(first, Outcome::Neutral);
    assert!(world.admit().is_ok(), "a neutral end gives the place back");
}

#[test]
fn enough_successes_close_it() {
    let mut world = World::open(config());
    world.pass(12.0);
    world.call(Outcome::Success);
    assert_eq!(world.state(), State::HalfOpen);
    world.call(Outcome::Success);
    assert_eq!(world.state(), State::Closed);
}

#[test]
fn one_failed_probe_opens_it_again_for_twice_as_long_up_to_the_longest() {
    let mut world = World::open(config());
    for expected in [20.0, 35.0, 35.0] {
        world.pass(60.0);
        world.call(Outcome::Failure);
        let wait = world.admit().unwrap_err().as_secs_f64();
        assert!(
            (expected * 0.9..=expected * 1.1).contains(&wait),
            "{wait} is about {expected}"
        );
    }
}

#[test]
fn a_late_result_of_a_call_from_before_the_change_counts_for_nothing() {
    let mut world = World::new(config());
    let late = world.admit().unwrap();
    for _ in 0..3 {
        world.call(Outcome::Failure);
    }
    world.report(late, Outcome::Success);
    assert_eq!(world.state(), State::Open, "it does not close an open breaker");
    world.pass(12.0);
    let _probes = (world.admit().unwrap(), world.admit().unwrap());
    world.report(late, Outcome::Neutral);
    assert_eq!(world.admit(), Err(Duration::ZERO), "nor does it free a probe's place");
}

#[test]
fn a_stream_that_breaks_after_its_first_token_is_a_failure_unless_the_state_has_changed() {
    let mut world = World::new(Config {
        circuit_breaker_threshold: 1,
        ..config()
    });
    let call = world.admit().unwrap();
    world.report(call, Outcome::Success);
    world.breaker.broke_off(call, world.now, &mut world.rng);
    assert_eq!(world.state(), State::Open);
    world.pass(12.0);
    let probe = world.admit().unwrap();
    world.breaker.broke_off(call, world.now, &mut world.rng);
    assert_eq!(
        world.state(),
        State::HalfOpen,
        "the old call's break says nothing of now"
    );
    world.report(probe, Outcome::Neutral);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u8),
    Admit,
    Report(usize, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u8..30).prop_map(Step::Pass),
        Just(Step::Admit),
        (any::<prop::sample::Index>(), 0_u8..3).prop_map(|(at, outcome)| Step::Report(at.index(8), outcome)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Over any history: never more probes out than places, reads change nothing, and a breaker that is left alone always
    /// comes back.
    #[test]
    fn the_promises_hold_over_any_history(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World::new(config());
        let mut out: Vec<Admission> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(seconds) => world.pass(f64::from(seconds)),
                Step::Admit => out.extend(world.admit().ok()),
                Step::Report(at, outcome) if at < out.len() => {
                    let outcome = [Outcome::Success, Outcome::Failure, Outcome::Neutral][usize::from(outcome)];
                    let call = out.remove(at);
                    world.report(call, outcome);
                }
                Step::Report(..) => {}
            }
            let probes = out.iter().filter(|call| call.probe && call.epoch == world.breaker.epoch).count();
            prop_assert!(probes <= 2, "{probes} probes are out");
            let before = format!("{:?}", world.breaker.phase);
            let _looked = (world.state(), world.state());
            prop_assert_eq!(before, format!("{:?}", world.breaker.phase));
        }
        for call in out.drain(..) {
            world.report(call, Outcome::Neutral);
        }
        world.pass(100.0);
        prop_assert!(world.admit().is_ok(), "after the longest time somebody is let through");
    }
}
