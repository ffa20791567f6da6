//! The program over HTTP, in front of a scripted model server.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a fault in here shall end the test"
)]

use orchestrator_e2e::{Program, get, post};
use orchestrator_testkit::{ModelServer, Script};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::TcpStream,
};

const CHAT: &str = "/v1/chat/completions";

fn body(text: &str, more: &str) -> String {
    format!(r#"{{"model":"test","messages":[{{"role":"user","content":"{text}"}}]{more}}}"#)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_whole_answer_passes_byte_for_byte() {
    let answer = r#"{"id":"chatcmpl-9","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi","odd":1.10},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;
    let script = Script {
        body: Some(answer.to_owned()),
        ..Script::default()
    }
    .header("content-type", "application/json");
    let server = ModelServer::following(script);
    let program = Program::before(&server.url(), "");
    let reply = post(program.address, CHAT, "x-request-id: mine\r\n", &body("x", ""));
    assert_eq!((reply.status, reply.body.as_str()), (200, answer));
    assert_eq!(
        (reply.header("x-request-id"), reply.header("x-orchestrator-cache")),
        (Some("mine"), Some("miss"))
    );
    assert_eq!(
        program.metric(r#"orchestrator_tokens_total{direction="output",worker="w"}"#),
        2.0
    );
}

#[test]
fn a_stream_comes_token_by_token_and_ends_with_done() {
    let server = ModelServer::following(Script::paced(5, 2));
    let program = Program::before(&server.url(), "");
    let reply = post(program.address, CHAT, "", &body("x", r#","stream":true"#));
    assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let events = reply.events();
    assert_eq!(events.last(), Some(&"[DONE]"));
    assert_eq!(reply.text(), "tok0 tok1 tok2 tok3 tok4 ");
    assert!(
        !reply.body.contains("\"choices\":[]"),
        "usage comes only when it is asked for"
    );
    let asked = post(
        program.address,
        CHAT,
        "",
        &body("y", r#","stream":true,"stream_options":{"include_usage":true}"#),
    );
    assert!(asked.body.contains("\"choices\":[]"), "{}", asked.body);
}

#[test]
fn equal_requests_at_once_cause_one_call() {
    let server = ModelServer::following(Script::paced(10, 20));
    let program = Program::before(&server.url(), "");
    std::thread::scope(|scope| {
        let asks: Vec<_> = (0..10)
            .map(|number| {
                let stream = if number % 2 == 0 { r#","stream":true"# } else { "" };
                scope.spawn(|| post(program.address, CHAT, "", &body("same", stream)))
            })
            .collect();
        for ask in asks {
            let reply = ask.join().unwrap();
            assert_eq!(reply.status, 200, "{}", reply.body);
            assert!(reply.body.contains("tok9"), "{}", reply.body);
        }
    });
    assert_eq!(server.counts("same").calls, 1);
    assert_eq!(program.metric(r#"orchestrator_dedup_total{result="coalesced"}"#), 9.0);
}

#[test]
fn failures_have_their_status_their_shape_and_their_culprit() {
    let server = ModelServer::start();
    let program = Program::before(
        &server.url(),
        "[pipeline.resilience]\nretry_attempts = 1\ncircuit_breaker_threshold = 0\n",
    );
    for (upstream, status, code, source) in [
        (400, 400, "upstream_rejected", "client"),
        (401, 502, "upstream_error", "upstream"),
        (500, 502, "upstream_error", "upstream"),
        // The last, since the worker then rests; the second request is refused for that very rest.
        (429, 429, "rate_limit_exceeded", "upstream"),
    ] {
        server.script(Script::failing(upstream));
        for stream in ["", r#","stream":true"#] {
            let reply = post(
                program.address,
                CHAT,
                "x-orchestrator-cache-control: no-store\r\n",
                &body("x", stream),
            );
            assert_eq!(
                (reply.status, reply.header("x-orchestrator-error-source")),
                (status, Some(source)),
                "{upstream}"
            );
            let error = &reply.json()["error"];
            assert_eq!(error["code"], code, "{error}");
            assert_eq!(error.as_object().unwrap().len(), 4, "all four keys: {error}");
        }
    }
}

#[test]
fn a_stream_that_breaks_ends_with_an_error_and_without_done() {
    let server = ModelServer::following(Script {
        cut_after: Some(900),
        gap_ms: 5,
        tokens: 50,
        ..Script::default()
    });
    let program = Program::before(&server.url(), "");
    let reply = post(program.address, CHAT, "", &body("x", r#","stream":true"#));
    assert_eq!(reply.status, 200);
    let last = reply.events().pop().unwrap().to_owned();
    assert!(last.contains("\"error\"") && last.contains("upstream_error"), "{last}");
}

#[test]
fn bad_requests_are_told_what_is_wrong() {
    let program = Program::start("");
    let cases = [
        ("{", 400, ""),
        ("[]", 400, ""),
        (r#"{"model":"m"}"#, 400, "messages"),
        (r#"{"model":"m","messages":[]}"#, 400, "messages"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":9}"#,
            400,
            "temperature",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":-1}"#,
            400,
            "max_tokens",
        ),
        (
            r#"{"model":"m","messages":[{"role":"boss","content":"x"}]}"#,
            400,
            "messages[0].role",
        ),
    ];
    for (bad, status, param) in cases {
        let reply = post(program.address, CHAT, "", bad);
        assert_eq!(reply.status, status, "{bad}: {}", reply.body);
        let at = reply.json()["error"]["param"].as_str().unwrap_or_default().to_owned();
        assert_eq!(at, param, "{bad}");
    }
    assert_eq!(get(program.address, CHAT).status, 405);
    assert_eq!(get(program.address, "/nothing").status, 404);
    let priority = post(
        program.address,
        CHAT,
        "x-orchestrator-priority: urgent\r\n",
        &body("x", ""),
    );
    assert_eq!(
        (priority.status, priority.json()["error"]["param"].as_str()),
        (400, Some("x-orchestrator-priority"))
    );
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let program = Program::start("[server]\nmax_body_bytes = 1024\n");
    let reply = post(program.address, CHAT, "", &body(&"x".repeat(5000), ""));
    assert_eq!(
        (reply.status, reply.json()["error"]["code"].as_str()),
        (413, Some("request_too_large"))
    );
}

#[test]
fn the_plain_face_answers_and_never_with_500() {
    let program = Program::start("");
    let reply = post(program.address, "/v1/ask", "", r#"{"prompt":"two words"}"#);
    let answer = reply.json();
    assert_eq!(
        (answer["answer"].as_str(), answer["backend"].as_str()),
        (Some("two words"), Some("echo"))
    );
    let server = ModelServer::following(Script::failing(500));
    let program = Program::before(&server.url(), "[pipeline.resilience]\nretry_attempts = 1\n");
    let reply = post(program.address, "/v1/ask", "", r#"{"prompt":"x"}"#);
    assert_eq!(
        (reply.status, reply.json()["code"].as_str()),
        (503, Some("llm_unavailable"))
    );
}

#[test]
fn models_are_listed() {
    let program = Program::before("http://127.0.0.1:1/v1", "model = \"gpt-x\"\n");
    let listed = get(program.address, "/v1/models").json();
    assert_eq!(listed["object"], "list");
    assert_eq!(
        (&listed["data"][0]["id"], &listed["data"][0]["owned_by"]),
        (&json!("gpt-x"), &json!("openai"))
    );
    assert_eq!(get(program.address, "/v1/models/gpt-x").json()["id"], "gpt-x");
    assert_eq!(get(program.address, "/v1/models/gpt-y").status, 404);
}

#[test]
fn clients_that_leave_in_the_middle_leave_nothing_behind() {
    let server = ModelServer::following(Script::paced(10_000, 5));
    let program = Program::before(&server.url(), "max_concurrent = 200\n");
    let mut clients = Vec::new();
    for number in 0..100 {
        let stream = if number % 2 == 0 { r#","stream":true"# } else { "" };
        let body = body(&format!("client {number}"), stream);
        // What a client sends ahead of its turn does not hide that it leaves.
        let ahead = if number % 4 < 2 {
            ""
        } else {
            "GET /livez HTTP/1.1\r\nhost: t\r\n\r\n"
        };
        let mut socket = TcpStream::connect(program.address).unwrap();
        let length = body.len();
        write!(socket, "POST {CHAT} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}{ahead}").unwrap();
        if number % 2 == 0 {
            assert!(socket.read(&mut [0; 64]).unwrap() > 0);
        }
        clients.push(socket);
    }
    runtime().block_on(async {
        server.until(|stats| stats.total.running == 100).await;
        drop(clients);
        let stats = server.until(|stats| stats.total.running == 0).await;
        assert_eq!((stats.total.calls, stats.total.aborted), (100, 100));
    });
    assert_eq!(program.metric("orchestrator_in_flight_requests"), 0.0);
    assert_eq!(program.metric(r#"orchestrator_worker_in_flight{worker="w"}"#), 0.0);
    assert_eq!(program.metric("orchestrator_answer_log_bytes"), 0.0);
}

#[test]
fn a_flood_gives_every_request_one_outcome() {
    let server = ModelServer::following(Script {
        head_ms: 20,
        ..Script::default()
    });
    let more = "max_concurrent = 4\n[pipeline.lanes]\ncapacity = 10\n";
    let program = Program::before(&server.url(), more);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asks: Vec<_> = (0..100)
            .map(|number| {
                let program = &program;
                scope.spawn(move || post(program.address, CHAT, "", &body(&format!("flood {number}"), "")))
            })
            .collect();
        asks.into_iter()
            .map(|ask| ask.join().unwrap())
            .map(|reply| {
                assert!(
                    reply.status == 200 || reply.header("retry-after").is_some(),
                    "{}",
                    reply.head
                );
                reply.status
            })
            .collect()
    });
    let of = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert_eq!(of(200) + of(503), 100, "{statuses:?}");
    assert!(
        of(200) >= 14 && of(503) > 0,
        "{} answered, {} refused",
        of(200),
        of(503)
    );
    assert_eq!(server.stats().total.calls as usize, of(200));
    assert!(server.stats().peak <= 4);
}

#[test]
fn going_down_finishes_what_runs_and_refuses_what_comes() {
    let server = ModelServer::following(Script::paced(40, 10));
    let program = Program::before(&server.url(), "[shutdown]\npre_stop_ms = 50\ngrace_ms = 5000\n");
    let address = program.address;
    let running = std::thread::spawn(move || post(address, CHAT, "", &body("long", r#","stream":true"#)));
    runtime().block_on(server.until(|stats| stats.total.running == 1));
    program.signal("TERM");
    let ended = program.wait();
    let reply = running.join().unwrap();
    assert_eq!(reply.events().last(), Some(&"[DONE]"));
    assert_eq!(ended.code, Some(0), "{}", ended.log);
}

#[test]
fn what_runs_at_the_end_of_the_grace_period_ends_with_a_clear_failure() {
    let server = ModelServer::following(Script::paced(10_000, 10));
    let program = Program::before(&server.url(), "[shutdown]\npre_stop_ms = 10\ngrace_ms = 2000\n");
    let address = program.address;
    let running = std::thread::spawn(move || post(address, CHAT, "", &body("endless", r#","stream":true"#)));
    runtime().block_on(server.until(|stats| stats.total.running == 1));
    program.signal("TERM");
    let ended = program.wait();
    let reply = running.join().unwrap();
    assert!(
        reply.events().last().unwrap().contains("server_draining"),
        "{}",
        reply.body
    );
    assert_eq!(ended.code, Some(1));
}

#[test]
fn a_second_signal_quits_at_once() {
    let program = Program::start("");
    program.signal("TERM");
    program.signal("INT");
    assert_eq!(program.wait().code, Some(1));
}

#[test]
fn documents_that_cannot_run_are_told_apart_from_failed_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    std::fs::write(&file, "[pipeline.stages.inference]\nworkr = \"echo\"\n").unwrap();
    let file = file.to_str().unwrap();
    let run = Program::output(&["run", file]);
    assert_eq!(run.code, Some(78), "{}", run.log);
    assert!(
        run.log.contains("p.toml:2:1") && run.log.contains("workr"),
        "{}",
        run.log
    );
    assert_eq!(Program::output(&["validate", file]).code, Some(1));
    assert_eq!(Program::output(&["walk"]).code, Some(2));
    let schema = Program::output(&["schema"]);
    assert_eq!(schema.code, Some(0));
    assert!(schema.log.contains("\"$schema\""));
}
