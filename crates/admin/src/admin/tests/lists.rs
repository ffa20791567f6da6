//! What each list shows, member by member.

use crate::fixtures::{Bench, ms};
use expect_test::expect;
use orchestrator_core::{Admission, Capacity as _, Code, Failure, FinishReason, Model as _};
use orchestrator_resilience::Pass;
use orchestrator_routing::{RouteConfig, Router};
use orchestrator_testkit::{
    cx, prompt,
    scripted::{Call, Model},
    world,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// One worker that has room for two calls and may be tried again seven times.
fn alone() -> Bench {
    let route = RouteConfig {
        primary: vec!["strong".into()],
        hard_limit: Some(9),
        ..RouteConfig::default()
    };
    Bench::over([("r", route)])
}

/// Calls the workers of a bench, who are all one model.
fn router(bench: &Bench, model: &Model) -> Router {
    let models = bench.members.iter().map(|_| Arc::new(model.clone()) as Arc<_>);
    Router::new(bench.routes.clone(), models.collect(), world(1).random("retries"))
}

/// The entries of a list.
fn list(bench: &Bench, path: &str) -> Vec<Value> {
    serde_json::from_str(&bench.get(path)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn breakers_stand_in_the_order_of_their_names() {
    expect![[r#"
        [
          {
            "name": "strong",
            "state": "closed",
            "cause": null,
            "due_ms": 0,
            "failure_rate": 0.0,
            "warmth": 1.0,
            "resting_ms": 0,
            "rate_limited_ms": 0,
            "running": 0,
            "free": 2,
            "max_concurrent": 2,
            "thresholds": {
              "fixed": {
                "failure_rate": 0.5,
                "rate_limit_rate": 0.0,
                "latency_p95_ms": 0
              },
              "in_force": {
                "failure_rate": 0.5,
                "rate_limit_rate": 0.0,
                "latency_p95_ms": 0
              }
            }
          }
        ]"#]]
    .assert_eq(&alone().get("circuit-breakers"));
    let bench = Bench::new();
    let names: Vec<_> = list(&bench, "circuit-breakers")
        .into_iter()
        .map(|breaker| breaker["name"].clone())
        .collect();
    assert_eq!(names, ["eu/llama 3", "fast", "local", "strong"]);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_shows_what_runs_and_how_long_its_worker_rests() {
    let bench = alone();
    let guard = bench.guard("strong");
    let running = guard.try_admit(Pass::Usual).unwrap();
    let busy = Failure::new(Code::RateLimited, "busy").with_retry_after(ms(2_500));
    guard.try_admit(Pass::Usual).unwrap().failed(busy);
    let [breaker] = list(&bench, "circuit-breakers").try_into().unwrap();
    let shown = ["state", "resting_ms", "running", "free"].map(|member| breaker[member].clone());
    assert_eq!(shown, [json!("closed"), json!(2_500), json!(1), json!(1)]);
    drop(running);
    let [breaker] = list(&bench, "circuit-breakers").try_into().unwrap();
    assert_eq!((&breaker["running"], &breaker["free"]), (&json!(0), &json!(2)));
}

#[tokio::test(start_paused = true)]
async fn a_half_open_breaker_has_as_many_free_calls_as_places_for_probes() {
    let bench = alone();
    bench.post("strong/force-open", r#"{"for_s":1}"#);
    tokio::time::advance(ms(1_000)).await;
    let probe = bench.guard("strong").try_admit(Pass::Usual).unwrap();
    let [breaker] = list(&bench, "circuit-breakers").try_into().unwrap();
    let shown = ["state", "cause", "due_ms", "running", "free"].map(|member| breaker[member].clone());
    assert_eq!(
        shown,
        [json!("half_open"), json!("forced"), json!(0), json!(1), json!(1)]
    );
    drop(probe);
}

#[tokio::test(start_paused = true)]
async fn workers_show_where_they_stand_and_that_nothing_is_known_yet() {
    let bench = Bench::new();
    let workers = list(&bench, "workers");
    expect![[r#"
        {
          "name": "fast",
          "routes": [
            {
              "route": "default",
              "tier": "primary"
            },
            {
              "route": "code",
              "tier": "primary"
            }
          ],
          "state": "closed",
          "running": 0,
          "free": 1,
          "max_concurrent": 2,
          "slots": 2,
          "stream_latency_ms": null,
          "whole_latency_ms": null,
          "healthy": null
        }"#]]
    .assert_eq(&format!("{:#}", workers[1]));
    let stands = |worker: &Value| {
        let seats = worker["routes"].as_array().unwrap().iter();
        let seats = seats.map(|seat| format!(" {} of {}", seat["tier"], seat["route"]));
        format!("{}:{}\n", worker["name"], seats.collect::<Vec<_>>().join(","))
    };
    expect![[r#"
        eu/llama 3: secondary of default
        fast: primary of default, primary of code
        local: backup of default, primary of code
        strong: secondary of default
    "#]]
    .assert_eq(&workers.iter().map(stands).collect::<String>().replace('"', ""));
}

#[tokio::test(start_paused = true)]
async fn latencies_are_told_apart_by_kind_and_are_forgotten() {
    let bench = alone();
    let model = Model::responding(|_, prompt| {
        let takes = if prompt.request.stream { 300 } else { 4_000 };
        Call::new().after(takes).text("a").finish(FinishReason::Stop)
    });
    let router = router(&bench, &model);
    for is_stream in [false, true] {
        let mut prompt = prompt("x");
        prompt.request.stream = is_stream;
        let (cx, _client) = cx(prompt.request.deadline);
        router.call(&cx, &prompt).await.unwrap();
    }
    let latencies = |bench: &Bench| {
        let [worker] = list(bench, "workers").try_into().unwrap();
        ["stream_latency_ms", "whole_latency_ms"].map(|kind| worker[kind].as_u64().unwrap())
    };
    assert_eq!(latencies(&bench), [300, 3_881]);
    tokio::time::advance(ms(10_000)).await;
    assert_eq!(latencies(&bench), [110, 1_428], "1/e after ten seconds");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_an_operator_has_opened_has_nothing_free() {
    let bench = alone();
    bench.post("strong/force-open", r#"{"for_s":60}"#);
    let [worker] = list(&bench, "workers").try_into().unwrap();
    assert_eq!((&worker["state"], &worker["free"]), (&json!("open"), &json!(0)));
}

#[tokio::test(start_paused = true)]
async fn routes_show_what_was_declared() {
    let bench = Bench::new();
    let routes = list(&bench, "routes");
    expect![[r#"
        {
          "name": "default",
          "models": [
            "*"
          ],
          "tiers": {
            "primary": [
              {
                "worker": "fast",
                "weight": 1
              }
            ],
            "secondary": [
              {
                "worker": "strong",
                "weight": 3
              },
              {
                "worker": "eu/llama 3",
                "weight": 1
              }
            ],
            "backup": [
              {
                "worker": "local",
                "weight": 1
              }
            ]
          },
          "balance": "p2c_ewma",
          "limits": {
            "soft_limit": 40,
            "hard_limit": null,
            "stream_soft_limit": null,
            "stream_hard_limit": null,
            "overflow_after_ms": 0,
            "latency_budget_ms": null
          },
          "complexity": null,
          "running": {
            "primary": 0,
            "secondary": 0,
            "backup": 0
          },
          "requests": 0
        }"#]]
    .assert_eq(&format!("{:#}", routes[0]));
    assert_eq!(routes[1]["models"], json!(["code-*", "review"]));
    assert_eq!(routes[1]["tiers"]["backup"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn routes_count_calls_by_tier_and_requests_that_the_gate_has_let_on() {
    let bench = alone();
    let model = Model::following([Call::new().after(250).text("a").after(250).finish(FinishReason::Stop)]);
    let router = router(&bench, &model);
    let Admission::Granted(credit) = bench.routes.admit(0) else {
        panic!("there is room")
    };
    let mut prompt = prompt("x");
    prompt.request.stream = true;
    let (cx, _client) = cx(prompt.request.deadline);
    let reply = router.call(&cx, &prompt).await.unwrap();
    let [route] = list(&bench, "routes").try_into().unwrap();
    assert_eq!(route["running"], json!({"primary": 1, "secondary": 0, "backup": 0}));
    assert_eq!(
        (&route["requests"], &route["limits"]["hard_limit"]),
        (&json!(1), &json!(9))
    );
    let [worker] = list(&bench, "workers").try_into().unwrap();
    let shown = ["running", "free", "stream_latency_ms", "whole_latency_ms"].map(|member| worker[member].clone());
    assert_eq!(shown, [json!(1), json!(1), json!(250), json!(null)]);
    drop((reply, credit));
    let [route] = list(&bench, "routes").try_into().unwrap();
    assert_eq!(
        (&route["running"]["primary"], &route["requests"]),
        (&json!(0), &json!(0))
    );
}

#[tokio::test(start_paused = true)]
async fn retries_show_their_settings_and_what_is_left_of_the_budget() {
    let bench = Bench::new();
    expect![[r#"
        [
          {
            "route": "default",
            "retry_attempts": 3,
            "retry_base_ms": 100,
            "retry_max_ms": 5000,
            "retry_budget_percent": 20,
            "retry_budget_min": 30,
            "retry_budget_left": 30
          },
          {
            "route": "code",
            "retry_attempts": 3,
            "retry_base_ms": 100,
            "retry_max_ms": 5000,
            "retry_budget_percent": 50,
            "retry_budget_min": 7,
            "retry_budget_left": 7
          }
        ]"#]]
    .assert_eq(&bench.get("retry"));
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_taken_from_the_budget_until_it_is_ten_seconds_old() {
    let bench = Bench::new();
    let failing = Call::new().fail(Failure::new(Code::UpstreamError, "no"));
    let model = Model::following([failing, Call::saying(["fine"])]);
    let router = router(&bench, &model);
    let prompt = prompt("x");
    let (cx, _client) = cx(prompt.request.deadline);
    router.call(&cx, &prompt).await.unwrap();
    let left = |bench: &Bench| list(bench, "retry")[0]["retry_budget_left"].clone();
    assert_eq!((model.calls(), left(&bench)), (2, json!(29)));
    tokio::time::advance(ms(11_000)).await;
    assert_eq!(left(&bench), json!(30));
}

#[tokio::test(start_paused = true)]
async fn balancing_shows_the_weights_of_all_workers() {
    let bench = Bench::new();
    expect![[r#"
        [
          {
            "route": "default",
            "balance": "p2c_ewma",
            "weights": {
              "eu/llama 3": 1,
              "fast": 1,
              "local": 1,
              "strong": 3
            }
          },
          {
            "route": "code",
            "balance": "round_robin",
            "weights": {
              "fast": 1,
              "local": 1
            }
          }
        ]"#]]
    .assert_eq(&bench.get("load-balancing"));
}

#[tokio::test(start_paused = true)]
async fn one_of_a_list_is_shown_as_in_the_list() {
    let bench = Bench::new();
    for (all, name) in [
        ("workers", "name"),
        ("routes", "name"),
        ("retry", "route"),
        ("load-balancing", "route"),
    ] {
        for shown in list(&bench, all) {
            let one = shown[name].as_str().unwrap().replace('/', "%2F").replace(' ', "%20");
            let one: Value = serde_json::from_str(&bench.get(&format!("{all}/{one}"))).unwrap();
            assert_eq!(one, shown);
        }
    }
    for (path, near) in [
        ("routes/defualt", "default"),
        ("retry/cod", "code"),
        ("workers/fats", "fast"),
    ] {
        let missing = bench.get(path);
        assert!(
            missing.starts_with("404") && missing.contains(&format!("Did you mean `{near}`?")),
            "{missing}"
        );
    }
}
