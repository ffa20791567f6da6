mod model;
mod passes;
mod rates;
mod streams;
mod thresholds;

use super::{tally::SILENT_CALLS, *};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

/// Only failures in a row open it.
fn config() -> Config {
    Config {
        circuit_breaker_threshold: 3,
        failure_rate: 0.0,
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

    /// A breaker that three failures have opened.
    fn open(config: Config) -> Self {
        let mut world = World::new(config);
        world.calls(&[Outcome::Failure; 3]);
        assert_eq!(world.state(), State::Open);
        world
    }

    /// The same, when it has become half-open.
    fn half_open(config: Config) -> Self {
        let mut world = World::open(config);
        world.pass(12.0);
        assert_eq!(world.state(), State::HalfOpen);
        world
    }

    fn pass(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
    }

    fn state(&self) -> State {
        self.breaker.state(self.now)
    }

    fn last(&self) -> Option<Cause> {
        let mut stepped = self.breaker.clone();
        stepped.elapse(self.now);
        stepped.history().changes().last().map(|change| change.cause)
    }

    fn admit(&mut self) -> Result<Grant, Refusal> {
        self.breaker.admit(Pass::Usual, self.now)
    }

    fn begin(&mut self) -> Grant {
        self.admit().expect("the breaker lets the call through")
    }

    fn hear(&mut self, call: &mut Grant) {
        self.breaker.first_token(call, self.now);
    }

    fn end(&mut self, call: Grant, outcome: Outcome) {
        self.breaker.end(call, (outcome, None), self.now, &mut self.rng);
    }

    fn call(&mut self, outcome: Outcome) {
        let call = self.begin();
        self.end(call, outcome);
    }

    fn calls(&mut self, outcomes: &[Outcome]) {
        outcomes.iter().for_each(|outcome| self.call(*outcome));
    }

    /// For how long it keeps calls away.
    fn wait(&mut self) -> Duration {
        match self.admit() {
            Err(Refusal::Open(wait)) => wait,
            other => panic!("it is not open: {other:?}"),
        }
    }
}

use Outcome::{Failure, GivenUp, Neutral, RateLimited, Success};

#[test]
fn failures_in_a_row_open_it_and_a_success_begins_the_row_anew() {
    let mut world = World::new(config());
    for outcome in [Failure, Failure, Success, Failure, Failure] {
        world.call(outcome);
        assert_eq!((world.state(), world.last()), (State::Closed, None));
    }
    world.call(Failure);
    assert_eq!((world.state(), world.last()), (State::Open, Some(Cause::FailuresInRow)));
}

#[test]
fn what_is_neither_success_nor_failure_neither_counts_nor_begins_the_row_anew() {
    let mut world = World::new(config());
    world.calls(&[Failure, Neutral, RateLimited, Failure, GivenUp]);
    assert_eq!(world.state(), State::Closed);
    world.call(Failure);
    assert_eq!(world.state(), State::Open);
}

#[test]
fn with_all_thresholds_off_nothing_opens_it() {
    let mut world = World::new(Config {
        circuit_breaker_threshold: 0,
        ..config()
    });
    world.calls(&[Failure; 1_000]);
    world.calls(&[GivenUp; 1_000]);
    world.calls(&[RateLimited; 1_000]);
    assert_eq!(world.state(), State::Closed);
}

#[test]
fn calls_in_a_row_that_nobody_waited_for_open_it() {
    let mut world = World::new(config());
    for call in 1..SILENT_CALLS {
        world.call(GivenUp);
        assert_eq!(world.state(), State::Closed, "after {call}");
    }
    world.call(GivenUp);
    assert_eq!((world.state(), world.last()), (State::Open, Some(Cause::Silent)));
}

#[test]
fn it_becomes_half_open_by_the_clock_alone() {
    let mut world = World::open(config());
    world.pass(8.9);
    assert_eq!(world.state(), State::Open);
    world.pass(2.2);
    assert_eq!(
        (world.state(), world.last()),
        (State::HalfOpen, Some(Cause::Elapsed)),
        "no traffic and no timer was needed"
    );
}

#[test]
fn it_says_how_long_to_stay_away() {
    let mut world = World::open(config());
    let wait = world.wait();
    assert!(
        (9.0..=11.0).contains(&wait.as_secs_f64()),
        "{wait:?} is 10 s with 10 % of jitter"
    );
    world.pass(wait.as_secs_f64() - 1.0);
    assert_eq!(world.wait(), Duration::from_secs(1));
    assert_eq!(world.breaker.due(world.now), Duration::from_secs(1));
    world.pass(1.0);
    assert_eq!(world.breaker.due(world.now), Duration::ZERO);
    assert!(world.admit().is_ok(), "just when it said");
}

#[test]
fn half_open_lets_no_more_probes_through_than_it_has_places() {
    let mut world = World::half_open(config());
    assert_eq!(world.breaker.places(world.now), Some(2));
    let (first, _second) = (world.begin(), world.begin());
    assert_eq!(world.breaker.places(world.now), Some(0));
    assert_eq!(world.admit(), Err(Refusal::NoProbePlace));
    world.end(first, Neutral);
    assert!(world.admit().is_ok(), "a neutral end gives the place back");
}

/// Others counted a 429 as a success, or let a probe that was cancelled keep its place for ever.
#[test]
fn a_probe_that_decides_nothing_gives_its_place_back_and_decides_nothing() {
    for outcome in [Neutral, RateLimited, GivenUp] {
        let mut world = World::half_open(config());
        for _ in 0..(SILENT_CALLS - 1) {
            let (one, two) = (world.begin(), world.begin());
            world.end(one, outcome);
            world.end(two, Neutral);
            assert_eq!(world.state(), State::HalfOpen, "{outcome:?}");
        }
        world.calls(&[Success, Success]);
        assert_eq!(world.state(), State::Closed);
    }
}

#[test]
fn enough_successes_close_it() {
    let mut world = World::half_open(config());
    world.call(Success);
    assert_eq!(world.state(), State::HalfOpen);
    world.call(Success);
    assert_eq!(
        (world.state(), world.last()),
        (State::Closed, Some(Cause::ProbesServed))
    );
    assert_eq!(world.breaker.cause(), None);
}

#[test]
fn one_failed_probe_opens_it_again_for_twice_as_long_up_to_the_longest() {
    let mut world = World::open(config());
    for expected in [20.0, 35.0, 35.0] {
        world.pass(60.0);
        world.call(Failure);
        assert_eq!(world.last(), Some(Cause::ProbeFailed));
        assert_eq!(
            world.breaker.cause(),
            Some(Cause::FailuresInRow),
            "what has opened it first"
        );
        let wait = world.wait().as_secs_f64();
        assert!(
            (expected * 0.9..=expected * 1.1).contains(&wait),
            "{wait} is about {expected}"
        );
    }
    world.pass(60.0);
    world.calls(&[Success, Success, Failure, Failure, Failure]);
    let wait = world.wait().as_secs_f64();
    assert!((9.0..=11.0).contains(&wait), "once closed it begins anew, with {wait}");
}

/// Others let a success of the closed era free a probe's place.
#[test]
fn a_late_result_of_a_call_from_before_the_change_counts_for_nothing() {
    let mut world = World::new(config());
    let [mut heard, served, left, failed] = [(); 4].map(|()| world.begin());
    world.calls(&[Failure; 3]);
    world.hear(&mut heard);
    world.end(served, Success);
    assert_eq!(world.state(), State::Open, "it does not close an open breaker");
    world.pass(12.0);
    let _probes = (world.begin(), world.begin());
    world.end(left, Neutral);
    world.end(heard, Success);
    assert_eq!(
        world.admit(),
        Err(Refusal::NoProbePlace),
        "nor does it free a probe's place"
    );
    world.end(failed, Failure);
    assert_eq!(world.state(), State::HalfOpen, "nor does it open a half-open one");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u8),
    Admit(Pass),
    Hear(usize),
    End(usize, Outcome),
}

fn any_pass() -> impl Strategy<Value = Pass> {
    prop_oneof![4 => Just(Pass::Usual), 1 => Just(Pass::AsClosed), 1 => Just(Pass::EarlyProbe)]
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop::sample::select(vec![Success, Success, Failure, Failure, RateLimited, GivenUp, Neutral])
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0_u8..30).prop_map(Step::Pass),
        2 => any_pass().prop_map(Step::Admit),
        1 => (0_usize..8).prop_map(Step::Hear),
        2 => (0_usize..8, any_outcome()).prop_map(|(at, outcome)| Step::End(at, outcome)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Over any history: never more probes out than places, reads change nothing, and a breaker that is left alone always
    /// comes back.
    #[test]
    fn the_promises_hold_over_any_history(
        steps in prop::collection::vec(step(), 0..120),
        rate in prop::sample::select(vec![0.0, 0.5]),
    ) {
        let mut world = World::new(Config { failure_rate: rate, min_calls: 2, ..config() });
        let mut out: Vec<Grant> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(seconds) => world.pass(f64::from(seconds)),
                Step::Admit(pass) => out.extend(world.breaker.admit(pass, world.now).ok()),
                Step::Hear(at) => out.get_mut(at).into_iter().for_each(|call| world.hear(call)),
                Step::End(at, outcome) if at < out.len() => {
                    let call = out.remove(at);
                    world.end(call, outcome);
                }
                Step::End(..) => {}
            }
            let probes = out.iter().filter(|call| call.place && call.epoch == world.breaker.epoch).count();
            prop_assert!(probes <= 2, "{} probes are out", probes);
            let looks = |breaker: &Breaker, now| {
                (breaker.state(now), breaker.warmth(now).to_bits(), breaker.refusal(Pass::Usual, now))
            };
            let before = format!("{:?}", world.breaker);
            prop_assert_eq!(looks(&world.breaker, world.now), looks(&world.breaker, world.now));
            prop_assert_eq!(before, format!("{:?}", world.breaker));
            prop_assert!((0.1..=1.0).contains(&world.breaker.warmth(world.now)));
            prop_assert!((0.0..=1.0).contains(&world.breaker.failure_rate(world.now)));
        }
        for call in out.drain(..) {
            world.end(call, Outcome::Neutral);
        }
        world.pass(100.0);
        prop_assert!(world.admit().is_ok(), "after the longest time somebody is let through");
    }
}
