//! What a worker's guard does over time, call by call.

use super::*;
use expect_test::expect;
use orchestrator_testkit::Timeline;
use tokio::time::{sleep, sleep_until};

/// A refusal in a word.
fn told(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Open(_) => "open",
        Refusal::NoProbePlace => "no place",
        Refusal::Resting(_) => "resting",
        Refusal::RateLimited(_) => "rate-limited",
        Refusal::Full => "full",
    }
}

/// Makes calls at these milliseconds, each of which ends at once in the way that its word says.
async fn play(guard: &Guard, timeline: &Timeline, calls: &[(u64, &str)]) {
    let began = Instant::now();
    for (at, how) in calls {
        sleep_until(began + Duration::from_millis(*at)).await;
        let mut permit = match guard.try_admit(Pass::Usual) {
            Ok(permit) => permit,
            Err(refusal) => {
                timeline.note(format_args!("{how}: refused, {}", told(refusal)));
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
        5000   serves: refused, open
        12000  is gone: half_open
        13000  fails: open
        25000  serves: refused, open
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
        999    serves: refused, resting
        1000   429: closed
        2999   serves: refused, resting
        3000   429: closed
        6999   serves: refused, resting
        7000   serves: closed
        7000   429: closed
        7999   serves: refused, resting
        8000   429, 3 s: closed
        10999  serves: refused, resting
        11000  serves: closed
    "#]]
    .assert_eq(&timeline.to_string());
}

/// A caller who comes, holds its slot for so long if it gets one, and notes what becomes of it.
async fn caller(guard: Guard, timeline: Timeline, name: &str, (comes, holds): (u64, u64)) {
    sleep(Duration::from_millis(comes)).await;
    let mut permit = match guard.try_admit(Pass::Usual) {
        Ok(permit) => permit,
        Err(refusal) => return timeline.note(format_args!("{name}: refused, {}", told(refusal))),
    };
    timeline.note(format_args!("{name}: begins"));
    sleep(Duration::from_millis(holds)).await;
    match name.starts_with("bad") {
        true => drop(permit.failed(broken())),
        false => permit.first_token(),
    }
    timeline.note(format_args!("{name}: ends"));
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_for_whoever_comes_first_after_it_is_free() {
    let (guard, timeline) = (guard(quick(), 2).0, Timeline::begin());
    let call = |name, times| caller(guard.clone(), timeline.clone(), name, times);
    tokio::join!(
        call("a", (0, 100)),
        call("b", (0, 250)),
        call("early", (99, 100)),
        call("c", (101, 100)),
        call("d", (150, 100)),
        call("e", (202, 100)),
    );
    expect![[r#"
        0      a: begins
        0      b: begins
        99     early: refused, full
        100    a: ends
        101    c: begins
        150    d: refused, full
        201    c: ends
        202    e: begins
        250    b: ends
        302    e: ends
    "#]]
    .assert_eq(&timeline.to_string());
    assert_eq!(guard.slots().taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_refused_by_the_breaker_while_it_is_open_and_by_the_slots_while_they_are_taken() {
    let (guard, timeline) = (guard(quick(), 2).0, Timeline::begin());
    fail(&guard);
    let call = |name, times| caller(guard.clone(), timeline.clone(), name, times);
    tokio::join!(
        call("bad", (0, 100)),
        call("long", (10, 50_500)),
        call("first", (20, 100)),
        call("second", (200, 100)),
        call("late", (50_000, 1_000)),
        call("crowd", (50_100, 1_000)),
        call("last", (50_600, 10)),
    );
    expect![[r#"
        0      bad: begins
        10     long: begins
        20     first: refused, full
        100    bad: ends
        200    second: refused, open
        50000  late: begins
        50100  crowd: refused, full
        50510  long: ends
        50600  last: begins
        50610  last: ends
        51000  late: ends
    "#]]
    .assert_eq(&timeline.to_string());
    assert_eq!(guard.slots().taken(), 0);
}

/// Whoever was late to the lock brings an older reading of the clock than those before him.
#[tokio::test(start_paused = true)]
async fn a_reading_of_the_clock_that_others_have_overtaken_does_no_harm() {
    let (guard, early) = (guard(quick(), 4).0, Instant::now());
    let early_call = Call::from(Pass::Usual);
    tokio::time::advance(Duration::from_secs(1)).await;
    fail(&guard);
    let mut late = guard.try_admit(early_call).unwrap();
    late.first_token_at(early);
    drop(late);
    fail(&guard);
    assert_eq!(guard.state(), State::Closed, "the success has ended the row");
    fail(&guard);
    assert!(matches!(guard.try_admit(early_call), Err(Refusal::Open(_))));
    assert_eq!(guard.slots().taken(), 0);
}
