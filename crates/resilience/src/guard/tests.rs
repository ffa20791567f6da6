use super::*;
use prometheus::Registry;
use rand::SeedableRng;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

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
        ..Config::default()
    }
}

fn broken() -> Failure {
    Failure::new(Code::UpstreamError, "500")
}

async fn fail(guard: &Guard) {
    guard.admit().await.unwrap().failed(&broken());
}

async fn refused(guard: &Guard) -> Failure {
    guard.admit().await.expect_err("the guard refuses")
}

/// A gauge or counter of the worker, by the label that tells it apart.
fn shown(registry: &Registry, name: &str, label: &str) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name).unwrap();
    let metric = family
        .get_metric()
        .iter()
        .find(|metric| metric.get_label().iter().any(|pair| pair.value() == label));
    metric.map_or(0.0, |metric| {
        metric.get_gauge().get_value() + metric.get_counter().get_value()
    })
}

#[tokio::test(start_paused = true)]
async fn failures_open_the_breaker_and_the_clock_lets_a_probe_through() {
    let (guard, registry) = guard(quick(), 4);
    fail(&guard).await;
    fail(&guard).await;
    let refusal = refused(&guard).await;
    assert_eq!(refusal.code(), Code::BreakerOpen);
    assert!((9..=11).contains(&refusal.retry_after().unwrap().as_secs()));
    assert_eq!(shown(&registry, "orchestrator_breaker_state", "w"), 2.0);
    tokio::time::advance(Duration::from_secs(12)).await;
    assert_eq!(
        shown(&registry, "orchestrator_breaker_state", "w"),
        1.0,
        "the state follows the clock without traffic"
    );
    guard.admit().await.unwrap().first_token();
    guard.admit().await.unwrap().first_token();
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
    let permit = guard.admit().await.unwrap();
    assert_eq!(shown(&registry, "orchestrator_worker_in_flight", "w"), 1.0);
    drop(permit);
    assert_eq!((guard.slots().taken(), guard.state()), (0, State::Closed));
    fail(&guard).await;
    fail(&guard).await;
    tokio::time::advance(Duration::from_secs(12)).await;
    for _ in 0..10 {
        drop(guard.admit().await.expect("a probe that is cancelled frees its place"));
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
    let mut permit = guard.admit().await.unwrap();
    permit.first_token();
    permit.failed(&Failure::new(Code::UpstreamTruncated, "cut"));
    assert_eq!(guard.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_asks_for_a_rest_gets_it_and_its_breaker_stays_closed() {
    let (guard, _) = guard(quick(), 4);
    for _ in 0..5 {
        let limited = Failure::new(Code::RateLimited, "429").with_retry_after(Duration::from_secs(3));
        guard.admit().await.unwrap().failed(&limited);
        let refusal = refused(&guard).await;
        assert_eq!(
            (refusal.code(), refusal.retry_after()),
            (Code::RateLimited, Some(Duration::from_secs(3)))
        );
        tokio::time::advance(Duration::from_secs(3)).await;
    }
    assert_eq!(guard.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn impatient_clients_do_not_hide_a_hung_worker() {
    let (guard, _) = guard(quick(), 4);
    for call in 0..SILENT_CALLS {
        assert_eq!(guard.state(), State::Closed, "after {call} calls");
        drop(guard.admit().await.unwrap());
    }
    assert_eq!(guard.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn one_first_token_ends_the_row_of_silent_calls() {
    let (guard, _) = guard(quick(), 4);
    for call in 0..100 {
        let mut permit = guard.admit().await.unwrap();
        if call % 10 == 0 {
            permit.first_token();
        }
    }
    assert_eq!(guard.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_does_not_wait_for_a_slot() {
    let (guard, _) = guard(quick(), 1);
    fail(&guard).await;
    fail(&guard).await;
    tokio::time::advance(Duration::from_secs(12)).await;
    let _probe = guard.admit().await.unwrap();
    let mut waits = Box::pin(guard.admit());
    assert!(futures_util::poll!(waits.as_mut()).is_pending(), "all slots are taken");
}

/// A thousand racers at a half-open breaker: never more inside than there are probes.
#[test]
fn half_open_never_admits_more_than_its_probes_under_a_thousand_racers() {
    let config = Config {
        circuit_breaker_timeout_s: 1,
        open_max_s: 1,
        half_open_probes: 3,
        close_after: 1000,
        ..quick()
    };
    let (guard, _) = guard(config, 1000);
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        fail(&guard).await;
        fail(&guard).await;
        tokio::time::advance(Duration::from_secs(2)).await;
        let racers = (0..1000).map(|_| async {
            let Ok(_permit) = guard.admit().await else { return };
            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
            tokio::task::yield_now().await;
            inside.fetch_sub(1, SeqCst);
        });
        futures_util::future::join_all(racers).await;
    });
    assert!((1..=3).contains(&most.load(SeqCst)), "{most:?}");
    assert_eq!(guard.slots().taken(), 0);
}
