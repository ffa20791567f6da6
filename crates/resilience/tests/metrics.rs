//! What operators see of workers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a fault in here shall end the test"
)]

use expect_test::expect;
use orchestrator_core::{Code, Failure};
use orchestrator_resilience::{Config, Guard, Metrics, Pass, Refusal, State};
use prometheus::{Registry, TextEncoder};
use rand::{SeedableRng, rngs::StdRng};
use std::time::Duration;

fn guard(worker: &str, metrics: &Metrics) -> Guard {
    let config = Config {
        circuit_breaker_threshold: 1,
        circuit_breaker_timeout_s: 10,
        close_after: 1,
        ..Config::default()
    };
    Guard::new(worker.into(), config, 2, StdRng::seed_from_u64(1), metrics)
}

fn shown(registry: &Registry) -> String {
    let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines.retain(|line| !line.ends_with(" 0"));
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

fn fail(guard: &Guard) {
    guard
        .try_admit(Pass::Usual)
        .unwrap()
        .failed(Failure::new(Code::UpstreamConnect, "refused"));
}

#[tokio::test(start_paused = true)]
async fn each_worker_shows_its_calls_and_its_breaker() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let [bad, good] = ["bad", "good"].map(|worker| guard(worker, &metrics));
    let running = good.try_admit(Pass::Usual).unwrap();
    fail(&bad);
    expect![[r#"
        orchestrator_breaker_state{worker="bad"} 2
        orchestrator_breaker_threshold_ratio{kind="fixed",rate="failure",worker="bad"} 0.5
        orchestrator_breaker_threshold_ratio{kind="fixed",rate="failure",worker="good"} 0.5
        orchestrator_breaker_threshold_ratio{kind="in_force",rate="failure",worker="bad"} 0.5
        orchestrator_breaker_threshold_ratio{kind="in_force",rate="failure",worker="good"} 0.5
        orchestrator_breaker_transitions_total{cause="failures_in_row",to="open",worker="bad"} 1
        orchestrator_worker_free_slots{worker="bad"} 2
        orchestrator_worker_free_slots{worker="good"} 1
        orchestrator_worker_in_flight{worker="good"} 1
    "#]]
    .assert_eq(&shown(&registry));
    drop(running);
    tokio::time::advance(Duration::from_secs(12)).await;
    bad.try_admit(Pass::Usual).unwrap().first_token();
    expect![[r#"
        orchestrator_breaker_threshold_ratio{kind="fixed",rate="failure",worker="bad"} 0.5
        orchestrator_breaker_threshold_ratio{kind="fixed",rate="failure",worker="good"} 0.5
        orchestrator_breaker_threshold_ratio{kind="in_force",rate="failure",worker="bad"} 0.5
        orchestrator_breaker_threshold_ratio{kind="in_force",rate="failure",worker="good"} 0.5
        orchestrator_breaker_transitions_total{cause="elapsed",to="half_open",worker="bad"} 1
        orchestrator_breaker_transitions_total{cause="failures_in_row",to="open",worker="bad"} 1
        orchestrator_breaker_transitions_total{cause="probes_served",to="closed",worker="bad"} 1
        orchestrator_worker_free_slots{worker="bad"} 2
        orchestrator_worker_free_slots{worker="good"} 2
    "#]]
    .assert_eq(&shown(&registry));
}

#[tokio::test(start_paused = true)]
async fn looking_changes_nothing() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let guard = guard("w", &metrics);
    fail(&guard);
    tokio::time::advance(Duration::from_secs(12)).await;
    let first = (shown(&registry), guard.state(), format!("{guard:?} {metrics:?}"));
    for _ in 0..100 {
        assert_eq!(
            first,
            (shown(&registry), guard.state(), format!("{guard:?} {metrics:?}"))
        );
    }
    assert_eq!(guard.state(), State::HalfOpen);
    let probes = [(); 2].map(|()| guard.try_admit(Pass::Usual));
    assert!(probes.iter().all(Result::is_ok), "no look took a probe's place");
}

#[test]
fn one_registry_shows_the_workers_once() {
    let registry = Registry::new();
    let _metrics = Metrics::register(&registry).unwrap();
    assert!(matches!(
        Metrics::register(&registry),
        Err(prometheus::Error::AlreadyReg)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_when_to_come_back() {
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let guard = guard("mine", &metrics);
    fail(&guard);
    let Refusal::Open(wait) = guard.try_admit(Pass::Usual).unwrap_err() else {
        panic!("its breaker is not open")
    };
    tokio::time::advance(wait).await;
    let probe = guard.try_admit(Pass::Usual);
    assert!(probe.is_ok(), "who comes when it was told is let in");
}

#[tokio::test(start_paused = true)]
async fn thresholds_that_follow_the_worker_are_shown_beside_the_fixed_ones() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let config = Config {
        latency_p95_ms: 800,
        adaptive_thresholds: true,
        ..Config::default()
    };
    let guard = Guard::new("w".into(), config, 2, StdRng::seed_from_u64(1), &metrics);
    for _ in 0..1_000 {
        let mut permit = guard.try_admit(Pass::Usual).unwrap();
        tokio::time::advance(Duration::from_millis(100)).await;
        permit.first_token();
    }
    let page = shown(&registry);
    let value = |start: &str| {
        let line = page.lines().find(|line| line.starts_with(start)).expect(start);
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let ratio = |kind| {
        value(&format!(
            r#"orchestrator_breaker_threshold_ratio{{kind="{kind}",rate="failure",worker="w"}}"#
        ))
    };
    let seconds = |kind| {
        value(&format!(
            r#"orchestrator_breaker_threshold_seconds{{kind="{kind}",worker="w"}}"#
        ))
    };
    assert_eq!((ratio("fixed"), seconds("fixed")), (0.5, 0.8));
    let (share, time) = (ratio("in_force"), seconds("in_force"));
    assert!(
        (0.25..0.28).contains(&share) && (0.4..0.46).contains(&time),
        "{share} {time}"
    );
}
