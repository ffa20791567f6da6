use super::*;
use crate::{
    Outcome::{self, Failure, RateLimited, Success},
    window::Window,
};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn config() -> Config {
    Config {
        failure_rate: 0.5,
        rate_limit_rate: 0.2,
        latency_p95_ms: 1_000,
        adaptive_thresholds: true,
        ..Config::default()
    }
}

/// A worker on a clock of its own, whose calls are learned as soon as they end.
struct World {
    usual: Usual,
    window: Window,
    now: Instant,
}

impl World {
    fn new(config: Config) -> Self {
        World {
            usual: Usual::new(&config),
            window: Window::new(&Config {
                window_calls: 1,
                ..config
            }),
            now: Instant::now(),
        }
    }

    fn call(&mut self, outcome: Outcome, wait: Duration) {
        let timed = Some((self.usual.fixed.latency_p95, wait)).filter(|(fixed, _)| !fixed.is_zero());
        let usual = &mut self.usual;
        self.window.push(outcome, timed, self.now, |call| usual.learn(call));
    }

    /// Calls that come evenly, of each thousand so many with this outcome.
    fn live(&mut self, calls: u32, (other, per_mille): (Outcome, u32), wait: Duration) {
        for nth in 0..calls {
            let is_other = (nth + 1) * per_mille / 1_000 > nth * per_mille / 1_000;
            self.call(if is_other { other } else { Success }, wait);
            self.now += SECOND / 10;
        }
    }

    fn thresholds(&self) -> Thresholds {
        self.usual.thresholds(self.now)
    }
}

fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() < 0.01
}

#[test]
fn as_long_as_nothing_is_known_they_are_the_fixed_ones() {
    assert_eq!(World::new(config()).thresholds(), Thresholds::fixed(&config()));
}

#[test]
fn in_the_long_run_they_stand_half_of_the_fixed_one_above_what_is_usual() {
    for (per_mille, failures, limits) in [(0, 0.25, 0.1), (100, 0.35, 0.2), (300, 0.55, 0.4), (900, 0.75, 0.6)] {
        let mut world = World::new(config());
        world.live(20_000, (Failure, per_mille), SECOND);
        let seen = world.thresholds().failure_rate;
        assert!(is_near(seen, failures), "{per_mille} of 1000 fail: {seen}");
        let mut world = World::new(config());
        world.live(20_000, (RateLimited, per_mille), SECOND);
        let seen = world.thresholds().rate_limit_rate;
        assert!(
            is_near(seen, limits),
            "{per_mille} of 1000 are answered with 429: {seen}"
        );
    }
}

#[test]
fn a_time_is_twice_the_usual_one_as_far_as_from_half_to_twice_the_fixed_one() {
    for (usual, least, most) in [
        (10, 500, 510),
        (250, 500, 510),
        (400, 800, 880),
        (900, 1_800, 1_970),
        (5_000, 1_980, 2_000),
    ] {
        let mut world = World::new(config());
        world.live(20_000, (Success, 0), Duration::from_millis(usual));
        let seen = world.thresholds().latency_p95.as_millis();
        assert!((least..=most).contains(&seen), "{usual} ms are usual: {seen}");
    }
}

#[test]
fn one_slow_call_in_thirty_is_not_usual_and_one_in_ten_is() {
    for (one_in, half_a_second) in [(30, true), (10, false)] {
        let mut world = World::new(config());
        for nth in 0..20_000 {
            let wait = if nth % one_in == 0 { SECOND } else { SECOND / 10 };
            world.call(Success, wait);
            world.now += SECOND / 10;
        }
        let seen = world.thresholds().latency_p95;
        assert_eq!(seen < SECOND, half_a_second, "one in {one_in}: {seen:?}");
    }
}

#[test]
fn what_is_long_ago_counts_no_more() {
    let mut world = World::new(config());
    world.live(20_000, (Failure, 0), SECOND / 10);
    let (mut last, fixed) = (world.thresholds(), Thresholds::fixed(&config()));
    for _ in 0..12 {
        world.now += Duration::from_secs(1_800);
        let next = world.thresholds();
        assert!(next.failure_rate >= last.failure_rate && next.latency_p95 >= last.latency_p95);
        last = next;
    }
    assert!(is_near(last.failure_rate, fixed.failure_rate), "{last:?}");
    assert!(SECOND.saturating_sub(last.latency_p95) < SECOND / 100, "{last:?}");
}

#[test]
fn after_a_half_life_a_call_counts_half() {
    let mut world = World::new(config());
    world.live(2, (Failure, 1_000), SECOND);
    let failures = |world: &World| world.usual.faded(world.now).failures;
    let before = failures(&world);
    world.now += HALF_LIFE;
    assert!((failures(&world) / before - 0.5).abs() < 1e-9);
    let early = world.usual.at.unwrap() - SECOND;
    assert_eq!(
        world.usual.faded(early).failures,
        1.0,
        "an old reading of the clock fades nothing"
    );
}

fn any_call() -> impl Strategy<Value = (Outcome, u64, u64)> {
    let outcome = prop::sample::select(vec![Success, Failure, RateLimited, Outcome::GivenUp]);
    let pause = prop_oneof![6 => 0_u64..1_000, 1 => 0_u64..3_600_000, 1 => Just(u64::MAX / 1_000_000)];
    (
        outcome,
        prop_oneof![4 => 0_u64..5_000, 1 => Just(u64::MAX / 1_000_000)],
        pause,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn they_are_bounded_whatever_happens(
        (failures, limits) in (0.0..=1.0_f64, prop::sample::select(vec![0.0, 0.05, 1.0])),
        (latency_p95_ms, window_calls) in (prop::sample::select(vec![0_u64, 1, 800, 600_000]), 1_u32..10_000),
        calls in prop::collection::vec((any_call(), 1_usize..200), 0..40),
    ) {
        let config = Config { failure_rate: failures, rate_limit_rate: limits, latency_p95_ms, window_calls, ..config() };
        let (mut world, fixed) = (World::new(config.clone()), Thresholds::fixed(&config));
        for ((outcome, wait, pause), times) in calls {
            (0..times).for_each(|_| world.call(outcome, Duration::from_millis(wait)));
            world.now = world.now.checked_add(Duration::from_millis(pause)).unwrap_or(world.now);
            let seen = world.thresholds();
            for (seen, fixed) in [(seen.failure_rate, fixed.failure_rate), (seen.rate_limit_rate, fixed.rate_limit_rate)] {
                let most = if fixed > 0.0 { f64::midpoint(fixed, 1.0) } else { 0.0 };
                prop_assert!((fixed / 2.0..=most).contains(&seen), "{seen} of {fixed}");
            }
            let (least, most) = (fixed.latency_p95 / 2, fixed.latency_p95 * 2);
            prop_assert!((least..=most).contains(&seen.latency_p95), "{:?}", seen.latency_p95);
        }
    }
}
