//! The plain face.

use crate::support::{Doors, config, parrot, with_doors};
use orchestrator_core::{Code, Failure, FinishReason, Priority};
use orchestrator_testkit::{
    client::{Call, Http},
    scripted::{Call as Script, Model},
};
use serde_json::json;

fn failing(code: Code) -> Model {
    Model::following([Script::new().fail(Failure::new(code, "The worker says no."))])
}

#[test]
fn the_plain_face_answers_plainly() {
    let model = Model::following([Script::new().text("42").usage(1, 1).finish(FinishReason::Stop)]);
    with_doors(config(), model, async |doors| {
        let reply = Call::post(doors.address, "/v1/ask", r#"{"prompt":"6 x 7?"}"#)
            .await
            .answer()
            .await;
        let answer = reply.json();
        assert_eq!(
            (reply.status, &answer["answer"], &answer["backend"]),
            (200, &json!("42"), &json!("scripted"))
        );
        assert_eq!(
            (&answer["model"], &answer["usage"]["total_tokens"]),
            (&json!("test"), &json!(2))
        );
        assert!(answer["latency_ms"].is_u64() && answer["req_id"].as_str().unwrap().starts_with("req_"));
        assert_eq!(doors.lines.model.prompts(), ["6 x 7?"]);
        let bad = Call::post(doors.address, "/v1/ask", "{}").await.answer().await;
        assert_eq!(
            (bad.status, bad.json()["code"].as_str()),
            (400, Some("invalid_request"))
        );
        let streamed = r#"{"prompt":"6 x 7?","stream":true}"#;
        let streamed = Call::post(doors.address, "/v1/ask", streamed).await.answer().await;
        assert_eq!(streamed.text(), "42");
    });
    for code in [
        Code::UpstreamError,
        Code::IdleTimeout,
        Code::BreakerOpen,
        Code::UpstreamCredentials,
        Code::UpstreamRedirected,
    ] {
        with_doors(config(), failing(code), async |doors| {
            for body in [r#"{"prompt":"x"}"#, r#"{"prompt":"x","stream":true}"#] {
                let reply = Call::post(doors.address, "/v1/ask", body).await.answer().await;
                assert_eq!(
                    (reply.status, reply.json()["code"].as_str()),
                    (503, Some("llm_unavailable")),
                    "{code:?}"
                );
            }
        });
    }
}

/// Asks, with more header lines.
pub(crate) async fn ask(doors: &Doors, headers: &str, body: &str) -> Http {
    let length = body.len();
    let head =
        format!("POST /v1/ask HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
    doors.send(format!("{head}{body}")).await.answer().await
}

#[test]
fn a_question_may_be_a_conversation_to_a_model_of_choice() {
    with_doors(config(), parrot(), async |doors| {
        let talk = r#"{"messages":[{"role":"user","content":"6 x 7?"}],"model":"org/other"}"#;
        let reply = ask(&doors, "x-orchestrator-priority: low\r\n", talk).await.json();
        assert_eq!(
            (&reply["answer"], &reply["model"], &reply["usage"]),
            (&json!("6 x 7?"), &json!("org/other"), &json!(null))
        );
        let asked = doors.last_asked();
        assert_eq!(
            (&*asked.model, asked.priority, asked.stream),
            ("org/other", Priority::Low, false)
        );
        let names: Vec<&String> = reply.as_object().unwrap().keys().collect();
        assert_eq!(names, ["backend", "model", "answer", "usage", "latency_ms", "req_id"]);
    });
}

#[test]
fn a_bad_question_is_told_in_the_shape_of_this_face() {
    with_doors(config(), parrot(), async |doors| {
        for (body, status, param) in [
            ("", 400, None),
            ("[]", 400, None),
            ("{}", 400, Some("prompt")),
            (r#"{"prompt":""}"#, 400, Some("prompt")),
            (r#"{"prompt":7}"#, 400, Some("prompt")),
            (r#"{"prompt":"x","messages":[]}"#, 400, Some("prompt")),
            (r#"{"prompt":"x","temperature":1}"#, 400, Some("temperature")),
            (r#"{"prompt":"x","stream":"yes"}"#, 400, Some("stream")),
        ] {
            let reply = ask(&doors, "", body).await;
            let error = reply.json();
            let names: Vec<&String> = error.as_object().unwrap().keys().collect();
            assert_eq!(names, ["code", "message", "param", "req_id"], "{body}");
            assert_eq!(
                (reply.status, error["param"].as_str()),
                (status, param),
                "{body}: {error}"
            );
            assert_eq!(reply.header("x-orchestrator-request-id"), error["req_id"].as_str());
        }
        assert_eq!(doors.lines.model.calls(), 0);
    });
}

#[test]
fn whatever_keeps_it_from_an_answer_is_503_and_refusals_keep_their_code() {
    let table = [
        (Code::Overloaded, 503, "server_is_overloaded"),
        (Code::ContextLengthExceeded, 400, "context_length_exceeded"),
        (Code::DeadlineExceeded, 503, "llm_unavailable"),
        (Code::Internal, 503, "llm_unavailable"),
        (Code::RateLimited, 503, "llm_unavailable"),
        (Code::UpstreamTruncated, 503, "llm_unavailable"),
    ];
    for (code, status, word) in table {
        with_doors(config(), failing(code), async |doors| {
            let reply = ask(&doors, "", r#"{"prompt":"x"}"#).await;
            assert_eq!(
                (reply.status, reply.json()["code"].as_str()),
                (status, Some(word)),
                "{code:?}"
            );
            assert_eq!(reply.header("x-orchestrator-error-source"), Some(code.blame().as_str()));
        });
    }
}
