use crate::fixtures::{Bench, shown};
use expect_test::{Expect, expect};
use http::Method;
use orchestrator_resilience::{
    Pass,
    chaos::{Config, Patience, WorkerFaults},
};
use orchestrator_testkit::{cx, prompt, scripted};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, advance};

const PATH: &str = "/api/v1/chaos";

/// What an operator hears who orders this.
fn order(bench: &Bench, body: &str) -> String {
    shown(&bench.ask(Method::POST, PATH, body.to_owned()))
}

fn end(bench: &Bench) -> String {
    shown(&bench.ask(Method::DELETE, PATH, ""))
}

/// Who wants faults, for how long, and from which seed.
fn brief(told: &str) -> String {
    let is_brief = |line: &&str| {
        ["source", "left_ms", "until", "seed"]
            .iter()
            .any(|key| line.contains(key))
    };
    let lines = told.lines().filter(is_brief).map(str::trim);
    lines.collect::<Vec<_>>().join(" ")
}

/// All calls fail.
fn failing() -> Config {
    let faults = WorkerFaults {
        failure: 1.0,
        ..WorkerFaults::default()
    };
    Config {
        enabled: true,
        seed: 7,
        workers: [("*".to_owned(), faults)].into(),
        ..Config::default()
    }
}

/// Whether a call of `fast` fails.
async fn fails(bench: &Bench) -> bool {
    let patience = Patience {
        first_token: Duration::MAX,
        idle: Duration::MAX,
    };
    let model = bench
        .chaos
        .model(&"fast".into(), patience, Arc::new(scripted::Model::saying(["x"])));
    let (cx, _client) = cx(Instant::now());
    bench.guard("fast").reset();
    let mut permit = bench.guard("fast").try_admit(Pass::Usual).unwrap();
    let called = model.call(&cx, &prompt("x")).await;
    called.map_err(|failure| permit.failed(failure)).is_err()
}

#[tokio::test(start_paused = true)]
async fn an_order_shows_what_it_brings_until_when_and_what_it_has_done() {
    let bench = Bench::new();
    let body = r#"{"for_s": 60, "seed": 3, "workers": {"fast": {"failure": 1}}, "retriever": {"latency": 0.5}}"#;
    order(&bench, body);
    advance(Duration::from_millis(250)).await;
    assert!(fails(&bench).await);
    expect![[r#"
        {
          "allowed": true,
          "allow_header": false,
          "source": "operator",
          "left_ms": 59750,
          "until": "2026-01-01T00:01:00.000Z",
          "seed": 3,
          "workers": {
            "fast": {
              "latency": 0.0,
              "latency_min_ms": 500,
              "latency_max_ms": 3000,
              "failure": 1.0,
              "status": 503,
              "cut": 0.0,
              "cut_after_tokens": 10,
              "trickle": 0.0,
              "trickle_ms": 250
            }
          },
          "retriever": {
            "latency": 0.5,
            "latency_min_ms": 200,
            "latency_max_ms": 1500,
            "failure": 0.0
          },
          "injected": {
            "eu/llama 3": {
              "cut": 0,
              "failure": 0,
              "latency": 0,
              "trickle": 0
            },
            "fast": {
              "cut": 0,
              "failure": 1,
              "latency": 0,
              "trickle": 0
            },
            "local": {
              "cut": 0,
              "failure": 0,
              "latency": 0,
              "trickle": 0
            },
            "retriever": {
              "cut": 0,
              "failure": 0,
              "latency": 0,
              "trickle": 0
            },
            "strong": {
              "cut": 0,
              "failure": 0,
              "latency": 0,
              "trickle": 0
            }
          }
        }"#]]
    .assert_eq(&bench.get("chaos"));
}

#[tokio::test(start_paused = true)]
async fn an_order_is_over_by_itself_and_what_is_configured_holds_again() {
    let bench = Bench::injecting(&failing(), true);
    let mut told = vec![brief(&bench.get("chaos"))];
    told.push(brief(&order(&bench, r#"{"for_s": 900}"#)));
    assert!(!fails(&bench).await);
    advance(Duration::from_millis(899_999)).await;
    told.push(brief(&bench.get("chaos")));
    advance(Duration::from_millis(1)).await;
    told.push(brief(&bench.get("chaos")));
    assert!(fails(&bench).await);
    expect![[r#"
        "source": "configuration", "left_ms": null, "until": null, "seed": 7,
        "source": "operator", "left_ms": 900000, "until": "2026-01-01T00:15:00.000Z", "seed": 0,
        "source": "operator", "left_ms": 1, "until": "2026-01-01T00:15:00.000Z", "seed": 0,
        "source": "configuration", "left_ms": null, "until": null, "seed": 7,"#]]
    .assert_eq(&told.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn an_order_is_ended_at_once_and_as_often_as_one_likes() {
    let bench = Bench::new();
    order(&bench, r#"{"for_s": 60, "workers": {"*": {"failure": 1}}}"#);
    assert!(fails(&bench).await);
    for _ in 0..2 {
        assert!(end(&bench).contains(r#""source": "off""#));
        assert!(!fails(&bench).await);
    }
}

/// What is refused changes nothing.
fn refused(body: &str, expected: &Expect) {
    let bench = Bench::new();
    order(&bench, r#"{"for_s": 60, "seed": 5}"#);
    let before = bench.chaos.force().unwrap().settings().clone();
    expected.assert_eq(&order(&bench, body));
    assert_eq!(*bench.chaos.force().unwrap().settings(), before);
}

#[tokio::test(start_paused = true)]
async fn all_that_is_wrong_with_an_order_is_told_at_once() {
    refused(
        r#"{"for_s": 901, "sede": 1, "workers": {"fats": {"failure": 2}}, "retriever": {"cut": 1}}"#,
        &expect![[r#"
            422 Unprocessable Entity
            {
              "type": "about:blank",
              "title": "Unprocessable Entity",
              "status": 422,
              "detail": "`for_s` is 901; it takes whole numbers from 1 to 900. `sede` is unknown; did you mean `seed`? `workers.fats.failure` is 2; it takes numbers from 0 to 1. `retriever.cut` is unknown. No worker is called `fats`. Did you mean `fast`?"
            }"#]],
    );
    refused(
        "{",
        &expect![[r#"
        400 Bad Request
        {
          "type": "about:blank",
          "title": "Bad Request",
          "status": 400,
          "detail": "The body is not JSON: EOF while parsing an object at line 1 column 1."
        }"#]],
    );
    refused(
        "[]",
        &expect![[r#"
        400 Bad Request
        {
          "type": "about:blank",
          "title": "Bad Request",
          "status": 400,
          "detail": "The body is not a JSON object."
        }"#]],
    );
    refused(
        "",
        &expect![[r#"
        422 Unprocessable Entity
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "`for_s` is missing; it takes whole numbers from 1 to 900."
        }"#]],
    );
}

#[test]
fn where_the_profile_refuses_nothing_is_injected() {
    let bench = Bench::injecting(&failing(), false);
    expect![[r#"
        403 Forbidden
        {
          "type": "about:blank",
          "title": "Forbidden",
          "status": 403,
          "detail": "No faults are injected under `profile = \"prod\"`, unless `[chaos]` says `allow_in_prod = true`."
        }"#]]
    .assert_eq(&order(&bench, r#"{"for_s": 60, "workers": {"*": {"failure": 1}}}"#));
    let told = bench.get("chaos");
    assert!(
        told.contains(r#""allowed": false"#) && told.contains(r#""source": "off""#),
        "{told}"
    );
}

#[test]
fn other_methods_are_not_taken_and_an_end_has_no_fields() {
    let bench = Bench::new();
    for method in [Method::PUT, Method::PATCH] {
        let reply = bench.ask(method, PATH, "");
        assert_eq!(reply.status(), 405);
        assert_eq!(reply.headers()["allow"], "GET, HEAD, POST, DELETE");
    }
    let fields = bench.ask(Method::DELETE, PATH, r#"{"for_s": 1}"#);
    assert_eq!(fields.status(), 422);
}
