use crate::fixtures::*;
use bytes::Bytes;
use expect_test::expect;
use http::{Method, Response};
use orchestrator_core::{Code, Failure, Model};
use orchestrator_degradation::{Chain, Config, ReducedConfig, RuleConfig, Step};
use orchestrator_routing::RouteConfig;
use orchestrator_testkit::{cx, prompt, scripted};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, advance};

/// All steps, of which the reduced mode asks `local`, and a rule that two failures in a row make hold.
fn bench() -> Bench {
    let reduced = RouteConfig {
        models: Vec::new(),
        primary: vec!["local".to_owned()],
        ..RouteConfig::default()
    };
    let default = RouteConfig {
        primary: vec!["fast".to_owned()],
        ..RouteConfig::default()
    };
    let config = Config {
        chain: vec![Step::Cache, Step::Reduced, Step::Message],
        reduced: ReducedConfig {
            workers: vec!["local".to_owned()],
            ..ReducedConfig::default()
        },
        rules: vec![RuleConfig {
            name: "many failures".to_owned(),
            failure_rate: 1.0,
            min_requests: 2,
            ..RuleConfig::default()
        }],
        ..Config::default()
    };
    Bench::degrading([("default", default), ("reduced", reduced)], config)
}

/// Sends a request on the first route to workers that fail.
async fn fail(bench: &Bench) {
    let failing = scripted::Call::new().fail(Failure::new(Code::UpstreamConnect, "It does."));
    let live = Arc::new(scripted::Model::following([failing]));
    let chain = Chain::new(bench.degradation.clone(), live, None);
    let (cx, _client) = cx(Instant::now() + Duration::from_secs(60));
    drop(chain.call(&cx, &prompt("q")).await);
}

#[tokio::test(start_paused = true)]
async fn the_chain_its_rules_and_its_episodes_are_shown() {
    let bench = bench();
    for _ in 0..3 {
        fail(&bench).await;
    }
    advance(Duration::from_secs(10)).await;
    let shown = bench.get("degradation");
    expect![[r#"
        {
          "chain": [
            "cache",
            "reduced",
            "message"
          ],
          "rules": [
            {
              "name": "many failures",
              "route": "default",
              "mode": "message",
              "holds": true,
              "since": "2026-01-01T00:00:00.000Z",
              "failure_rate": 0.0,
              "slow_rate": 0.0
            },
            {
              "name": "many failures",
              "route": "reduced",
              "mode": "message",
              "holds": false,
              "since": null,
              "failure_rate": 0.0,
              "slow_rate": 0.0
            }
          ],
          "episodes": [
            {
              "route": "default",
              "cause": "upstream_connect",
              "began": "2026-01-01T00:00:00.000Z",
              "ended": null,
              "duration_ms": 10000,
              "requests": {
                "all": 2,
                "cache": 0,
                "stale": 0,
                "reduced": 0,
                "message": 2,
                "none": 0
              }
            },
            {
              "route": "default",
              "cause": "rule many failures",
              "began": "2026-01-01T00:00:00.000Z",
              "ended": null,
              "duration_ms": 10000,
              "requests": {
                "all": 1,
                "cache": 0,
                "stale": 0,
                "reduced": 0,
                "message": 1,
                "none": 0
              }
            }
          ]
        }"#]]
    .assert_eq(&shown);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_holds_no_more_has_an_episode_that_ended() {
    let bench = bench();
    for _ in 0..3 {
        fail(&bench).await;
    }
    advance(Duration::from_secs(300)).await;
    let shown: serde_json::Value = serde_json::from_str(&bench.get("degradation")).unwrap();
    let (rule, episode) = (&shown["rules"][0], &shown["episodes"][1]);
    assert_eq!(
        (&rule["holds"], &episode["cause"]),
        (&false.into(), &"rule many failures".into())
    );
    assert_eq!(
        (&episode["ended"], &episode["duration_ms"]),
        (&"2026-01-01T00:00:30.000Z".into(), &30_000.into())
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_is_shown_and_looking_counts_nothing() {
    let bench = bench();
    fail(&bench).await;
    let stats = bench.get("degradation/stats");
    expect![[r#"
        {
          "requests": {
            "all": 1,
            "cache": 0,
            "stale": 0,
            "reduced": 0,
            "message": 1,
            "none": 0
          },
          "cache": {
            "entries": 0,
            "bytes": 0
          }
        }"#]]
    .assert_eq(&stats);
    assert_eq!(bench.get("degradation/stats"), stats);
}

/// What the test of the chain tells, after such a request.
fn tried(bench: &Bench, method: Method, body: &str) -> Response<Bytes> {
    bench.ask(method, "/api/v1/degradation/test", body.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_test_tells_what_would_answer_and_asks_nobody() {
    let bench = bench();
    expect![[r#"
        {
          "steps": [
            {
              "step": "cache",
              "answers": "none",
              "because": "no answer is kept"
            },
            {
              "step": "reduced",
              "answers": "all",
              "because": "a worker of the reduced mode takes calls"
            },
            {
              "step": "message",
              "answers": "all",
              "because": "the message is always the same"
            }
          ],
          "answers": "reduced"
        }"#]]
    .assert_eq(&shown(&tried(&bench, Method::POST, "")));
    bench.guard("local").force_open(Duration::from_secs(60));
    expect![[r#"
        {
          "steps": [
            {
              "step": "cache",
              "answers": "none",
              "because": "no answer is kept"
            },
            {
              "step": "reduced",
              "answers": "none",
              "because": "no worker of the reduced mode takes calls"
            },
            {
              "step": "message",
              "answers": "all",
              "because": "the message is always the same"
            }
          ],
          "answers": "message"
        }"#]]
    .assert_eq(&shown(&tried(&bench, Method::POST, "{}")));
    assert_eq!(bench.degradation.total().all(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_chain_nothing_answers() {
    let bench = Bench::new();
    expect![[r#"
        {
          "chain": [],
          "rules": [],
          "episodes": []
        }"#]]
    .assert_eq(&bench.get("degradation"));
    expect![[r#"
        {
          "steps": [],
          "answers": null
        }"#]]
    .assert_eq(&shown(&tried(&bench, Method::POST, "")));
}

#[tokio::test(start_paused = true)]
async fn a_test_takes_no_fields_and_is_asked_for_by_post() {
    let bench = bench();
    assert_eq!(tried(&bench, Method::POST, r#"{"model":"m"}"#).status(), 422);
    assert_eq!(tried(&bench, Method::GET, "").status(), 405);
}
