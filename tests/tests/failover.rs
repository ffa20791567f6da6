//! Workers that fail, one in each tier, in front of real sockets: who answers instead, and how soon.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a fault in here shall end the test"
)]

use orchestrator_e2e::{Http, NOBODY, Program, Tiers, chat, post, worker};
use orchestrator_testkit::{ModelServer, Script};
use std::time::Duration;
use tokio::time::Instant;

/// How soon another answers once a failure is known.
const SOON: Duration = Duration::from_secs(1);
/// How long a test waits for what comes by the clock.
const PATIENCE: Duration = Duration::from_secs(20);

fn fine() -> Script {
    Script::default()
}

/// A whole response, head included, that is cut after so many bytes.
fn raw(response: &str, cut_after: Option<usize>, reset: bool) -> Script {
    Script {
        raw: true,
        body: Some(response.to_owned()),
        cut_after,
        reset,
        ..Script::default()
    }
}

/// What can befall a call before its first token.
fn faults() -> Vec<(&'static str, Script)> {
    let promised =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{\"id\":\"x\",\"choi";
    vec![
        ("5xx", Script::failing(503)),
        ("credentials", Script::failing(401)),
        ("429", Script::failing(429)),
        ("a reset connection", raw("x", Some(0), true)),
        ("an end without a word", raw("x", Some(0), false)),
        ("garbage", raw("\u{1}\u{2}\u{3} not HTTP at all\r\n\r\n", None, false)),
        ("a truncated answer", raw(promised, None, false)),
        (
            "JSON that is none",
            Script {
                body: Some("{\"choices\":[".to_owned()),
                ..Script::default()
            },
        ),
    ]
}

/// Worker and number of calls as the answer's head tells them.
fn told(reply: &Http) -> (u16, Option<&str>, Option<&str>) {
    let header = |name| reply.header(name);
    (
        reply.status,
        header("x-orchestrator-worker"),
        header("x-orchestrator-attempts"),
    )
}

#[test]
fn a_refused_connection_and_a_503_lead_to_the_backup_within_a_second() {
    let (secondary, backup) = (ModelServer::following(Script::failing(503)), ModelServer::start());
    let workers = [
        worker("a", NOBODY, ""),
        worker("b", &secondary.url(), ""),
        worker("c", &backup.url(), ""),
    ];
    let routes = "[routes.all]\nprimary = [\"a\"]\nsecondary = [\"b\"]\nbackup = [\"c\"]\n";
    let program = Program::start(&(workers.concat() + routes));
    for (number, stream) in ["", orchestrator_e2e::STREAM].into_iter().enumerate() {
        let began = Instant::now();
        let body = chat(&format!("request {number}"), stream);
        let reply = post(program.address, orchestrator_e2e::CHAT, "", &body);
        assert_eq!(told(&reply), (200, Some("c"), Some("3")), "{}", reply.body);
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        assert!(reply.body.contains("tok3"), "{}", reply.body);
    }
    assert_eq!(
        (secondary.stats().total.calls, backup.stats().total.calls),
        (2, 2),
        "each is called once for each request"
    );
    for (metric, value) in [
        (
            r#"orchestrator_route_decisions_total{reason="primary_normal",route="all"}"#,
            2.0,
        ),
        (
            r#"orchestrator_retries_total{reason="upstream_connect",worker="a"}"#,
            2.0,
        ),
        (r#"orchestrator_retries_total{reason="upstream_error",worker="b"}"#, 2.0),
    ] {
        assert_eq!(program.metric(metric), value, "{metric}");
    }
    program.signal("TERM");
    program.signal("TERM");
    let log = program.wait().log;
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("\"target\":\"access\""))
        .collect();
    assert_eq!(lines.len(), 2, "{log}");
    for line in lines {
        assert!(
            line.contains(r#""worker":"c","tier":"backup""#) && line.contains(r#""attempts":3"#),
            "{line}"
        );
    }
}

#[test]
fn whatever_befalls_a_call_before_its_first_token_the_next_tier_answers() {
    for (fault, script) in faults() {
        let tiers = Tiers::start([script, fine(), fine()], "");
        let began = Instant::now();
        let whole = tiers.ask("whole");
        assert_eq!(told(&whole), (200, Some("b"), Some("2")), "{fault}: {}", whole.body);
        let stream = tiers.stream("stream");
        assert_eq!(
            (
                stream.status,
                stream.header("x-orchestrator-worker"),
                stream.events().last()
            ),
            (200, Some("b"), Some(&"[DONE]")),
            "{fault}: {}",
            stream.body
        );
        assert!(began.elapsed() < SOON, "{fault}: {:?}", began.elapsed());
        // One that asks for a rest is given one.
        let primary = if fault == "429" { 1 } else { 2 };
        assert_eq!(tiers.calls(), [primary, 2, 0], "{fault}");
    }
}

#[test]
fn a_stream_that_breaks_after_tokens_ends_with_its_error_and_without_another_call() {
    for (fault, reset) in [("an early end", false), ("a reset", true)] {
        let breaks = Script {
            cut_after: Some(900),
            reset,
            ..Script::paced(50, 5)
        };
        let tiers = Tiers::start([breaks, fine(), fine()], "");
        let reply = tiers.stream("x");
        let last = reply.events().pop().unwrap().to_owned();
        assert_eq!(told(&reply), (200, Some("a"), Some("1")), "{fault}");
        assert!(reply.text().starts_with("tok0 tok1 "), "{fault}: {}", reply.body);
        assert!(
            last.contains("\"error\"") && last.contains("upstream_error"),
            "{fault}: {last}"
        );
        assert_eq!(tiers.calls(), [1, 0, 0], "{fault}");
    }
}

#[test]
fn a_dead_primary_is_left_alone_after_its_threshold_by_its_own_count() {
    let resilience = "[pipeline.resilience]\ncircuit_breaker_threshold = 3\ncircuit_breaker_timeout_s = 60\n";
    let tiers = Tiers::start([Script::failing(500), fine(), fine()], resilience);
    for number in 0..20 {
        let attempts = if number < 3 { "2" } else { "1" };
        let reply = tiers.ask(&format!("request {number}"));
        assert_eq!(told(&reply), (200, Some("b"), Some(attempts)), "{number}");
    }
    assert_eq!(tiers.calls(), [3, 20, 0]);
    assert_eq!(
        tiers.program.metric(r#"orchestrator_breaker_state{worker="a"}"#),
        2.0,
        "open"
    );
}

#[test]
fn a_primary_that_is_well_again_comes_back_by_probes_without_a_failed_request() {
    let resilience = "[pipeline.resilience]\ncircuit_breaker_threshold = 3\ncircuit_breaker_timeout_s = 1\n";
    let tiers = Tiers::start([Script::failing(500), fine(), fine()], resilience);
    for number in 0..3 {
        assert_eq!(told(&tiers.ask(&format!("down {number}"))).1, Some("b"));
    }
    let opened = Instant::now();
    tiers.servers[0].script(fine());
    let mut by_primary = 0;
    for number in 0.. {
        let reply = tiers.ask(&format!("up {number}"));
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(opened.elapsed() < PATIENCE, "it never came back");
        if reply.header("x-orchestrator-worker") == Some("a") {
            by_primary += 1;
        }
        if by_primary == 10 {
            break;
        }
    }
    assert!(
        opened.elapsed() >= Duration::from_millis(850),
        "it was left alone for a second"
    );
    assert_eq!(tiers.calls()[0], 13, "three that failed, ten that did not");
    for cause in [
        "failures_in_row\",to=\"open",
        "elapsed\",to=\"half_open",
        "probes_served\",to=\"closed",
    ] {
        let changes = format!("orchestrator_breaker_transitions_total{{cause=\"{cause}\",worker=\"a\"}}");
        assert_eq!(tiers.program.metric(&changes), 1.0, "{changes}");
    }
}
