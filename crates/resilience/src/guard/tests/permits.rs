//! Whatever way a call ends, its slot and its probe's place come back once; and what it reports counts once.

use super::*;
use futures_util::FutureExt;
use orchestrator_core::Tasks;
use proptest::prelude::*;
use std::panic::AssertUnwindSafe;

/// A guard whose breaker is half-open, with this many places for probes.
async fn half_open(slots: usize, probes: u32) -> Guard {
    let config = Config {
        half_open_probes: probes,
        ..quick()
    };
    let (guard, _) = guard(config, slots);
    fail(&guard);
    fail(&guard);
    tokio::time::advance(Duration::from_secs(12)).await;
    assert_eq!(guard.state(), State::HalfOpen);
    guard
}

/// The ways in which a call ends without a verdict on its worker.
pub(super) const WAYS: [&str; 6] = [
    "dropped",
    "panicked",
    "aborted",
    "timed out",
    "rejected",
    "never polled again",
];

async fn end_call(guard: &Guard, way: &str) {
    end(guard.try_admit(Pass::Usual).unwrap(), way).await;
}

pub(super) async fn end(mut permit: Permit, way: &str) {
    match way {
        "dropped" => drop(permit),
        "rejected" => drop(permit.failed(Failure::new(Code::UpstreamRejected, "400"))),
        "panicked" => {
            let call = async move {
                let _permit = permit;
                panic!("in the middle of a call")
            };
            assert!(AssertUnwindSafe(call).catch_unwind().await.is_err());
        }
        "aborted" => {
            let task = Tasks::new().spawn(async move {
                let _permit = permit;
                std::future::pending::<()>().await;
            });
            tokio::task::yield_now().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
        "timed out" => {
            let call = async move {
                let _permit = permit;
                std::future::pending::<()>().await;
            };
            assert!(tokio::time::timeout(Duration::from_millis(5), call).await.is_err());
        }
        _ => {
            let mut call = Box::pin(async move {
                let _permit = permit;
                tokio::task::yield_now().await;
            });
            assert!(futures_util::poll!(call.as_mut()).is_pending());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_end_gives_slot_and_place_back() {
    let guard = half_open(1, 1).await;
    for way in WAYS {
        end_call(&guard, way).await;
        assert_eq!(guard.slots().taken(), 0, "{way}");
        assert!(guard.try_admit(Pass::Usual).is_ok(), "{way}");
        assert_eq!(guard.state(), State::HalfOpen, "{way} says nothing of the worker");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_gives_its_place_back_at_its_first_token_and_its_slot_at_its_end() {
    let guard = half_open(2, 1).await;
    let mut probe = guard.try_admit(Pass::Usual).unwrap();
    assert_eq!(refused(&guard), Refusal::NoProbePlace, "the only place is taken");
    probe.first_token();
    let next = guard.try_admit(Pass::Usual).unwrap();
    assert_eq!(guard.slots().taken(), 2);
    drop((probe, next));
    assert_eq!(guard.slots().taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_long_stream_is_a_success_from_its_first_token_on() {
    let guard = half_open(4, 2).await;
    let mut streams = [
        guard.try_admit(Pass::Usual).unwrap(),
        guard.try_admit(Pass::Usual).unwrap(),
    ];
    streams.iter_mut().for_each(Permit::first_token);
    assert_eq!(guard.state(), State::Closed, "its length is no fault");
    tokio::time::advance(Duration::from_secs(3_600)).await;
    drop(streams);
    assert_eq!(guard.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_a_permit_reports_again_counts_no_more() {
    let (guard, _) = guard(
        Config {
            circuit_breaker_threshold: 3,
            ..quick()
        },
        4,
    );
    let mut permit = guard.try_admit(Pass::Usual).unwrap();
    for _ in 0..5 {
        permit.failed(broken());
        permit.first_token();
    }
    let mut stream = guard.try_admit(Pass::Usual).unwrap();
    stream.first_token();
    for _ in 0..5 {
        stream.failed(broken());
    }
    drop((permit, stream));
    assert_eq!(guard.state(), State::Closed, "two calls are two failures");
    fail(&guard);
    assert_eq!(guard.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn failures_that_come_late_do_not_prolong_the_pause_and_successes_earn_no_credit() {
    let (guard, _) = guard(quick(), 20);
    let mut old = Vec::new();
    for _ in 0..10 {
        old.push(guard.try_admit(Pass::Usual).unwrap());
    }
    fail(&guard);
    fail(&guard);
    tokio::time::advance(wait(&guard) - Duration::from_millis(1)).await;
    for (nth, permit) in old.iter_mut().enumerate() {
        match nth % 2 {
            0 => drop(permit.failed(broken())),
            _ => permit.first_token(),
        }
    }
    assert_eq!(guard.state(), State::Open);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(guard.state(), State::HalfOpen, "just when it said");
    drop(old);
    assert_eq!(guard.state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_429_begins_one_rest_and_a_call_served_meanwhile_does_not_end_it() {
    let (guard, _) = guard(quick(), 20);
    let mut calls = Vec::new();
    for _ in 0..10 {
        calls.push(guard.try_admit(Pass::Usual).unwrap());
    }
    let mut served = guard.try_admit(Pass::Usual).unwrap();
    for call in &mut calls {
        call.failed(Failure::new(Code::RateLimited, "429"));
    }
    let rests = Refusal::Resting(Duration::from_secs(1));
    assert_eq!(refused(&guard), rests);
    served.first_token();
    assert_eq!(refused(&guard), rests);
}

#[tokio::test(start_paused = true)]
async fn who_finds_all_slots_taken_hears_of_a_rest_first() {
    let (guard, _) = guard(quick(), 1);
    let mut only = guard.try_admit(Pass::Usual).unwrap();
    only.failed(limited(7));
    assert_eq!(guard.slots().free(), 0);
    assert_eq!(refused(&guard), Refusal::Resting(Duration::from_secs(7)));
}

/// Lets a thousand callers on eight threads try at once; each keeps what it got until all have tried.
fn race(guard: &Guard, pass: Pass) -> Vec<Permit> {
    let racer = || (0..125).filter_map(|_| guard.try_admit(pass).ok()).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(racer)).collect();
        threads
            .into_iter()
            .flat_map(|thread| -> Vec<Permit> { thread.join().unwrap() })
            .collect()
    })
}

#[test]
fn a_thousand_racers_at_a_half_open_breaker_make_as_many_probes_as_it_has_places() {
    let config = Config {
        circuit_breaker_timeout_s: 0,
        ..quick()
    };
    let (guard, _) = guard(config, 1_000);
    for _ in 0..2 {
        fail(&guard);
    }
    for _ in 0..20 {
        let probes = race(&guard, Pass::Usual);
        assert_eq!((probes.len(), guard.slots().taken()), (3, 3));
        drop(probes);
        assert_eq!((guard.state(), guard.slots().taken()), (State::HalfOpen, 0));
    }
}

#[test]
fn a_thousand_early_probes_at_an_open_breaker_are_as_many_as_it_has_places() {
    let (guard, _) = guard(quick(), 1_000);
    for _ in 0..2 {
        guard.try_admit(Pass::Usual).unwrap().failed(broken());
    }
    for _ in 0..20 {
        assert!(race(&guard, Pass::Usual).is_empty());
        let probes = race(&guard, Pass::EarlyProbe);
        assert_eq!((probes.len(), guard.slots().taken()), (3, 3));
        drop(probes);
        assert_eq!((guard.state(), guard.slots().taken()), (State::Open, 0));
    }
}

#[test]
fn a_thousand_racers_at_a_closed_breaker_take_as_many_slots_as_there_are() {
    let (guard, _) = guard(
        Config {
            circuit_breaker_threshold: 0,
            ..quick()
        },
        95,
    );
    for _ in 0..20 {
        let calls = race(&guard, Pass::Usual);
        assert_eq!((calls.len(), guard.slots().taken()), (95, 95));
        drop(calls);
        assert_eq!(guard.slots().taken(), 0);
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Ask(Pass),
    Token(usize),
    Fail(usize, Code),
    Drop(usize),
    Wait(u64),
    Force(u64),
    Reset,
}

fn event() -> impl Strategy<Value = Event> {
    let code = prop::sample::select(Code::ALL.to_vec());
    let pass = prop::sample::select(vec![Pass::Usual, Pass::Usual, Pass::AsClosed, Pass::EarlyProbe]);
    prop_oneof![
        8 => pass.prop_map(Event::Ask),
        4 => (0_usize..5).prop_map(Event::Token),
        4 => (0_usize..5, code).prop_map(|(at, code)| Event::Fail(at, code)),
        4 => (0_usize..5).prop_map(Event::Drop),
        2 => (0_u64..20_000).prop_map(Event::Wait),
        1 => (0_u64..300).prop_map(Event::Force),
        1 => Just(Event::Reset),
    ]
}

async fn live(events: Vec<Event>) {
    let config = Config {
        failure_rate: 0.5,
        min_calls: 3,
        ..quick()
    };
    let (guard, registry) = guard(config, 4);
    let mut permits: Vec<Permit> = Vec::new();
    for event in events {
        match event {
            Event::Ask(pass) => permits.extend(guard.try_admit(pass).ok()),
            Event::Force(seconds) => guard.force_open(Duration::from_secs(seconds)),
            Event::Reset => guard.reset(),
            Event::Wait(millis) => tokio::time::advance(Duration::from_millis(millis)).await,
            Event::Token(at) => permits.get_mut(at).into_iter().for_each(Permit::first_token),
            Event::Fail(at, code) => {
                let permit = permits.get_mut(at).into_iter();
                permit.for_each(|permit| drop(permit.failed(Failure::new(code, ""))));
            }
            Event::Drop(at) if at < permits.len() => drop(permits.swap_remove(at)),
            Event::Drop(_) => {}
        }
        assert!(permits.len() <= 4);
        assert_eq!(guard.slots().taken(), permits.len());
        let gauge = shown(&registry, "orchestrator_breaker_state", "w");
        assert_eq!(gauge as i64, guard.state().as_gauge());
        let view = guard.view(Instant::now());
        let is_open = view.state == State::Open;
        assert_eq!((view.state, is_open), (guard.state(), !view.due.is_zero()));
        assert_eq!(view.cause.is_none(), view.state == State::Closed);
        assert!(view.running + view.free <= 4);
    }
    drop(permits);
    assert_eq!(shown(&registry, "orchestrator_worker_in_flight", "w"), 0.0);
    tokio::time::advance(Duration::from_secs(400)).await;
    for _ in 0..3 {
        guard
            .try_admit(Pass::Usual)
            .expect("a worker that is left alone comes back")
            .first_token();
    }
    assert_eq!(guard.state(), State::Closed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn slots_are_those_of_living_permits_and_every_worker_comes_back(events in prop::collection::vec(event(), 0..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(live(events));
    }
}
