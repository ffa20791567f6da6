//! Faults on purpose: who is told of them, and that they reach the calls of every core.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a fault in here shall end the test"
)]

mod support;

use orchestrator_testkit::client;
use serde_json::{Value, json};
use support::{Document, Program};

/// All calls fail.
const DOWN: &str = "[chaos]\nenabled = true\nseed = 7\n[chaos.workers.\"*\"]\nfailure = 1.0\n";

/// What operators read of it.
fn chaos(program: &Program) -> Value {
    client::get(program.admin, "/api/v1/chaos").json()
}

/// The warnings of faults until the program was ready: profile, seed and words.
fn warnings(program: &Program) -> Vec<String> {
    let lines = program.started.iter().map(|line| serde_json::from_str(line).unwrap());
    let warnings = lines.filter(|line: &Value| line["level"] == "WARN" && line["profile"].is_string());
    warnings
        .map(|line| format!("{} {} {}", line["profile"], line["seed"], line["message"]))
        .collect()
}

#[test]
fn who_starts_it_with_faults_is_warned() {
    let header = DOWN.replace("seed = 7", "seed = 7\nallow_header = true");
    let program = Program::start(&format!("profile = \"ci\"\n{header}"));
    let expected = [
        r#""ci" 7 "chaos is on: faults are injected on purpose""#,
        r#""ci" null "clients may have faults injected into their own requests""#,
    ];
    assert_eq!(warnings(&program), expected);
    assert_eq!(warnings(&Program::start("")), [""; 0]);
}

#[test]
fn calls_of_every_core_meet_them() {
    let program = Program::start(&format!(
        "[server]\nthreads = 3\n[pipeline.resilience]\nretry_attempts = 1\ncircuit_breaker_threshold = 0\n\
         failure_rate = 0.0\n{DOWN}"
    ));
    for nth in 0..9 {
        assert!(
            program.complete(&format!("ask {nth}")).starts_with("HTTP/1.1 502"),
            "{nth}"
        );
    }
    let told = chaos(&program);
    assert_eq!((&told["source"], &told["seed"]), (&json!("configuration"), &json!(7)));
    assert_eq!(told["injected"]["echo"]["failure"], 9);
    let metrics = program.operate("/metrics");
    let line = r#"orchestrator_chaos_injected_total{fault="failure",target="echo"} 9"#;
    assert!(metrics.lines().any(|told| told == line), "{metrics}");
}

#[test]
fn whoever_sits_at_the_machine_may_look_and_change_nothing() {
    let program = Program::start("");
    let order = r#"{"for_s": 60, "workers": {"*": {"failure": 1}}}"#;
    assert_eq!(client::post(program.admin, "/api/v1/chaos", "", order).status, 403);
    let told = chaos(&program);
    let seen = ["allowed", "allow_header", "source"].map(|key| &told[key]);
    assert_eq!(seen, [&json!(true), &json!(false), &json!("off")]);
    assert!(program.complete("x").starts_with("HTTP/1.1 200"));
}

#[test]
fn the_profile_that_was_found_is_told() {
    let document = Document::new("");
    for (variable, value, profile) in [("ENV", "prod", "prod"), ("CI", "true", "ci"), ("CI", "0", "dev")] {
        let mut explain = document.command(&["explain", "--format", "json"]);
        let told = support::Ended::of(explain.env(variable, value)).json();
        assert_eq!(told["profile"], profile, "{variable}={value}");
    }
}
