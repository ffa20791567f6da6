//! What a scraper reads of routes.

use super::*;
use crate::fixtures::{Bench, bad, fine, prompt, streamed};
use expect_test::expect;
use orchestrator_testkit::scripted::Call;

#[tokio::test(start_paused = true)]
async fn a_route_shows_where_its_requests_went_and_why() {
    let script = |name: &str, nth: usize| match (name, nth) {
        ("a", 0..5) => bad(),
        ("b", 6) => Call::new().text("x").hang(),
        _ => fine(),
    };
    let bench = Bench::new("a | b | c", script, |setup| setup.route.retry_budget_min = 40);
    for _ in 0..6 {
        bench.answer(&streamed()).await.unwrap();
    }
    let running = bench.call(&prompt(false)).await.unwrap();
    expect![[r#"
        orchestrator_breaker_state{worker="a"} 2
        orchestrator_breaker_threshold_ratio{kind="fixed",rate="failure",worker="a"} 0.5
        orchestrator_breaker_threshold_ratio{kind="fixed",rate="failure",worker="b"} 0.5
        orchestrator_breaker_threshold_ratio{kind="fixed",rate="failure",worker="c"} 0.5
        orchestrator_breaker_threshold_ratio{kind="in_force",rate="failure",worker="a"} 0.5
        orchestrator_breaker_threshold_ratio{kind="in_force",rate="failure",worker="b"} 0.5
        orchestrator_breaker_threshold_ratio{kind="in_force",rate="failure",worker="c"} 0.5
        orchestrator_breaker_transitions_total{cause="failures_in_row",to="open",worker="a"} 1
        orchestrator_retries_total{reason="upstream_error",worker="a"} 5
        orchestrator_retry_budget_left{route="r"} 35
        orchestrator_route_calls{route="r",tier="secondary"} 1
        orchestrator_route_decisions_total{reason="primary_breaker_open",route="r"} 2
        orchestrator_route_decisions_total{reason="primary_normal",route="r"} 5
        orchestrator_route_decisions_total{reason="secondary_normal",route="r"} 5
        orchestrator_worker_free_slots{worker="a"} 100
        orchestrator_worker_free_slots{worker="b"} 99
        orchestrator_worker_free_slots{worker="c"} 100
        orchestrator_worker_in_flight{worker="b"} 1
    "#]]
    .assert_eq(&bench.shown("r"));
    drop(running);
    assert_eq!(bench.shown("route_calls"), "");
}

#[tokio::test(start_paused = true)]
async fn a_route_without_a_call_shows_zeros_for_every_reason() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap().route("r");
    metrics.refused(Refused::AllResting);
    let families = registry.gather();
    let counted = |name: &str| {
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let values = family
            .get_metric()
            .iter()
            .map(|metric| metric.get_counter().get_value());
        (family.get_metric().len(), values.sum::<f64>())
    };
    assert_eq!(counted("orchestrator_route_decisions_total"), (Reason::ALL.len(), 0.0));
    assert_eq!(
        counted("orchestrator_route_refusals_total"),
        (Refused::FINAL.len() + 1, 1.0),
        "with that of unknown models, which have no route"
    );
    assert_eq!(counted("orchestrator_retry_budget_spent_total"), (1, 0.0));
}

#[test]
fn names_are_taken_once() {
    let registry = Registry::new();
    Metrics::register(&registry).unwrap();
    assert!(Metrics::register(&registry).is_err());
}

#[tokio::test(start_paused = true)]
async fn routes_that_are_gone_are_shown_no_more() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let guards = orchestrator_resilience::Metrics::register(&Registry::new()).unwrap();
    let rng = orchestrator_testkit::world(1).random("w");
    let guard = orchestrator_resilience::Guard::new("w".into(), Default::default(), 1, rng, &guards);
    let member = Arc::new(crate::Member::new(guard, None));
    (0..2).for_each(|_| member.probed(true));
    let config = crate::RouteConfig {
        primary: vec!["w".to_owned()],
        ..Default::default()
    };
    let gauges = || {
        let families = registry.gather();
        let live = ["retry_budget_left", "route_calls", "worker_healthy"];
        live.map(|name| {
            let is_it = |family: &&MetricFamily| family.name() == format!("orchestrator_{name}");
            families
                .iter()
                .find(is_it)
                .map_or(0, |family| family.get_metric().len())
        })
    };
    let routes = Routes::build([("r", config)], &[member], 1, &metrics).unwrap();
    assert_eq!(gauges(), [1, 3, 1]);
    drop(routes);
    assert_eq!(gauges(), [0; 3]);
    assert_eq!(format!("{:?}", metrics.live), "Live { .. }");
}
