use super::*;
use crate::fixtures::{Bench, ms, shown};
use expect_test::expect;
use http::{Method, header};
use std::time::Duration;
use tokio::time::advance;

mod edits;
mod line;
mod lists;
mod properties;

#[tokio::test(start_paused = true)]
async fn a_breaker_that_failures_have_opened_says_so_and_for_how_long() {
    let bench = Bench::new();
    bench.fail("fast", 2);
    advance(ms(500)).await;
    assert_eq!(
        bench.states(),
        "eu/llama 3 closed -, fast open failures_in_row, local closed -, strong closed -"
    );
    let one = bench.get("circuit-breakers/fast");
    let due = bench.guard("fast").view(Instant::now()).due.as_millis();
    assert!((53_500..=65_500).contains(&due), "60 s, give or take a tenth: {due}");
    expect![[r#"
        {
          "name": "fast",
          "state": "open",
          "cause": "failures_in_row",
          "due_ms": DUE,
          "failure_rate": 1.0,
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
        }"#]]
    .assert_eq(&one.replace(&due.to_string(), "DUE"));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_is_found_by_its_name_however_that_is_written() {
    let bench = Bench::new();
    for path in ["eu%2Fllama%203", "%65u%2fllama%203"] {
        let one = bench.get(&format!("circuit-breakers/{path}"));
        assert!(one.contains(r#""name": "eu/llama 3""#), "{one}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_there_is_a_problem_that_names_who_may_be_meant() {
    let bench = Bench::new();
    expect![[r#"
        404 Not Found
        {
          "type": "about:blank",
          "title": "Not Found",
          "status": 404,
          "detail": "No route has a worker of this name. Did you mean `strong`?"
        }"#]]
    .assert_eq(&bench.get("circuit-breakers/storng"));
    let far = bench.get("circuit-breakers/nobody%ff/history");
    assert!(far.ends_with("\"No route has a worker of this name.\"\n}"), "{far}");
    for action in ["reset", "force-open"] {
        let refused = bench.post(&format!("Fast-/{action}"), r#"{"for_s":1}"#);
        assert!(refused.contains("Did you mean `fast`?"), "{refused}");
    }
    assert!(!bench.states().contains("open"), "nobody else was meant");
}

#[tokio::test(start_paused = true)]
async fn the_history_tells_each_change_with_the_time_of_day() {
    let bench = Bench::new();
    assert_eq!(bench.get("circuit-breakers/strong/history"), "[]");
    advance(ms(1_500)).await;
    bench.fail("strong", 2);
    advance(Duration::from_secs(3_600)).await;
    bench.post("strong/reset", "");
    advance(ms(61_250)).await;
    bench.post("strong/force-open", r#"{"for_s":30}"#);
    expect![[r#"
        [
          {
            "at": "2026-01-01T00:00:01.500Z",
            "from": "closed",
            "to": "open",
            "cause": "failures_in_row"
          },
          {
            "at": "2026-01-01T01:00:01.500Z",
            "from": "open",
            "to": "half_open",
            "cause": "elapsed"
          },
          {
            "at": "2026-01-01T01:00:01.500Z",
            "from": "half_open",
            "to": "closed",
            "cause": "reset"
          },
          {
            "at": "2026-01-01T01:01:02.750Z",
            "from": "closed",
            "to": "open",
            "cause": "forced"
          }
        ]"#]]
    .assert_eq(&bench.get("circuit-breakers/strong/history"));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_is_held_open_as_long_as_the_operator_says_and_no_other_is() {
    let bench = Bench::new();
    expect![[r#"
        {
          "name": "local",
          "state": "open",
          "cause": "forced",
          "due_ms": 90000,
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
        }"#]]
    .assert_eq(&bench.post("local/force-open", r#"{"for_s":90}"#));
    advance(ms(89_999)).await;
    assert_eq!(
        bench.states(),
        "eu/llama 3 closed -, fast closed -, local open forced, strong closed -"
    );
    advance(ms(1)).await;
    assert!(bench.states().contains("local half_open forced"), "{}", bench.states());
}

#[tokio::test(start_paused = true)]
async fn a_reset_closes_a_breaker_however_it_was_opened_and_begins_slowly() {
    let bench = Bench::new();
    for open in [true, false] {
        match open {
            true => bench.fail("fast", 2),
            false => drop(bench.post("fast/force-open", r#"{"for_s":86400}"#)),
        }
        let reset = bench.post("fast/reset", if open { "" } else { "{}" });
        let reset: serde_json::Value = serde_json::from_str(&reset).unwrap();
        assert_eq!(
            (&reset["state"], &reset["cause"], &reset["warmth"], &reset["due_ms"]),
            (&"closed".into(), &().into(), &0.1.into(), &0.into())
        );
    }
    advance(Duration::from_secs(10)).await;
    assert!(bench.get("circuit-breakers/fast").contains(r#""warmth": 1.0"#));
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_done_is_not_done() {
    let bench = Bench::new();
    bench.fail("fast", 2);
    let before = bench.states();
    for (path, body) in [
        ("fast/reset", r#"{"now":true}"#),
        ("fast/reset", "yes"),
        ("strong/force-open", ""),
        ("strong/force-open", r#"{"for_s":0}"#),
        ("strong/force-open", r#"{"for_s":5,"why":"x"}"#),
    ] {
        let refused = bench.post(path, body);
        assert!(refused.starts_with("4"), "{path} {body}: {refused}");
    }
    assert_eq!(bench.states(), before);
}

#[tokio::test(start_paused = true)]
async fn a_method_that_a_path_does_not_take_is_told_those_that_it_takes() {
    let bench = Bench::new();
    let lists = [
        "circuit-breakers",
        "workers",
        "routes",
        "retry",
        "load-balancing",
        "pipeline",
    ];
    let settings = [
        "workers/fast",
        "routes/default",
        "retry/default",
        "load-balancing/default",
        "pools",
    ];
    let reads = lists
        .into_iter()
        .chain(["circuit-breakers/fast", "circuit-breakers/fast/history"]);
    let acts = ["circuit-breakers/fast/reset", "circuit-breakers/fast/force-open"];
    let cases = reads
        .map(|path| (path, "GET, HEAD", "POST"))
        .chain(acts.map(|path| (path, "POST", "GET")))
        .chain(settings.map(|path| (path, "GET, HEAD, PATCH", "POST")));
    for (path, allowed, other) in cases {
        let patch = (!allowed.contains("PATCH")).then_some("PATCH");
        for method in [other, "PUT", "DELETE", "OPTIONS"].into_iter().chain(patch) {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let reply = bench.ask(method.clone(), &format!("/api/v1/{path}"), r#"{"for_s":5}"#);
            assert_eq!(reply.status(), 405, "{method} {path}");
            assert_eq!(reply.headers()[header::ALLOW], allowed, "{method} {path}");
            assert!(shown(&reply).contains(&format!("This path takes {allowed} only.")));
        }
    }
    assert!(!bench.states().contains("open"));
}

#[tokio::test(start_paused = true)]
async fn head_is_answered_as_get() {
    let bench = Bench::new();
    for path in [
        "workers",
        "circuit-breakers/fast",
        "routes/default",
        "pools",
        "workers/nobody",
        "nothing",
    ] {
        let path = format!("/api/v1/{path}?of=now");
        let [get, head] = [Method::GET, Method::HEAD].map(|method| bench.ask(method, &path, ""));
        assert_eq!(get.status(), head.status());
        assert_eq!((get.headers(), get.body()), (head.headers(), head.body()), "{path}");
    }
}
