//! Settings that an operator changes: what is asked of whoever keeps them, and what is told.

use crate::fixtures::Bench;
use expect_test::expect;
use orchestrator_core::{Admission, Capacity as _};
use serde_json::{Value, json};

fn json(answer: &str) -> Value {
    serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[tokio::test(start_paused = true)]
async fn each_resource_asks_for_what_it_shows_and_no_more() {
    let bench = Bench::new();
    for (path, body) in [
        ("routes/code", r#"{"hard_limit":5}"#),
        ("load-balancing/code", r#"{"balance":"weighted","weights":{"fast":4}}"#),
        ("retry/default", r#"{"retry_budget_min":0}"#),
        ("workers/eu%2Fllama%203", r#"{"max_concurrent":9}"#),
        ("pools", r#"{"fast":7,"slow":null}"#),
        ("routes/default", "{}"),
        ("routes/default", " "),
    ] {
        let answer = bench.patch(path, body);
        assert_eq!(answer, bench.get(path), "it is shown as it is then");
    }
    expect![[r#"
        Route("code") [] {"hard_limit":5}
        Route("code") ["balance", "weights"] {"balance":"weighted","weights":{"fast":4}}
        Route("default") ["retry_budget_percent", "retry_budget_min"] {"retry_budget_min":0}
        Worker("eu/llama 3") [] {"max_concurrent":9}
        Pools [] {"fast":7,"slow":null}
        Route("default") [] {}
        Route("default") [] {}"#]]
    .assert_eq(&bench.keeper.asked.lock().join("\n"));
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_is_shown_wherever_one_looks() {
    let bench = Bench::new();
    let changed = json(&bench.patch("routes/code", r#"{"hard_limit":5,"overflow_after_ms":20}"#));
    assert_eq!(
        changed["limits"],
        json!({
            "soft_limit": null, "hard_limit": 5, "stream_soft_limit": null, "stream_hard_limit": null,
            "overflow_after_ms": 20,
            "latency_budget_ms": null,
        })
    );
    bench.patch("load-balancing/code", r#"{"balance":"weighted","weights":{"fast":4}}"#);
    let shown = json(&bench.get("routes"));
    assert_eq!(
        (&shown[1]["balance"], &shown[1]["limits"]),
        (&json!("weighted"), &changed["limits"])
    );
    let seats = json!([{"worker": "local", "weight": 1}, {"worker": "fast", "weight": 4}]);
    assert_eq!(shown[1]["tiers"]["primary"], seats);
    let retry = json(&bench.patch("retry/code", r#"{"retry_budget_percent":0,"retry_budget_min":3}"#));
    assert_eq!(
        (&retry["retry_budget_percent"], &retry["retry_budget_left"]),
        (&json!(0), &json!(3))
    );
    let worker = json(&bench.patch("workers/fast", r#"{"max_concurrent":6}"#));
    let shown = ["max_concurrent", "slots", "free"].map(|member| worker[member].clone());
    assert_eq!(shown, [json!(6), json!(6), json!(1)], "its pool has room for one");
    bench.patch("pools", r#"{"fast":4}"#);
    assert_eq!(json(&bench.get("workers/fast"))["free"], 4);
    assert_eq!(json(&bench.get("circuit-breakers/fast"))["max_concurrent"], 6);
}

#[tokio::test(start_paused = true)]
async fn the_next_request_meets_what_is_in_force() {
    let bench = Bench::new();
    let let_on = |bench: &Bench| {
        let on = std::iter::from_fn(|| match bench.routes.admit(0) {
            Admission::Granted(credit) => Some(credit),
            Admission::Full | Admission::Refused => None,
        });
        on.collect::<Vec<_>>().len()
    };
    assert_eq!(
        let_on(&bench),
        7,
        "two slots of each of four workers, but one of the pool"
    );
    bench.patch("routes/default", r#"{"hard_limit":3}"#);
    assert_eq!(let_on(&bench), 3);
    bench.patch("routes/default", r#"{"hard_limit":null}"#);
    bench.patch("workers/strong", r#"{"max_concurrent":12}"#);
    assert_eq!(let_on(&bench), 17);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_a_problem_that_tells_all_that_is_wrong() {
    let bench = Bench::new();
    let before = bench.get("workers/fast");
    expect![[r#"
        422 Unprocessable Entity
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "Nothing was changed. `some.path`: no number. And 1 more.",
          "errors": [
            {
              "path": "some.path",
              "message": "no number",
              "help": "mend it"
            },
            {
              "path": "some.path",
              "message": "a second fault",
              "help": "mend it"
            }
          ]
        }"#]]
    .assert_eq(&bench.patch("workers/fast", r#"{"max_concurrent":"many"}"#));
    assert_eq!(bench.get("workers/fast"), before);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_there_and_what_is_no_object_is_not_asked_for() {
    let bench = Bench::new();
    for (path, body, expected) in [
        ("routes/cod", r#"{"hard_limit":5}"#, "404 Not Found"),
        ("retry/nobody", "{}", "404 Not Found"),
        ("load-balancing/fast", "{}", "404 Not Found"),
        ("workers/default", "{}", "404 Not Found"),
        ("routes/code", "5", "400 Bad Request"),
        ("pools", r#"[{"fast":5}]"#, "400 Bad Request"),
        ("pools", r#"{"fast":5"#, "400 Bad Request"),
        ("workers/fast", "null", "400 Bad Request"),
        ("routes", r#"{"hard_limit":5}"#, "405 Method Not Allowed"),
        ("pipeline", "{}", "405 Method Not Allowed"),
    ] {
        let answer = bench.patch(path, body);
        assert!(answer.starts_with(expected), "{path} {body}: {answer}");
    }
    assert_eq!(*bench.keeper.asked.lock(), [""; 0]);
}
