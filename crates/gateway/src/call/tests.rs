//! Each request leaves one line in the access log, whatever way it ends; none holds what was said.

mod counts;

use super::*;
use crate::{
    Config,
    fixtures::{Client, Doors, body, logged, post},
};
use expect_test::expect;
use orchestrator_core::FinishReason;
use orchestrator_testkit::scripted::{Call as Script, Model};
use std::io;
use tokio::time::sleep;

/// Doors that log, before a model that plays one script.
fn doors(script: Script) -> Doors {
    Doors::logging(Config::default(), Model::following([script]), logged::access())
}

/// A request of a session, and more header lines.
fn request(session: &str, headers: &str, body: &str) -> String {
    let headers = format!("connection: close\r\nx-orchestrator-session-id: {session}\r\n{headers}");
    post("/v1/chat/completions", &headers, body)
}

/// What one line says of how its request ended.
fn ending(session: &str) -> String {
    let lines = logged::lines_of(session);
    assert_eq!(lines.len(), 1, "one request, one line: {lines:?}");
    let word = |name: &str| lines[0][name].as_str().unwrap_or("-").to_owned();
    format!(
        "{} {} {} {}",
        lines[0]["status"],
        word("outcome"),
        word("error_code"),
        word("error_source")
    )
}

fn failing(code: Code) -> Script {
    Script::new().fail(Failure::new(code, "No."))
}

#[tokio::test(start_paused = true)]
async fn a_line_says_who_asked_what_and_how_it_went() {
    let script = Script::new()
        .after(40)
        .text("a secret")
        .after(60)
        .usage(3, 2)
        .finish(FinishReason::Stop);
    let doors = doors(script);
    let asked = body("another secret", r#","stream":true"#);
    let wire = doors.send(request("line", "x-request-id: mine\r\n", &asked)).await;
    assert!(wire.rest().await.contains("[DONE]"));
    let line = serde_json::to_string_pretty(&logged::lines_of("line")).unwrap();
    expect![[r#"
        [
          {
            "timestamp": "2026-01-01T00:00:00.000000Z",
            "level": "INFO",
            "target": "access",
            "message": "request",
            "caller_id": "mine",
            "session_id": "line",
            "client": "10.0.0.7:4711",
            "method": "POST",
            "path": "/v1/chat/completions",
            "model": "test",
            "worker": "scripted",
            "tier": "primary",
            "cache": "MISS",
            "attempts": 1,
            "status": 200,
            "outcome": "ok",
            "ttft_ms": 40,
            "duration_us": 100000,
            "prompt_tokens": 3,
            "completion_tokens": 2
          }
        ]"#]]
    .assert_eq(&line);
    assert!(!logged::holds("a secret") && !logged::holds("another secret"));
}

#[tokio::test(start_paused = true)]
async fn a_line_says_how_a_request_failed_and_whose_fault_it_was() {
    let table = [
        (failing(Code::UpstreamError), "502 failed upstream_error upstream"),
        (
            failing(Code::FirstTokenTimeout),
            "504 failed first_token_timeout upstream",
        ),
        (failing(Code::RateLimited), "429 failed rate_limit_exceeded upstream"),
        (failing(Code::Overloaded), "503 refused server_is_overloaded gateway"),
        (failing(Code::BreakerOpen), "503 refused breaker_open gateway"),
        (
            failing(Code::ContextLengthExceeded),
            "400 failed context_length_exceeded client",
        ),
        (Script::new().panic(), "500 failed internal_error gateway"),
        (Script::new().hang(), "504 failed deadline_exceeded gateway"),
        (
            Script::new()
                .text("a")
                .after(1)
                .fail(Failure::new(Code::IdleTimeout, "No.")),
            "504 failed idle_timeout upstream",
        ),
    ];
    for (nth, (script, expected)) in table.into_iter().enumerate() {
        for stream in [true, false] {
            let session = format!("failed-{nth}-{stream}");
            let asked = body("x", &format!(r#","stream":{stream}"#));
            doors(script.clone())
                .send(request(&session, "", &asked))
                .await
                .rest()
                .await;
            assert_eq!(ending(&session), expected, "{session}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_logged_as_one_who_cancelled() {
    for (session, script) in [
        ("left-early", Script::new().hang()),
        ("left-late", Script::new().text("a").hang()),
    ] {
        let doors = doors(script);
        let wire = doors.send(request(session, "", &body("x", r#","stream":true"#))).await;
        doors.running(1).await;
        sleep(Duration::from_millis(5)).await;
        drop(wire);
        doors.running(0).await;
        assert_eq!(ending(session), "499 cancelled cancelled client");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_at_the_end_of_the_process_is_logged_as_that() {
    let doors = doors(Script::new().hang());
    let wire = doors.send(request("cut-off", "", &body("x", ""))).await;
    doors.running(1).await;
    doors.director.enter(Stage::Over);
    wire.rest().await;
    assert_eq!(ending("cut-off"), "503 refused server_draining gateway");
}

#[tokio::test(start_paused = true)]
async fn bad_requests_are_logged_too() {
    let doors = doors(Script::saying(["fine"]));
    // The wishes are not read, so that the line bears no session; the caller's name is known all the same.
    let bad = request(
        "bad",
        "x-request-id: a-bad-one\r\nx-orchestrator-priority: urgent\r\n",
        &body("x", ""),
    );
    doors.send(bad).await.rest().await;
    assert!(logged::holds("a-bad-one"));
    doors
        .send(post(
            "/nowhere",
            "connection: close\r\nx-request-id: a-lost-one\r\n",
            "",
        ))
        .await
        .rest()
        .await;
    assert!(logged::holds("a-lost-one"));
}

#[tokio::test(start_paused = true)]
async fn each_request_of_a_socket_has_its_own_line() {
    let doors = Doors::logging(
        Config::default(),
        Model::following([
            Script::saying(["fine"]),
            failing(Code::UpstreamError),
            Script::new().hang(),
        ]),
        logged::access(),
    );
    let mut client = Client::connect_wishing(&doors, &[("x-orchestrator-session-id", "socket")]).await;
    for id in ["a", "b"] {
        client.submit(id, "x").await;
        client.hear_all().await;
    }
    client.submit("c", "x").await;
    client.accepted().await;
    doors.running(1).await;
    client.cancel("c").await;
    client.refused().await;
    client.close().await;
    let lines = logged::lines_of("socket");
    let said: Vec<String> = lines
        .iter()
        .map(|line| format!("{} {}", line["method"], line["outcome"]))
        .collect();
    assert_eq!(said, [r#""WS" "ok""#, r#""WS" "failed""#, r#""WS" "cancelled""#]);
    assert!(lines.iter().all(|line| line["path"] == "/v1/stream"));
}

#[tokio::test(start_paused = true)]
async fn names_with_bytes_that_headers_do_not_allow_are_shown_as_far_as_they_go() {
    assert_eq!(header_value("caf\u{e9} 1\r\nset-cookie: x"), "caf? 1??set-cookie: x");
    assert_eq!(header_value("qwen3:8b"), "qwen3:8b");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_us_or_a_worker_is_logged_with_its_causes() {
    let cause = io::Error::new(io::ErrorKind::NotFound, "no such host: model.test");
    let unreachable = Failure::new(Code::UpstreamConnect, "The worker cannot be reached.").with_source(cause);
    for stream in [true, false] {
        let asked = body("x", &format!(r#","stream":{stream}"#));
        let doors = doors(Script::new().fail(unreachable.clone()));
        doors.send(request("unreachable", "", &asked)).await.rest().await;
    }
    let lines = logged::lines_where("causes", "no such host: model.test");
    assert_eq!((lines.len(), &lines[0]), (2, &lines[1]), "one for each request");
    expect![[r#"
        {
          "timestamp": "2026-01-01T00:00:00.000000Z",
          "level": "WARN",
          "target": "orchestrator_gateway::call",
          "message": "a request failed: The worker cannot be reached.",
          "code": "upstream_connect",
          "causes": "no such host: model.test"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&lines[0]).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_line_of_a_failure_bears_the_name_of_its_request_and_comes_once() {
    logged::access();
    let doors = doors(Script::new().hang());
    let cause = |text: &'static str| Failure::new(Code::Internal, "No.").with_source(io::Error::other(text));
    let mut call = Call::begin(&doors.door, "POST", "/v1/ask", Arrival::new(&doors.door, None));
    let id = call.arrival.id.to_string();
    call.fail(&cause("the first cause"));
    call.fail(&cause("another cause"));
    assert!(logged::holds(&format!(
        r#""request_id":"{id}","code":"internal_error","causes":"the first cause""#
    )));
    assert!(!logged::holds("another cause"));
}

#[tokio::test(start_paused = true)]
async fn a_clients_own_fault_and_a_workers_words_are_not_logged() {
    for (code, said) in [
        (Code::UpstreamRejected, "refusing the quiet words"),
        (Code::UpstreamError, "choking on the quiet words"),
        (Code::RateLimited, "too many quiet words"),
    ] {
        let script = Script::new().fail(Failure::new(code, said).with_status(499));
        let wire = doors(script)
            .send(request("quiet", "", &body("the quiet words", "")))
            .await;
        assert!(wire.rest().await.contains(said), "the client reads them");
    }
    assert_eq!(logged::lines_of("quiet").len(), 3);
    assert!(!logged::holds("quiet words"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_served_is_logged_as_it_was_asked_and_counted_as_other() {
    let doors = doors(Script::saying(["fine"]));
    let long = format!("/{}", "\u{e9}".repeat(200));
    let cut = format!("/{}", "\u{e9}".repeat(127));
    for (nth, (line, method, path)) in [
        ("DELETE /v1/models?key=1", "DELETE", "/v1/models"),
        ("PUT /v1/chat/completions", "PUT", "/v1/chat/completions"),
        ("GET /wp-login.php?a=b#c", "GET", "/wp-login.php"),
        (&format!("BREW {long}"), "BREW", &cut),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("unserved-{nth}");
        let head = format!("{line} HTTP/1.1\r\nhost: t\r\nconnection: close\r\nx-request-id: {name}\r\n\r\n");
        doors.send(head).await.rest().await;
        let lines = logged::lines_where("caller_id", &name);
        assert_eq!((&lines[0]["method"], &lines[0]["path"]), (&method.into(), &path.into()));
    }
    let counted = doors.metric(r#"orchestrator_request_duration_seconds_count{path="other"}"#);
    assert_eq!(counted, 4.0);
}

#[tokio::test(start_paused = true)]
async fn the_first_token_is_timed_once() {
    let doors = doors(Script::saying(["fine"]));
    let mut call = Call::begin(
        &doors.door,
        "POST",
        "/v1/chat/completions",
        Arrival::new(&doors.door, None),
    );
    assert_eq!(call.ttft_ms(), None);
    for _ in 0..2 {
        sleep(Duration::from_millis(30)).await;
        call.first_token(None);
    }
    assert_eq!(call.ttft_ms(), Some(30));
    assert_eq!(doors.metric("orchestrator_time_to_first_token_seconds_count"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_counted_on_its_core_until_it_is_over_and_ends_once() {
    let doors = doors(Script::saying(["fine"]));
    let counted = |doors: &Doors, code: &str, source: &str| {
        let labels = format!(r#"code="{code}",error_source="{source}",model="none",path="/v1/ask",worker="none""#);
        doors.metric(&format!("orchestrator_requests_total{{{labels}}}"))
    };
    let mut call = Call::begin(&doors.door, "POST", "/v1/ask", Arrival::new(&doors.door, None));
    call.finish(None);
    call.fail(&Failure::new(Code::Internal, "No."));
    drop(call);
    assert_eq!(
        (
            counted(&doors, "ok", "none"),
            counted(&doors, "internal_error", "gateway")
        ),
        (1.0, 0.0)
    );
    drop(Call::begin(
        &doors.door,
        "POST",
        "/v1/ask",
        Arrival::new(&doors.door, None),
    ));
    assert_eq!(counted(&doors, "cancelled", "client"), 1.0);
}
