use super::*;
use crate::fixtures::{Bench, ms};
use tokio::time::advance;

#[test]
fn times_are_written_as_rfc_3339_has_them() {
    let cases = [
        (Duration::ZERO, "1970-01-01T00:00:00.000Z"),
        (Duration::from_micros(999), "1970-01-01T00:00:00.000Z"),
        (ms(1_767_225_600_042), "2026-01-01T00:00:00.042Z"),
        (Duration::from_secs(1_709_210_096), "2024-02-29T12:34:56.000Z"),
        (Duration::MAX, "9999-12-30T22:00:00.999Z"),
    ];
    for (time, expected) in cases {
        assert_eq!(written(time), expected);
    }
}

#[test]
fn milliseconds_are_whole_and_never_overflow() {
    for (time, expected) in [
        (Duration::ZERO, 0),
        (Duration::from_micros(1_999), 1),
        (Duration::MAX, u64::MAX),
    ] {
        assert_eq!(millis(time), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_keeps_its_time_of_day_however_late_it_is_told() {
    let (bench, env) = (Bench::new(), orchestrator_testkit::world(1));
    advance(ms(1_250)).await;
    bench.guard("fast").force_open(ms(10));
    for wait in [0, 7, 86_400_000] {
        advance(ms(wait)).await;
        let told = Change::all(bench.guard("fast"), &env, Instant::now());
        let [change] = told.try_into().unwrap();
        assert_eq!(change.at, "2026-01-01T00:00:01.250Z");
        assert_eq!((change.from, change.to, change.cause), ("closed", "open", "forced"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_stood_before_1970_tells_1970() {
    struct Stopped;
    impl orchestrator_core::WallClock for Stopped {
        fn now(&self) -> std::time::SystemTime {
            std::time::UNIX_EPOCH
        }
    }
    let env = Env::new(std::sync::Arc::new(Stopped), orchestrator_core::Entropy::seeded(1));
    let bench = Bench::new();
    bench.guard("fast").force_open(ms(10));
    advance(ms(5_000)).await;
    let told = Change::all(bench.guard("fast"), &env, Instant::now());
    assert_eq!(told[0].at, "1970-01-01T00:00:00.000Z");
}
