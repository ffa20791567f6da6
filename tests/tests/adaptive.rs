//! Where requests go by what they are and by what they ask for, and which reasons clients and operators are told.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a fault in here shall end the test"
)]

use orchestrator_e2e::{CHAT, Call, Http, Tiers, chat, post};
use orchestrator_testkit::Script;
use serde_json::{Value, json};
use std::time::Duration;

const DRY: &str = "x-orchestrator-dry-run: true\r\n";

fn fine() -> Script {
    Script::default()
}

fn send(tiers: &Tiers, headers: &str, body: &str) -> Http {
    post(tiers.program.address, CHAT, headers, body)
}

/// The worker that answers, and how many calls that takes.
fn answered(tiers: &Tiers, headers: &str, text: &str) -> String {
    let reply = send(tiers, headers, &chat(text, ""));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let told = ["x-orchestrator-worker", "x-orchestrator-attempts"].map(|name| reply.header(name).unwrap());
    told.join(" ")
}

/// The plan of a chat, and the worker that it has first, as in `a primary_normal`.
fn planned(tiers: &Tiers, headers: &str, text: &str) -> (Value, String) {
    let plan = send(tiers, &format!("{DRY}{headers}"), &chat(text, "")).json();
    let first = ["worker", "reason"].map(|member| plan["candidates"][0][member].as_str().unwrap());
    let first = first.join(" ");
    (plan, first)
}

fn decisions(tiers: &Tiers, reason: &str) -> f64 {
    let name = format!("orchestrator_route_decisions_total{{reason=\"{reason}\",route=\"all\"}}");
    tiers.program.metric(&name)
}

#[test]
fn complex_requests_go_to_the_strong_tier_and_simple_ones_to_the_cheap_one() {
    let more = "[routes.all.complexity]\nlength_bytes = 40\nturns = 0\n";
    let tiers = Tiers::start([fine(), fine(), fine()], more);
    let long = "Why does this not terminate? ".repeat(3);
    assert_eq!(
        [answered(&tiers, "", "Hi"), answered(&tiers, "", &long)],
        ["a 1", "b 1"]
    );
    let (plan, first) = planned(&tiers, "", &long);
    assert_eq!(
        (&plan["complexity"]["complex"], &*first),
        (&json!(true), "b complexity")
    );
    let (plan, first) = planned(&tiers, "", "Hi");
    let judged = json!({"score": 0.05, "complex": false, "tier": "primary"});
    assert_eq!((&plan["complexity"], &*first), (&judged, "a primary_normal"));
    let by_path = json!({"prompt": long, "model": "m"}).to_string();
    let by_path = post(tiers.program.address, "/v1/ask/dry-explain", "", &by_path).json();
    assert_eq!(
        by_path["candidates"],
        json!([
            {"worker": "b", "tier": "secondary", "reason": "complexity"},
            {"worker": "a", "tier": "primary", "reason": "primary_normal"},
            {"worker": "c", "tier": "backup", "reason": "backup_outage"},
        ])
    );
    assert_eq!((tiers.calls(), decisions(&tiers, "complexity")), ([1, 1, 0], 1.0));
    tiers.servers[1].script(Script::failing(500));
    assert_eq!(
        answered(&tiers, "", &format!("{long}Really?")),
        "a 2",
        "the others stand in for the strong one"
    );
}

#[test]
fn a_latency_budget_leads_to_the_worker_that_is_expected_to_keep_it() {
    let tiers = Tiers::start([Script::failing(500), fine(), fine()], "");
    let hasty = "x-orchestrator-latency-budget-ms: 500\r\n";
    let (plan, first) = planned(&tiers, hasty, "x");
    assert_eq!(first, "a primary_normal", "nobody is known");
    assert!(plan["latency_budget_ms"].as_u64().unwrap() <= 500, "{plan}");
    // A failure adds a second to what is expected of `a`, and lets `b` be known.
    assert_eq!(answered(&tiers, "", "one"), "b 2");
    tiers.servers[0].script(fine());
    assert_eq!(planned(&tiers, hasty, "x").1, "b latency_budget");
    assert_eq!(answered(&tiers, hasty, "two"), "b 1");
    assert_eq!(decisions(&tiers, "latency_budget"), 1.0);
    let (plan, first) = planned(&tiers, "", "x");
    assert_eq!(
        (&plan["latency_budget_ms"], &*first),
        (&Value::Null, "a primary_normal")
    );
    assert_eq!(answered(&tiers, "", "three"), "a 1");
    let wrong = send(&tiers, "x-orchestrator-latency-budget-ms: fast\r\n", &chat("x", ""));
    let error = wrong.json()["error"].clone();
    assert_eq!(
        (wrong.status, &error["param"]),
        (400, &json!("x-orchestrator-latency-budget-ms"))
    );
    let told = "`fast` is no latency budget: use whole milliseconds above 0.";
    assert!(error["message"].as_str().unwrap().starts_with(told), "{error}");
}

#[test]
fn a_session_is_told_while_it_stays_with_its_own_worker() {
    let route = "primary = [\"a\", \"b\", \"c\"]\nbalance = \"consistent_hash\"";
    let tiers = Tiers::routed([fine(), fine(), fine()], route, "");
    let session = "x-orchestrator-session-id: s1\r\n";
    let own = planned(&tiers, session, "x").1;
    let worker = own.strip_suffix(" sticky").unwrap();
    for number in 0..5 {
        let told = answered(&tiers, session, &format!("request {number}"));
        assert_eq!(told, format!("{worker} 1"));
    }
    assert_eq!(decisions(&tiers, "sticky"), 5.0);
    assert!(planned(&tiers, "", "x").1.ends_with("primary_normal"));
}

#[test]
fn a_model_that_the_route_names_is_told_apart_from_one_that_it_takes_along() {
    let tiers = Tiers::start([fine(), fine(), fine()], "models = [\"m\", \"*\"]\n");
    assert_eq!(planned(&tiers, "", "x").1, "a explicit_model");
    let other = chat("x", "").replace(r#""m""#, r#""mini""#);
    let other = send(&tiers, DRY, &other).json();
    assert_eq!(other["candidates"][0]["reason"], "primary_normal");
    assert_eq!(answered(&tiers, "", "x"), "a 1");
    assert_eq!(decisions(&tiers, "explicit_model"), 1.0);
}

#[test]
fn requests_for_a_model_that_nobody_serves_are_counted() {
    let tiers = Tiers::start([fine(), fine(), fine()], "models = [\"gpt-*\"]\n");
    let refused = tiers.ask("x");
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (404, &json!("model_not_found"))
    );
    assert_eq!(send(&tiers, DRY, &chat("x", "")).status, 404);
    let unknown = r#"orchestrator_route_refusals_total{reason="unknown_model",route=""}"#;
    assert_eq!(tiers.program.metric(unknown), 1.0, "a dry run counts nothing");
}

#[test]
fn a_plan_that_comes_after_the_deadline_refuses_the_request() {
    let tiers = Tiers::start([fine(), fine(), fine()], "");
    let body = chat("x", "");
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: test\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: {}\r\n{DRY}\
         x-orchestrator-timeout-ms: 1\r\n\r\n",
        body.len()
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = runtime.unwrap().block_on(async {
        let mut call = Call::send(tiers.program.address, head).await;
        call.hear("100 Continue").await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        call.more(&body).await;
        call.rest().await
    });
    let plan: Value = serde_json::from_str(answer.rsplit_once("\r\n\r\n").unwrap().1).unwrap();
    let refused = json!({"reason": "deadline_too_short", "retry_after_ms": 0});
    assert_eq!(
        (&plan["refused"], &plan["candidates"]),
        (&refused, &json!([])),
        "{answer}"
    );
}
