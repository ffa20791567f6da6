use super::*;
use crate::fixtures::{ms, of_kind};
use orchestrator_resilience::{Config, Metrics, Pass, State};
use orchestrator_testkit::world;
use prometheus::Registry;

/// A worker of two slots, whose breaker opens after one failure.
fn member(pool: Option<Slots>, change: impl FnOnce(&mut Config)) -> Member {
    let mut config = Config {
        circuit_breaker_threshold: 1,
        ..Config::default()
    };
    change(&mut config);
    let metrics = Metrics::register(&Registry::new()).unwrap();
    Member::new(Guard::new("w".into(), config, 2, world(1).random("w"), &metrics), pool)
}

fn view(member: &Member) -> View {
    member.view((7, 3), &Ask::new(0, 0), Instant::now())
}

fn failure(code: Code) -> Failure {
    Failure::new(code, "no")
}

#[tokio::test(start_paused = true)]
async fn a_new_one_is_closed_free_and_unknown() {
    let member = member(None, |_| {});
    let expected = View {
        worker: 7,
        key: stable::hash(b"w"),
        weight: 3,
        state: State::Closed,
        opened_by_rate: false,
        badness: 0.0,
        due: Duration::ZERO,
        rest: Duration::ZERO,
        rate_limited: Duration::ZERO,
        running: 0,
        free: 2,
        warmth: 1.0,
        healthy: None,
        latency: None,
        latency_at_least: Duration::ZERO,
        last_latency: None,
        unheard: 0,
    };
    assert_eq!((view(&member), &**member.name()), (expected, "w"));
}

#[tokio::test(start_paused = true)]
async fn a_call_holds_a_slot_of_the_worker_and_one_of_its_pool() {
    let pool = Slots::new(3);
    let (one, other) = (member(Some(pool.clone()), |_| {}), member(Some(pool.clone()), |_| {}));
    let held = [&one, &one, &other].map(|member| member.enter(Pass::Usual).unwrap());
    assert_eq!((view(&one).running, view(&one).free), (2, 0));
    assert_eq!((view(&other).running, view(&other).free), (1, 0), "the pool is full");
    assert_eq!(other.enter(Pass::Usual).unwrap_err(), Refusal::Full);
    drop(held);
    assert_eq!((pool.taken(), view(&one).free, view(&other).free), (0, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_by_the_guard_holds_nothing_of_the_pool() {
    let pool = Slots::new(9);
    let member = member(Some(pool.clone()), |_| {});
    let held = [Pass::Usual; 2].map(|pass| member.enter(pass).unwrap());
    assert_eq!(member.enter(Pass::Usual).unwrap_err(), Refusal::Full);
    assert_eq!(pool.taken(), 2);
    drop(held);
    member.guard().force_open(ms(1_000));
    assert!(matches!(member.enter(Pass::Usual), Err(Refusal::Open(_))));
    assert_eq!(pool.taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_tells_of_an_open_breaker_how_long_and_whether_a_rate_has_opened_it() {
    let in_row = member(None, |_| {});
    in_row
        .enter(Pass::Usual)
        .unwrap()
        .permit
        .failed(failure(Code::UpstreamError));
    let seen = view(&in_row);
    assert_eq!((seen.state, seen.opened_by_rate), (State::Open, false));
    assert!(seen.due > ms(50_000), "{:?}", seen.due);
    let by_rate = member(None, |config| {
        config.circuit_breaker_threshold = 0;
        config.min_calls = 2;
    });
    for _ in 0..2 {
        by_rate
            .enter(Pass::Usual)
            .unwrap()
            .permit
            .failed(failure(Code::UpstreamError));
    }
    let seen = view(&by_rate);
    assert_eq!((seen.state, seen.opened_by_rate), (State::Open, true));
    assert!(seen.badness > 0.9, "{}", seen.badness);
}

#[tokio::test(start_paused = true)]
async fn it_tells_of_a_rest_and_of_its_own_limit() {
    let member = member(None, |config| {
        config.requests_per_minute = 60;
        config.requests_burst = 1;
    });
    let rests = failure(Code::RateLimited).with_retry_after(ms(5_000));
    member.enter(Pass::Usual).unwrap().permit.failed(rests);
    let seen = view(&member);
    assert_eq!((seen.rest, seen.rate_limited), (ms(5_000), ms(1_000)));
    assert_eq!(seen.away(), ms(5_000));
}

#[tokio::test(start_paused = true)]
async fn streams_and_whole_answers_have_latencies_of_their_own() {
    let member = member(None, |_| {});
    member.answered(true, ms(20), Instant::now());
    member.answered(false, ms(900), Instant::now());
    let latency = |is_stream| member.view((0, 1), &of_kind(is_stream), Instant::now()).latency;
    assert_eq!((latency(true), latency(false)), (Some(ms(20)), Some(ms(900))));
}

#[tokio::test(start_paused = true)]
async fn a_failure_adds_a_second_unless_it_says_nothing_and_never_its_own_fast_time() {
    for (code, expected) in [
        (Code::UpstreamError, Some(1_000)),
        (Code::UpstreamConnect, Some(1_000)),
        (Code::RateLimited, Some(1_000)),
        (Code::UpstreamRejected, None),
        (Code::Cancelled, None),
        (Code::FirstTokenTimeout, Some(30_000)),
    ] {
        let member = member(None, |_| {});
        member.failed(true, &failure(code), ms(30_000), Instant::now());
        assert_eq!(view(&member).latency, expected.map(ms), "{code:?}");
    }
}
