use super::*;
use proptest::prelude::*;

/// A worker that answers `capacity` calls at once in its usual time, and more of them more slowly.
struct World {
    adaptive: Adaptive,
    now: Instant,
    usual: f64,
    capacity: usize,
}

impl World {
    fn new(max: usize, capacity: usize) -> Self {
        World {
            adaptive: Adaptive::new(max),
            now: Instant::now(),
            usual: 0.2,
            capacity,
        }
    }

    /// So many calls begin together; all of them are answered.
    fn round(&mut self, in_flight: usize) {
        let (began, crowd) = (self.now, in_flight as f64 / self.capacity as f64);
        let wait = Duration::from_secs_f64(self.usual * crowd.max(1.0));
        self.now += wait;
        for _ in 0..in_flight {
            self.adaptive.heard((began, in_flight), wait, self.now);
        }
    }

    /// As many calls as may, all the time.
    fn full(&mut self, rounds: usize) -> usize {
        for _ in 0..rounds {
            self.round(self.adaptive.limit());
        }
        self.adaptive.limit()
    }
}

#[test]
fn it_begins_at_one_and_doubles_until_a_call_is_slow() {
    let mut world = World::new(1_000, 20);
    let mut limits = Vec::new();
    for _ in 0..7 {
        limits.push(world.adaptive.limit());
        world.full(1);
    }
    assert_eq!(limits[..6], [1, 2, 4, 8, 16, 32]);
    assert!(limits[6] < 40, "{limits:?}");
}

#[test]
fn a_bound_that_is_changed_holds_at_once_and_is_grown_into_again() {
    let mut world = World::new(64, 1_000);
    assert_eq!((world.full(8), world.adaptive.max()), (64, 64));
    world.adaptive.bound(10, world.now);
    assert_eq!((world.adaptive.limit(), world.full(8)), (10, 10));
    world.adaptive.bound(40, world.now);
    assert_eq!(
        world.adaptive.limit(),
        10,
        "more is allowed, and not yet known to be good"
    );
    assert_eq!(world.full(8), 40);
    world.adaptive.bound(0, world.now);
    assert_eq!((world.adaptive.limit(), world.adaptive.max()), (1, 1));
}

#[test]
fn under_load_it_finds_what_the_worker_takes() {
    for capacity in [1, 4, 10, 40, 100] {
        let mut world = World::new(1_000, capacity);
        let found = world.full(500);
        // The tolerance, and the square root that may queue.
        let most = capacity as f64 * TOLERANCE * 1.5 + 4.0;
        assert!((capacity..=most as usize).contains(&found), "{found} of {capacity}");
    }
}

#[test]
fn a_worker_that_does_not_slow_down_gets_its_maximum() {
    let mut world = World::new(95, 10_000);
    assert_eq!(world.full(500), 95);
}

/// Others measure the quiet time under the load that they allow, so that it climbs with each round.
#[test]
fn the_quiet_time_does_not_climb_under_load_however_long_that_lasts() {
    let mut world = World::new(1_000, 10);
    let (early, late) = (world.full(500), world.full(20_000));
    assert!(late <= early + 1, "{early}, and then {late}");
}

#[test]
fn a_limit_that_nobody_makes_use_of_does_not_grow() {
    let mut world = World::new(1_000, 1_000);
    (0..1_000).for_each(|_| world.round(5));
    assert_eq!(world.adaptive.limit(), 16);
}

/// Others that fell to their least limit never found that the worker had only become slower for good. Under full load that
/// cannot be told from a crowd; in a lull it can.
#[test]
fn a_worker_that_has_become_slower_for_good_is_measured_anew_in_the_next_lull() {
    let mut world = World::new(100, 40);
    let before = world.full(500);
    world.usual *= 8.0;
    let fallen = world.full(100);
    assert!(
        (4..10).contains(&fallen),
        "{fallen}: at first it looks as if it were crowded"
    );
    (0..200).for_each(|_| world.round(fallen / 2));
    let found = world.full(500);
    assert!(found.abs_diff(before) <= 2, "{before}, and then {found}");
}

#[test]
fn a_worker_that_has_become_faster_is_measured_anew_in_the_next_lull() {
    let mut world = World::new(200, 40);
    let before = world.full(500);
    world.usual /= 4.0;
    assert!(world.full(100) >= before, "it is allowed no less");
    (0..20).for_each(|_| world.round(10));
    let found = world.full(500);
    assert!(found.abs_diff(before) <= 2, "{before}, and then {found}");
}

#[test]
fn a_burst_of_timeouts_lowers_it_once_and_load_brings_it_back() {
    let mut world = World::new(100, 40);
    let before = world.full(500);
    let began = world.now;
    world.now += Duration::from_secs(1);
    (0..50).for_each(|_| world.adaptive.overloaded(began, world.now));
    let after = world.adaptive.limit();
    assert!((before * 9 / 10 - 1..before).contains(&after), "{before}, then {after}");
    assert!(world.full(100) >= before - 1);
}

#[test]
fn calls_from_before_the_limit_changed_say_nothing() {
    let mut world = World::new(100, 40);
    world.full(100);
    let began = world.now;
    world.now += Duration::from_secs(1);
    world.adaptive.overloaded(began, world.now);
    let limit = world.adaptive.limit();
    for _ in 0..100 {
        world.adaptive.heard((began, limit), Duration::from_secs(60), world.now);
        world.adaptive.overloaded(began, world.now);
    }
    assert_eq!(world.adaptive.limit(), limit);
    let now = world.now;
    world.adaptive.overloaded(now, now);
    assert!(world.adaptive.limit() < limit);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is reported.
    #[test]
    fn it_stays_between_one_and_its_bound(
        max in 1_usize..200,
        calls in prop::collection::vec((0_u64..100_000, 0_usize..300, any::<bool>()), 0..300),
    ) {
        let (mut adaptive, mut now) = (Adaptive::new(max), Instant::now());
        for (millis, in_flight, heard) in calls {
            let began = now;
            now += Duration::from_millis(millis);
            match heard {
                true => adaptive.heard((began, in_flight), Duration::from_millis(millis), now),
                false => adaptive.overloaded(began, now),
            }
            prop_assert!((1..=max).contains(&adaptive.limit()));
        }
    }
}
