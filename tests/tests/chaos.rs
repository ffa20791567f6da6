//! Faults on purpose, in the real program: what clients see of them, what is counted, and where they are refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a fault in here shall end the test"
)]

use orchestrator_e2e::{CHAT, Ended, Http, Program, STREAM, Tiers, chat, post};
use orchestrator_testkit::{ModelServer, Script};
use std::{io::Write, process::Command};

const TOKEN: &str = "authorization: Bearer t0ken\r\n";

/// Answers of eight tokens.
fn fine() -> [Script; 3] {
    [(); 3].map(|()| Script::paced(8, 1))
}

/// Faults of the worker `a`, from the start.
fn faults(keys: &str) -> String {
    format!("[chaos]\nenabled = true\n[chaos.workers.a]\n{keys}\n")
}

/// Posts a chat that asks for faults.
fn ask(program: &Program, words: &str, text: &str, more: &str) -> Http {
    let header = format!("x-orchestrator-chaos: {words}\r\n");
    post(program.address, CHAT, &header, &chat(text, more))
}

fn worker(reply: &Http) -> Option<&str> {
    reply.header("x-orchestrator-worker")
}

fn injected(program: &Program, target: &str, fault: &str) -> f64 {
    let labels = format!(r#"{{fault="{fault}",target="{target}"}}"#);
    program.metric(&format!("orchestrator_chaos_injected_total{labels}"))
}

/// Requests in flight and calls under way, of which nothing may be left when all clients have their answers.
fn left(program: &Program) -> [f64; 2] {
    [
        "orchestrator_in_flight_requests",
        r#"orchestrator_worker_in_flight{worker="a"}"#,
    ]
    .map(|name| program.metric(name))
}

#[test]
fn a_primary_that_always_fails_is_replaced_until_its_breaker_keeps_calls_away() {
    let resilience = "[pipeline.resilience]\ncircuit_breaker_threshold = 3\n";
    let tiers = Tiers::start(
        fine(),
        &(resilience.to_owned() + &faults("failure = 1.0\nstatus = 500")),
    );
    for number in 0..6 {
        let reply = tiers.ask(&format!("request {number}"));
        assert_eq!((reply.status, worker(&reply)), (200, Some("b")), "{}", reply.body);
    }
    assert_eq!(tiers.calls(), [0, 6, 0], "the server of the primary is never called");
    let program = &tiers.program;
    assert_eq!(injected(program, "a", "failure"), 3.0, "then the breaker is open");
    let failed = r#"orchestrator_retries_total{reason="upstream_error",worker="a"}"#;
    assert_eq!(program.metric(failed), 3.0);
    assert_eq!(program.metric(r#"orchestrator_breaker_state{worker="a"}"#), 2.0);
    assert_eq!(left(program), [0.0, 0.0]);
}

#[test]
fn a_stream_that_is_held_up_for_longer_than_its_worker_may_take_goes_elsewhere() {
    let servers = fine().map(ModelServer::following);
    let workers = [
        orchestrator_e2e::worker("a", &servers[0].url(), "first_token_timeout_ms = 50"),
        orchestrator_e2e::worker("b", &servers[1].url(), ""),
    ];
    let route = "[routes.all]\nprimary = [\"a\"]\nsecondary = [\"b\"]\n";
    let program = Program::start(&(workers.concat() + route + &faults("latency = 1.0\nlatency_min_ms = 400")));
    let reply = post(program.address, CHAT, "", &chat("x", STREAM));
    assert_eq!((reply.status, worker(&reply)), (200, Some("b")), "{}", reply.body);
    let failed = r#"orchestrator_retries_total{reason="first_token_timeout",worker="a"}"#;
    assert_eq!(program.metric(failed), 1.0);
    assert_eq!(injected(&program, "a", "latency"), 1.0);
    assert_eq!(servers[0].stats().total.calls, 0);
}

#[test]
fn faults_with_a_probability_are_counted_as_often_as_they_happen_and_the_same_in_each_run() {
    let document = "[pipeline.resilience]\ncircuit_breaker_threshold = 0\nfailure_rate = 0.0\n[pools]\nfast = 100\n";
    let run = || {
        let faults = faults("failure = 0.5").replace("true\n", "true\nseed = 9\n");
        let tiers = Tiers::start(fine(), &(document.to_owned() + &faults));
        let workers: String = (0..20)
            .map(|number| {
                worker(&tiers.ask(&format!("request {number}")))
                    .unwrap_or("-")
                    .to_owned()
            })
            .collect();
        let failed = workers.matches('b').count();
        assert_eq!(injected(&tiers.program, "a", "failure"), failed as f64, "{workers}");
        assert_eq!(tiers.calls(), [20 - failed as u64, failed as u64, 0], "{workers}");
        workers
    };
    let first = run();
    assert!(first.contains('a') && first.contains('b'), "{first}");
    assert_eq!(run(), first);
}

#[test]
fn a_header_cuts_its_own_stream_and_no_other() {
    let tiers = Tiers::start(fine(), "[chaos]\nallow_header = true\n");
    let program = &tiers.program;
    let cut = ask(program, "worker=a; cut=1; cut_after_tokens=3", "cut", STREAM);
    assert_eq!((cut.status, worker(&cut)), (200, Some("a")));
    assert_eq!(cut.text(), "tok0 tok1 tok2 ");
    let last = cut.events().pop().unwrap().to_owned();
    assert!(last.contains("\"error\"") && last.contains("upstream_error"), "{last}");
    assert!(last.contains("broke off in the middle"), "{last}");
    let whole = ask(program, "cut=1; worker=a", "whole", "");
    assert_eq!(
        (whole.status, worker(&whole)),
        (200, Some("b")),
        "one piece is lost before its first token"
    );
    let other = tiers.stream("cut");
    assert_eq!(other.events().last(), Some(&"[DONE]"), "{}", other.body);
    assert_eq!(injected(program, "a", "cut"), 2.0);
    assert_eq!(left(program), [0.0, 0.0]);
    program.signal("TERM");
    program.signal("TERM");
    let id = cut.header("x-orchestrator-request-id").unwrap().to_owned();
    let log = tiers.program.wait().log;
    let line = log.lines().find(|line| line.contains("a fault is injected")).unwrap();
    assert!(
        line.contains(&id) && line.contains(r#""fault":"cut""#) && line.contains(r#""level":"WARN""#),
        "{line}"
    );
    let failed = log
        .lines()
        .find(|line| line.contains("a request failed") && line.contains(&id))
        .unwrap();
    assert!(failed.contains("chaos: injected on purpose"), "{failed}");
}

#[test]
fn the_same_request_meets_the_same_faults_every_time_and_shares_no_answer() {
    let tiers = Tiers::start(
        fine(),
        "[chaos]\nallow_header = true\n[pipeline.deduplication]\nwindow_s = 300\n",
    );
    let mut told = Vec::new();
    for seed in 0..8 {
        let asked = |_| {
            let words = format!("worker=a; failure=0.5; seed={seed}");
            let reply = ask(&tiers.program, &words, "the same", "");
            assert_eq!(reply.header("x-orchestrator-cache"), Some("bypass"));
            worker(&reply).unwrap().to_owned()
        };
        let [once, again] = [0, 1].map(asked);
        assert_eq!(once, again, "seed {seed}");
        told.push(once);
    }
    assert!(
        ["a", "b"].iter().all(|worker| told.iter().any(|told| told == worker)),
        "{told:?}"
    );
}

#[test]
fn what_may_not_be_asked_for_is_said() {
    let closed = Tiers::start(fine(), "");
    let refused = ask(&closed.program, "failure=1", "x", "");
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("`allow_header` of `[chaos]`"), "{}", refused.body);
    let open = Tiers::start(fine(), "[chaos]\nallow_header = true\n");
    let wrong = ask(&open.program, "worker=d; failure=2", "x", "");
    assert_eq!(
        (wrong.status, wrong.json()["error"]["param"].as_str()),
        (400, Some("x-orchestrator-chaos"))
    );
    for words in [
        "`failure` is 2; it takes numbers from 0 to 1.",
        "No worker is called `d`.",
    ] {
        assert!(wrong.body.contains(words), "{}", wrong.body);
    }
    assert_eq!((closed.calls(), open.calls()), ([0; 3], [0; 3]));
}

#[test]
fn an_operator_switches_faults_on_for_a_time_and_off() {
    let tiers = Tiers::start(fine(), "[server]\nadmin_token = \"t0ken\"\n");
    let program = &tiers.program;
    let operate = |body: &str| post(program.admin_address, "/api/v1/chaos", TOKEN, body);
    assert_eq!(post(program.admin_address, "/api/v1/chaos", "", "{}").status, 401);
    assert_eq!(worker(&tiers.ask("before")), Some("a"));
    let on = operate(
        r#"{"for_s": 900, "workers": {"a": {"failure": 1}, "b": {"latency": 1, "latency_min_ms": 300, "latency_max_ms": 300}}}"#,
    );
    assert_eq!(
        (on.status, on.json()["source"].as_str()),
        (200, Some("operator")),
        "{}",
        on.body
    );
    let began = tokio::time::Instant::now();
    assert_eq!(worker(&tiers.ask("during")), Some("b"));
    assert!(began.elapsed().as_millis() >= 300, "{:?}", began.elapsed());
    let off = operate(r#"{"for_s": 1}"#);
    assert_eq!(off.json()["injected"]["a"]["failure"], 1);
    assert_eq!(off.json()["injected"]["b"]["latency"], 1);
    assert_eq!(worker(&tiers.ask("after")), Some("a"));
}

#[test]
fn a_search_that_fails_leaves_a_request_without_passages() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.md"), "The tide comes at six.").unwrap();
    let rag = format!("[pipeline.stages.rag]\nfolder = \"{}\"\n", folder.path().display());
    let chaos = "[chaos]\nenabled = true\n[chaos.retriever]\nfailure = 1.0\n";
    let tiers = Tiers::start(fine(), &(rag + chaos));
    let reply = tiers.ask("When does the tide come?");
    assert_eq!((reply.status, reply.header("x-orchestrator-sources")), (200, None));
    assert_eq!(injected(&tiers.program, "retriever", "failure"), 1.0);
}

/// What the program says of a document that it does not run.
fn refused(document: &str, variables: &[(&str, &str)]) -> Ended {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(document.as_bytes()).unwrap();
    let run = Command::new(Program::path())
        .arg("run")
        .arg(file.path())
        .envs(variables.iter().copied())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    Ended {
        code: run.status.code(),
        log: String::from_utf8(run.stderr).unwrap(),
    }
}

#[test]
fn production_refuses_to_start_with_faults() {
    let chaos = "[chaos]\nenabled = true\n[chaos.workers.echo]\nfailure = 0.1\n";
    for (document, variables) in [
        (format!("profile = \"prod\"\n{chaos}"), &[][..]),
        (chaos.to_owned(), &[("ENV", "production")]),
        (
            format!("profile = \"dev\"\n{chaos}"),
            &[("ORCHESTRATOR__PROFILE", "prod")],
        ),
    ] {
        let ended = refused(&document, variables);
        assert_eq!(ended.code, Some(78), "{ended:?}");
        for words in [
            "no faults are injected under `profile = \"prod\"`",
            "chaos.enabled",
            "allow_in_prod",
        ] {
            assert!(ended.log.contains(words), "{}", ended.log);
        }
    }
}

#[test]
fn production_keeps_operators_and_clients_from_faults() {
    let document = "profile = \"prod\"\n[server]\nadmin_token = \"t0ken\"\n";
    let program = Program::start(document);
    let operate = || {
        let order = r#"{"for_s": 60, "workers": {"*": {"failure": 1}}}"#;
        post(program.admin_address, "/api/v1/chaos", TOKEN, order)
    };
    assert_eq!(operate().status, 403);
    assert_eq!(ask(&program, "failure=1", "x", "").status, 403);
    assert_eq!(post(program.address, CHAT, "", &chat("x", "")).status, 200);
}
