//! What a worker's guard does over time, call by call.

use super::*;
use expect_test::expect;
use orchestrator_testkit::Timeline;
use tokio::time::{sleep, sleep_until};

/// Makes calls at these milliseconds, each of which ends at once in the way that its word says.
async fn play(guard: &Guard, timeline: &Timeline, calls: &[(u64, &str)]) {
    let began = Instant::now();
    for (at, how) in calls {
        sleep_until(began + Duration::from_millis(*at)).await;
        let mut permit = match guard.admit(Pass::Usual).await {
            Ok(permit) => permit,
            Err(refusal) => {
                let code = guard.failure(refusal).code();
                timeline.note(format_args!("{how}: refused, {}", code.as_str()));
                continue;
            }
        };
        match *how {
            "serves" => permit.first_token(),
            "fails" => drop(permit.failed(broken())),
            "is gone" => drop(permit),
            "429" => drop(permit.failed(Failure::new(Code::RateLimited, "429"))),
            "429, 3 s" => drop(permit.failed(limited(3))),
            "400" => drop(permit.failed(Failure::new(Code::UpstreamRejected, "400"))),
            other => panic!("nobody knows how a call {other}"),
        }
        timeline.note(format_args!("{how}: {}", guard.state().as_str()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_probes_reopens_for_longer_and_closes() {
    let (guard, timeline) = (guard(quick(), 4).0, Timeline::begin());
    let calls = [
        (0, "fails"),
        (100, "400"),
        (200, "is gone"),
        (300, "fails"),
        (5_000, "serves"),
        (12_000, "is gone"),
        (13_000, "fails"),
        (25_000, "serves"),
        (36_000, "serves"),
        (37_000, "429"),
        (38_500, "serves"),
        (39_000, "fails"),
        (40_000, "serves"),
    ];
    play(&guard, &timeline, &calls).await;
    expect![[r#"
        0      fails: closed
        100    400: closed
        200    is gone: closed
        300    fails: open
        5000   serves: refused, breaker_open
        12000  is gone: half_open
        13000  fails: open
        25000  serves: refused, breaker_open
        36000  serves: half_open
        37000  429: half_open
        38500  serves: closed
        39000  fails: closed
        40000  serves: closed
    "#]]
    .assert_eq(&timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_rest_doubles_until_the_worker_serves_and_a_stated_one_is_kept_to() {
    let (guard, timeline) = (guard(quick(), 4).0, Timeline::begin());
    let calls = [
        (0, "429"),
        (999, "serves"),
        (1_000, "429"),
        (2_999, "serves"),
        (3_000, "429"),
        (6_999, "serves"),
        (7_000, "serves"),
        (7_000, "429"),
        (7_999, "serves"),
        (8_000, "429, 3 s"),
        (10_999, "serves"),
        (11_000, "serves"),
    ];
    play(&guard, &timeline, &calls).await;
    expect![[r#"
        0      429: closed
        999    serves: refused, rate_limit_exceeded
        1000   429: closed
        2999   serves: refused, rate_limit_exceeded
        3000   429: closed
        6999   serves: refused, rate_limit_exceeded
        7000   serves: closed
        7000   429: closed
        7999   serves: refused, rate_limit_exceeded
        8000   429, 3 s: closed
        10999  serves: refused, rate_limit_exceeded
        11000  serves: closed
    "#]]
    .assert_eq(&timeline.to_string());
}

/// A caller who comes, holds its slot for so long if it gets one in time, and notes what becomes of it.
async fn caller(guard: Guard, timeline: Timeline, name: &str, (comes, holds, patience): (u64, u64, u64)) {
    sleep(Duration::from_millis(comes)).await;
    let admitted = tokio::time::timeout(Duration::from_millis(patience), guard.admit(Pass::Usual)).await;
    match admitted {
        Err(_) => timeline.note(format_args!("{name}: gives up")),
        Ok(Err(refusal)) => {
            let code = guard.failure(refusal).code();
            timeline.note(format_args!("{name}: refused, {}", code.as_str()));
        }
        Ok(Ok(mut permit)) => {
            timeline.note(format_args!("{name}: begins"));
            sleep(Duration::from_millis(holds)).await;
            match name.starts_with("bad") {
                true => drop(permit.failed(broken())),
                false => permit.first_token(),
            }
            timeline.note(format_args!("{name}: ends"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_slot_are_served_in_order() {
    let (guard, timeline) = (guard(quick(), 2).0, Timeline::begin());
    let call = |name, times| caller(guard.clone(), timeline.clone(), name, times);
    tokio::join!(
        call("a", (0, 100, 9_000)),
        call("b", (0, 250, 9_000)),
        call("c", (10, 100, 9_000)),
        call("hasty", (20, 100, 50)),
        call("d", (30, 100, 9_000)),
    );
    expect![[r#"
        0      a: begins
        0      b: begins
        70     hasty: gives up
        100    a: ends
        100    c: begins
        200    c: ends
        200    d: begins
        250    b: ends
        300    d: ends
    "#]]
    .assert_eq(&timeline.to_string());
    assert_eq!(guard.slots().taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_slot_while_the_breaker_opens_is_refused_and_passes_the_slot_on() {
    let (guard, timeline) = (guard(quick(), 1).0, Timeline::begin());
    fail(&guard).await;
    let call = |name, times| caller(guard.clone(), timeline.clone(), name, times);
    tokio::join!(
        call("bad", (0, 100, 9_000)),
        call("first", (10, 100, 9_000)),
        call("second", (20, 100, 9_000)),
        call("late", (50_000, 10, 9_000)),
    );
    expect![[r#"
        0      bad: begins
        100    bad: ends
        100    first: refused, breaker_open
        100    second: refused, breaker_open
        50000  late: begins
        50010  late: ends
    "#]]
    .assert_eq(&timeline.to_string());
    assert_eq!(guard.slots().taken(), 0);
}
