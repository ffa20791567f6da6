use super::*;
use proptest::prelude::*;

fn at(now: Instant, seconds: u64) -> Instant {
    now + Duration::from_secs(seconds)
}

#[test]
fn a_rest_lasts_as_long_as_the_worker_asks_but_at_most_a_minute() {
    let now = Instant::now();
    for (asked, expected) in [(0, 0), (7, 7), (60, 60), (86_400, 60), (u64::MAX, 60)] {
        let mut rest = Rest::default();
        rest.begin(Some(Duration::from_secs(asked)), now);
        assert_eq!(rest.left(now), Duration::from_secs(expected), "asked for {asked}");
    }
}

#[test]
fn a_rest_without_a_stated_time_doubles_until_a_success() {
    let mut now = Instant::now();
    let mut rest = Rest::default();
    for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
        rest.begin(None, now);
        assert_eq!(rest.left(now), Duration::from_secs(expected));
        now = at(now, 60);
    }
    rest.reset();
    rest.begin(None, now);
    assert_eq!(rest.left(now), Duration::from_secs(1));
}

#[test]
fn a_shorter_rest_does_not_end_a_longer_one() {
    let now = Instant::now();
    let mut rest = Rest::default();
    rest.begin(Some(Duration::from_secs(30)), now);
    rest.begin(Some(Duration::from_secs(5)), now);
    assert_eq!(rest.left(at(now, 10)), Duration::from_secs(20));
}

#[test]
fn calls_that_were_on_their_way_do_not_double_a_rest() {
    let now = Instant::now();
    let mut rest = Rest::default();
    for _ in 0..95 {
        rest.begin(None, now);
    }
    assert_eq!(rest.left(now), Duration::from_secs(1));
    rest.begin(None, at(now, 1));
    assert_eq!(
        rest.left(at(now, 1)),
        Duration::from_secs(2),
        "the second rest in a row"
    );
}

#[test]
fn whoever_is_served_while_the_worker_rests_does_not_end_the_rest() {
    let now = Instant::now();
    let mut rest = Rest::default();
    rest.begin(Some(Duration::from_secs(30)), now);
    rest.reset();
    assert_eq!(rest.left(at(now, 10)), Duration::from_secs(20));
    assert_eq!(rest.left(at(now, 30)), Duration::ZERO, "just at its end");
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Pass(u64),
    Asked(u64),
    Unstated,
    Served,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0_u64..70).prop_map(Event::Pass),
        1 => (0_u64..1_000).prop_map(Event::Asked),
        3 => Just(Event::Unstated),
        1 => Just(Event::Served),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Against whole seconds on paper.
    #[test]
    fn rests_are_as_long_as_on_paper(events in prop::collection::vec(event(), 0..40)) {
        let start = Instant::now();
        let mut rest = Rest::default();
        let (mut now, mut until, mut next) = (0_u64, 0_u64, 1_u64);
        for event in events {
            match event {
                Event::Pass(seconds) => now += seconds,
                Event::Asked(seconds) => {
                    rest.begin(Some(Duration::from_secs(seconds)), at(start, now));
                    until = until.max(now + seconds.min(60));
                }
                Event::Unstated => {
                    rest.begin(None, at(start, now));
                    if until <= now {
                        until = now + next;
                        next = (next * 2).min(60);
                    }
                }
                Event::Served => {
                    rest.reset();
                    next = 1;
                }
            }
            prop_assert_eq!(rest.left(at(start, now)), Duration::from_secs(until.saturating_sub(now)));
        }
    }
}
