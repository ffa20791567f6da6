use super::*;
use crate::{
    Config, RuleConfig, Step,
    fixtures::{Bench, chain, failing},
};
use expect_test::expect;
use orchestrator_core::{Code, Failure};
use orchestrator_testkit::scripted::{self, Call};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn they_tell_what_answered_and_what_is_kept() {
    let live = scripted::Model::following([
        Call::saying(["fresh"]),
        Call::new().fail(Failure::new(Code::UpstreamConnect, "It does.")),
    ]);
    let bench = Bench::new(chain([Step::Cache]), &live, None);
    for text in ["q", "q", "q", "b new"] {
        bench.told(text).await;
    }
    expect![[r#"
        orchestrator_degradation_cache_bytes 325
        orchestrator_degradation_cache_entries 1
        orchestrator_degraded_total{by="cache",route="a"} 2
        orchestrator_degraded_total{by="none",route="b"} 1"#]]
    .assert_eq(&bench.metrics());
}

#[tokio::test(start_paused = true)]
async fn a_rule_is_shown_to_hold_by_the_clock() {
    let rule = RuleConfig {
        name: "r".to_owned(),
        failure_rate: 1.0,
        min_requests: 1,
        hold_s: 5,
        ..RuleConfig::default()
    };
    let config = Config {
        rules: vec![rule],
        ..chain([Step::Message])
    };
    let bench = Bench::new(config, &failing(Code::UpstreamError), None);
    let holds = || {
        bench
            .metrics()
            .contains(r#"orchestrator_degradation_rule_holds{route="a",rule="r"} 1"#)
    };
    assert!(!holds());
    bench.told("q").await;
    assert!(holds());
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(!holds());
}

#[tokio::test(start_paused = true)]
async fn names_are_as_they_should_be() {
    let bench = Bench::new(chain([Step::Message]), &failing(Code::UpstreamError), None);
    bench.told("q").await;
    let families = bench.registry.gather();
    assert!(
        families
            .iter()
            .all(|family| family.name().starts_with("orchestrator_deg"))
    );
    assert!(Metrics::register(&bench.registry).is_err(), "they are registered once");
}
