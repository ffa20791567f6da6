//! What clients are told of failures, row by row of the table that SDKs go by.

use crate::support::{CHAT, body, config, playing, streamed, with_doors};
use expect_test::expect;
use orchestrator_core::{Code, Failure};
use orchestrator_testkit::{
    client::Http,
    scripted::{Call as Script, Model},
};
use std::time::Duration;

/// Status, type, code, pause, whether to try again, and whose fault.
fn row(reply: &Http) -> String {
    let error = reply.json()["error"].take();
    let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["message", "type", "param", "code"], "all four keys, always");
    let id = reply.header("x-orchestrator-request-id").unwrap();
    let message = error["message"].as_str().unwrap();
    assert!(message.ends_with(&format!("(request id: {id})")), "{message}");
    let header = |name| reply.header(name).unwrap_or("-");
    let words = [error["type"].as_str(), error["code"].as_str()].map(|word| word.unwrap_or("null"));
    let headers = ["retry-after", "x-should-retry", "x-orchestrator-error-source"].map(header);
    format!("{} {} {}", reply.status, words.join(" "), headers.join(" "))
}

#[test]
fn each_failure_has_its_row_whether_a_stream_was_asked_for_or_not() {
    let pause = Duration::from_millis(1_500);
    let failures: Vec<Failure> = Code::ALL
        .into_iter()
        .map(|code| match code {
            Code::RateLimited | Code::Overloaded => Failure::new(code, "No.").with_retry_after(pause),
            _ => Failure::new(code, "No."),
        })
        .collect();
    let count = failures.len();
    let scripts = failures.into_iter().flat_map(|failure| {
        let script = Script::new().fail(failure);
        [script.clone(), script]
    });
    with_doors(config(), Model::following(scripts), async |doors| {
        let mut rows = String::new();
        for _ in 0..count {
            let whole = row(&doors.chat(body("x", "")).await);
            assert_eq!(row(&doors.chat(streamed("x")).await), whole);
            rows += &whole;
            rows += "\n";
        }
        expect![[r"
            400 invalid_request_error null - - client
            400 invalid_request_error context_length_exceeded - - client
            401 invalid_request_error invalid_api_key - - client
            404 invalid_request_error model_not_found - - client
            413 invalid_request_error request_too_large - - client
            405 invalid_request_error method_not_allowed - - client
            404 invalid_request_error not_found - - client
            415 invalid_request_error unsupported_media_type - - client
            408 invalid_request_error request_timeout - - client
            409 invalid_request_error id_in_use - false client
            404 invalid_request_error resume_not_possible - false client
            503 service_unavailable_error slow_consumer - - client
            503 service_unavailable_error server_is_overloaded 2 - gateway
            503 service_unavailable_error server_draining 1 true gateway
            503 service_unavailable_error server_is_overloaded - - gateway
            429 rate_limit_error rate_limit_exceeded 2 - upstream
            400 invalid_request_error upstream_rejected - false client
            502 server_error upstream_error - false upstream
            502 server_error upstream_error - false upstream
            502 server_error upstream_error - false upstream
            502 server_error upstream_error - false upstream
            502 server_error upstream_error - false upstream
            502 server_error upstream_error - false upstream
            504 server_error first_token_timeout - false upstream
            504 server_error idle_timeout - false upstream
            503 service_unavailable_error retrieval_failed - - gateway
            504 server_error deadline_exceeded - false gateway
            499 invalid_request_error cancelled - false client
            500 server_error internal_error - false gateway
        "]]
        .assert_eq(&rows);
    });
}

#[test]
fn a_pause_is_told_to_programs_and_to_people() {
    let limited =
        Failure::new(Code::RateLimited, "The worker is resting.").with_retry_after(Duration::from_millis(1_500));
    with_doors(config(), playing(Script::new().fail(limited)), async |doors| {
        let reply = doors.chat(body("x", "")).await;
        assert_eq!(
            (reply.header("retry-after"), reply.header("retry-after-ms")),
            (Some("2"), Some("1500"))
        );
        assert!(reply.body.contains("try again in 1.5s"), "{}", reply.body);
    });
}

#[test]
fn a_workers_refusal_keeps_its_status_and_its_words() {
    for status in [400, 404, 422] {
        let refusal = Failure::new(Code::UpstreamRejected, "`logprobs` is not supported.").with_status(status);
        with_doors(config(), playing(Script::new().fail(refusal)), async |doors| {
            let reply = doors.chat(body("x", "")).await;
            assert_eq!(reply.status, status);
            assert!(reply.body.contains("`logprobs` is not supported."), "{}", reply.body);
        });
    }
}

#[test]
fn the_cause_behind_a_failure_is_not_told() {
    let cause = std::io::Error::other("a secret address");
    let failure = Failure::new(Code::UpstreamConnect, "The worker cannot be reached.").with_source(cause);
    with_doors(config(), playing(Script::new().fail(failure)), async |doors| {
        for body in [body("x", ""), streamed("x")] {
            assert!(!doors.chat(body).await.body.contains("secret"));
        }
    });
}

#[test]
fn every_answer_bears_its_names_whatever_it_is() {
    with_doors(config(), playing(Script::saying(["fine"])), async |doors| {
        let (good, bad) = (body("x", ""), "{");
        for (headers, name) in [("x-request-id: mine\r\n", Some("mine")), ("", None)] {
            for asked in [good.as_str(), &streamed("x"), bad] {
                let reply = doors.chat_with(headers, asked).await;
                let ours = reply.header("x-orchestrator-request-id").unwrap();
                assert!(ours.starts_with("req_") && ours.len() == 36, "{ours}");
                let expected = Some(name.unwrap_or(ours));
                assert_eq!(
                    (reply.header("x-request-id"), reply.header("request-id")),
                    (expected, expected)
                );
            }
        }
        let missing = doors
            .plain(doors.address, &format!("DELETE {CHAT}"), "x-request-id: mine\r\n")
            .await;
        assert_eq!((missing.status, missing.header("x-request-id")), (405, Some("mine")));
    });
}
