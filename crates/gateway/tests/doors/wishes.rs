//! What a client may wish for in headers.

use crate::{
    ask::ask,
    line::Asked,
    support::{body, config, fine, streamed, with_doors},
};
use orchestrator_core::{Priority, Reuse};
use orchestrator_gateway::Config;
use orchestrator_testkit::client::Call;
use serde_json::json;
use std::time::Duration;

#[test]
fn wishes_in_headers_that_cannot_be_granted_are_named() {
    with_doors(config(), fine(), async |doors| {
        for (header, value) in [
            ("x-orchestrator-priority", "urgent"),
            ("x-orchestrator-timeout-ms", "soon"),
            ("x-orchestrator-timeout-ms", "0"),
            ("x-orchestrator-latency-budget-ms", "1.5"),
            ("x-orchestrator-cache-control", "maybe"),
            ("x-orchestrator-dry-run", "perhaps"),
        ] {
            let reply = doors.chat_with(&format!("{header}: {value}\r\n"), body("hi", "")).await;
            assert_eq!(
                (reply.status, reply.json()["error"]["param"].as_str()),
                (400, Some(header)),
                "{header}: {value}"
            );
        }
        assert_eq!(doors.lines.model.calls(), 0);
    });
}

#[test]
fn wishes_that_are_granted_reach_the_line() {
    let headers = "x-orchestrator-priority: high\r\nx-orchestrator-timeout-ms: 30000\r\n\
        x-orchestrator-latency-budget-ms: 9000\r\nx-orchestrator-session-id: s1\r\nx-orchestrator-cache-control: no-store\r\nx-orchestrator-dry-run: false\r\n";
    with_doors(config(), fine(), async |doors| {
        assert_eq!(doors.chat_with(headers, body("x", "")).await.status, 200);
        let asked = doors.last_asked();
        assert_eq!(
            (asked.priority, asked.session.as_deref(), asked.reuse),
            (Priority::High, Some("s1"), Reuse::Never)
        );
        assert!(
            asked.time <= Duration::from_secs(30) && asked.time > Duration::from_secs(20),
            "{asked:?}"
        );
        let haste = asked.haste.unwrap();
        assert!(
            haste <= Duration::from_secs(9) && haste > Duration::from_secs(5),
            "{haste:?}"
        );
    });
}

#[test]
fn faults_are_asked_for_on_every_face_as_far_as_they_are_allowed() {
    with_doors(config(), fine(), async |doors| {
        for face in ["whole", "stream", "ask"] {
            let send = async |words: &str| {
                let headers = format!("x-orchestrator-chaos: {words}\r\n");
                match face {
                    "whole" => doors.chat_with(&headers, body("x", "")).await,
                    "stream" => doors.chat_with(&headers, streamed("x")).await,
                    _ => ask(&doors, &headers, r#"{"prompt":"x"}"#).await,
                }
            };
            let words = "failure=0.5; seed=1";
            assert_eq!(send(words).await.status, 200, "{face}");
            let asked = doors.last_asked();
            assert_eq!((asked.chaos, asked.reuse), (Some((words.to_owned(), 0)), Reuse::Never));
            let refused = send("cut=1").await;
            assert_eq!(refused.status, 403, "{face}: {}", refused.body);
            assert!(refused.body.contains("Only failures.") && refused.body.contains("x-orchestrator-chaos"));
        }
        assert_eq!(doors.lines.model.calls(), 3);
    });
}

#[test]
fn without_wishes_a_request_is_an_ordinary_one() {
    with_doors(config(), fine(), async |doors| {
        for (body, stream) in [(body("x", ""), false), (streamed("x"), true)] {
            doors.chat(body).await;
            let asked = doors.last_asked();
            let Asked {
                priority,
                session,
                reuse,
                haste,
                ..
            } = asked.clone();
            assert_eq!((priority, session, reuse), (Priority::Normal, None, Reuse::Allowed));
            assert_eq!(haste, None);
            assert_eq!((asked.stream, &*asked.model, asked.core), (stream, "test", 0));
        }
    });
}

#[test]
fn nobody_may_wait_longer_than_the_server_lets_them() {
    let strict = Config {
        request_timeout_ms: 5_000,
        ..config()
    };
    with_doors(strict, fine(), async |doors| {
        doors
            .chat_with("x-orchestrator-timeout-ms: 86400000\r\n", body("x", ""))
            .await;
        assert!(doors.last_asked().time <= Duration::from_secs(5));
    });
}

#[test]
fn a_dry_run_tells_the_plan_and_runs_nothing() {
    with_doors(config(), fine(), async |doors| {
        let chat = doors.chat_with("x-orchestrator-dry-run: TRUE\r\n", streamed("x")).await;
        assert_eq!((chat.status, &chat.json()["route"]), (200, &json!("default")));
        assert_eq!(chat.json()["stream"], true);
        assert!(chat.header("x-orchestrator-request-id").is_some());
        let explain = async |body: &str| {
            let asked = Call::post(doors.address, "/v1/ask/dry-explain", body).await;
            asked.answer().await
        };
        let asked = explain(r#"{"prompt":"x"}"#).await;
        assert_eq!((asked.status, &asked.json()["route"]), (200, &json!("default")));
        let bad = explain("{").await;
        assert_eq!((bad.status, &bad.json()["code"]), (400, &json!("invalid_request")));
        assert_eq!((doors.lines.model.calls(), doors.lines.asked.lock().len()), (0, 0));
        for path in ["/v1/chat/completions", "/v1/ask/dry-explain"] {
            assert_eq!(
                doors.ended(path, "none", ("ok", "none")),
                0.0,
                "{path} counts what was only shown"
            );
        }
    });
}
