use super::*;

fn at(now: Instant, seconds: u64) -> Instant {
    now + Duration::from_secs(seconds)
}

#[test]
fn a_rest_lasts_as_long_as_the_worker_asks_but_at_most_a_minute() {
    let now = Instant::now();
    for (asked, expected) in [(0, 0), (7, 7), (60, 60), (1_000_000_000, 60)] {
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
    assert_eq!(rest.left(now), Duration::ZERO);
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
