mod passes;
mod permits;
mod silence;
mod sizes;
mod timelines;
mod tokens;

use super::*;
use crate::Pass;
use orchestrator_core::{Code, Failure};
use prometheus::{Registry, proto::Metric};
use rand::SeedableRng;

fn guard(config: Config, slots: usize) -> (Guard, Registry) {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    (
        Guard::new("w".into(), config, slots, StdRng::seed_from_u64(5), &metrics),
        registry,
    )
}

fn quick() -> Config {
    Config {
        circuit_breaker_threshold: 2,
        circuit_breaker_timeout_s: 10,
        failure_rate: 0.0,
        ..Config::default()
    }
}

fn broken() -> Failure {
    Failure::new(Code::UpstreamError, "500")
}

fn limited(seconds: u64) -> Failure {
    Failure::new(Code::RateLimited, "429").with_retry_after(Duration::from_secs(seconds))
}

fn fail(guard: &Guard) {
    guard.try_admit(Pass::Usual).unwrap().failed(broken());
}

fn refused(guard: &Guard) -> Refusal {
    refusal(guard, Pass::Usual)
}

fn refusal(guard: &Guard, pass: Pass) -> Refusal {
    guard.try_admit(pass).expect_err("the guard refuses")
}

/// For how long an open breaker keeps calls away.
fn wait(guard: &Guard) -> Duration {
    match refused(guard) {
        Refusal::Open(wait) => wait,
        other => panic!("it is not open: {other:?}"),
    }
}

/// The sum of the worker's gauges or counters with this label.
fn shown(registry: &Registry, name: &str, label: &str) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name).unwrap();
    let has_label = |metric: &&Metric| metric.get_label().iter().any(|pair| pair.value() == label);
    let value = |metric: &Metric| metric.get_gauge().get_value() + metric.get_counter().get_value();
    family.get_metric().iter().filter(has_label).map(value).sum()
}

#[tokio::test(start_paused = true)]
async fn failures_open_the_breaker_and_the_clock_lets_a_probe_through() {
    let (guard, registry) = guard(quick(), 4);
    fail(&guard);
    fail(&guard);
    assert!((9..=11).contains(&wait(&guard).as_secs()));
    assert_eq!(shown(&registry, "orchestrator_breaker_state", "w"), 2.0);
    tokio::time::advance(Duration::from_secs(12)).await;
    assert_eq!(
        shown(&registry, "orchestrator_breaker_state", "w"),
        1.0,
        "the state follows the clock without traffic"
    );
    guard.try_admit(Pass::Usual).unwrap().first_token();
    guard.try_admit(Pass::Usual).unwrap().first_token();
    assert_eq!(
        (guard.state(), shown(&registry, "orchestrator_breaker_state", "w")),
        (State::Closed, 0.0)
    );
    for to in ["open", "half_open", "closed"] {
        assert_eq!(
            shown(&registry, "orchestrator_breaker_transitions_total", to),
            1.0,
            "{to}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_is_dropped_is_neutral_and_gives_slot_and_place_back() {
    let (guard, registry) = guard(quick(), 1);
    let permit = guard.try_admit(Pass::Usual).unwrap();
    assert_eq!(shown(&registry, "orchestrator_worker_in_flight", "w"), 1.0);
    drop(permit);
    assert_eq!((guard.slots().taken(), guard.state()), (0, State::Closed));
    fail(&guard);
    fail(&guard);
    tokio::time::advance(Duration::from_secs(12)).await;
    for _ in 0..10 {
        drop(
            guard
                .try_admit(Pass::Usual)
                .expect("a probe that is cancelled frees its place"),
        );
    }
    assert_eq!(guard.state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_later_counts_once() {
    let (guard, _) = guard(
        Config {
            circuit_breaker_threshold: 1,
            ..quick()
        },
        4,
    );
    let mut permit = guard.try_admit(Pass::Usual).unwrap();
    permit.first_token();
    permit.failed(Failure::new(Code::UpstreamTruncated, "cut"));
    assert_eq!(guard.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_asks_for_a_rest_gets_it_and_its_breaker_stays_closed() {
    let (guard, _) = guard(quick(), 4);
    for _ in 0..5 {
        guard.try_admit(Pass::Usual).unwrap().failed(limited(3));
        assert_eq!(refused(&guard), Refusal::Resting(Duration::from_secs(3)));
        tokio::time::advance(Duration::from_secs(3)).await;
    }
    assert_eq!(guard.state(), State::Closed);
}

/// A 429 without a word for how long: a second, then two; with one, what the server says.
#[tokio::test(start_paused = true)]
async fn a_client_hears_how_long_the_worker_rests() {
    let (guard, _) = guard(Config::default(), 9);
    let mut permits = Vec::new();
    for _ in 0..3 {
        permits.push(guard.try_admit(Pass::Usual).unwrap());
    }
    let mut told = |failure| permits.pop().unwrap().failed(failure).retry_after();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(told(Failure::new(Code::RateLimited, "429")), seconds(1));
    assert_eq!(told(limited(3)), seconds(3));
    assert_eq!(told(limited(1)), seconds(3), "the longer rest stands");
    assert_eq!(refused(&guard), Refusal::Resting(Duration::from_secs(3)));
}
