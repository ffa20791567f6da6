//! Chat completions, whole and as a stream.

use crate::support::{CHAT, body, config, with_doors};
use expect_test::expect;
use orchestrator_core::{Chunk, Code, Delta, Failure, FinishReason, Kind};
use orchestrator_testkit::{
    client::Call,
    scripted::{Call as Script, Model},
};
use serde_json::{Value, json};

fn failing(code: Code) -> Model {
    Model::following([Script::new().fail(Failure::new(code, "The worker says no."))])
}

#[test]
fn a_whole_answer_is_one_json_body_with_its_origin_in_the_head() {
    let model = Model::following([Script::new()
        .text("hel")
        .text("lo")
        .usage(3, 2)
        .finish(FinishReason::Stop)]);
    with_doors(config(), model, async |doors| {
        let reply = doors.chat(body("hi", "")).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some("application/json"))
        );
        let completion = reply.json();
        assert_eq!(completion["object"], "chat.completion");
        assert_eq!(
            completion["choices"][0],
            json!({ "index": 0, "message": { "role": "assistant", "content": "hello", "refusal": null }, "logprobs": null, "finish_reason": "stop" })
        );
        assert_eq!(completion["usage"]["total_tokens"], 5);
        for (name, value) in [
            ("x-orchestrator-cache", "miss"),
            ("x-orchestrator-worker", "scripted"),
            ("x-orchestrator-model", "test"),
            ("x-orchestrator-attempts", "1"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{name}");
        }
        let id = reply.header("x-request-id").unwrap();
        assert!(
            id.starts_with("req_") && reply.header("x-orchestrator-request-id") == Some(id),
            "{id}"
        );
        assert_eq!(doors.lines.ledger.requests(), 0);
        let counted = r#"orchestrator_requests_total{code="ok",error_source="none",model="test",path="/v1/chat/completions",worker="scripted"}"#;
        assert_eq!(doors.metric(counted), 1.0);
        let seconds = |name: &str| doors.metric(&format!("orchestrator_{name}_seconds_count"));
        assert_eq!((seconds("time_to_first_token"), seconds("overhead")), (0.0, 1.0));
    });
}

/// The events of a stream without what differs from run to run.
fn events(reply: &orchestrator_testkit::client::Http) -> String {
    let event = |event: &str| match serde_json::from_str::<Value>(event) {
        Ok(mut event) => {
            for name in ["id", "created", "system_fingerprint", "service_tier"] {
                event.as_object_mut().unwrap().shift_remove(name);
            }
            event.to_string()
        }
        Err(_) => event.to_owned(),
    };
    reply.events().into_iter().map(event).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn a_stream_tells_the_role_first_then_each_delta_then_the_finish_and_done() {
    let call = Kind::ToolCall {
        index: 0,
        id: Some("call_1".into()),
        name: Some("look".into()),
        arguments: "{\"a\":".into(),
    };
    let script = Script::new()
        .text("hel")
        .chunk(Delta::first(Kind::Reasoning("hm".into())).into())
        .chunk(Delta::first(call).into())
        .usage(3, 2)
        .finish(FinishReason::ToolCalls);
    with_doors(config(), Model::following([script]), async |doors| {
        let reply = doors.chat(body("hi", r#","stream":true"#)).await;
        assert_eq!(reply.status, 200);
        for (name, value) in [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("x-accel-buffering", "no"),
        ] {
            assert_eq!(reply.header(name), Some(value));
        }
        expect![[r#"
            {"object":"chat.completion.chunk","model":"test","choices":[{"index":0,"delta":{"role":"assistant","content":"hel"},"logprobs":null,"finish_reason":null}]}
            {"object":"chat.completion.chunk","model":"test","choices":[{"index":0,"delta":{"reasoning_content":"hm"},"logprobs":null,"finish_reason":null}]}
            {"object":"chat.completion.chunk","model":"test","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"a\":"}}]},"logprobs":null,"finish_reason":null}]}
            {"object":"chat.completion.chunk","model":"test","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}]}
            [DONE]
        "#]]
        .assert_eq(&events(&reply));
    });
}

#[test]
fn usage_is_an_event_of_its_own_before_done_when_it_is_asked_for() {
    let model = Model::following([Script::new().text("a").usage(3, 2).finish(FinishReason::Stop)]);
    with_doors(config(), model, async |doors| {
        let asked = r#","stream":true,"stream_options":{"include_usage":true}"#;
        let reply = doors.chat(body("hi", asked)).await;
        let events = reply.events();
        let usage: Value = serde_json::from_str(events[events.len() - 2]).unwrap();
        assert_eq!(
            (&usage["choices"], &usage["usage"]["prompt_tokens"]),
            (&json!([]), &json!(3))
        );
        let first: Value = serde_json::from_str(events[0]).unwrap();
        assert_eq!(first["usage"], Value::Null, "the others say null");
    });
}

#[test]
fn a_failure_before_the_first_token_keeps_its_status_also_for_a_stream() {
    let table = [
        (Code::UpstreamError, 502, "upstream_error"),
        (Code::FirstTokenTimeout, 504, "first_token_timeout"),
        (Code::Overloaded, 503, "server_is_overloaded"),
        (Code::RateLimited, 429, "rate_limit_exceeded"),
        (Code::ContextLengthExceeded, 400, "context_length_exceeded"),
        (Code::UpstreamCredentials, 502, "upstream_error"),
        (Code::UpstreamRedirected, 502, "upstream_error"),
        (Code::Internal, 500, "internal_error"),
    ];
    for (code, status, word) in table {
        for stream in ["", r#","stream":true"#] {
            with_doors(config(), failing(code), async |doors| {
                let reply = doors.chat(body("hi", stream)).await;
                assert_eq!(reply.status, status, "{code:?}");
                let error = &reply.json()["error"];
                assert_eq!(
                    (error["code"].as_str(), error.as_object().unwrap().len()),
                    (Some(word), 4)
                );
                assert!(reply.header("x-orchestrator-error-source").is_some());
                assert!(reply.header("x-request-id").is_some());
            });
        }
    }
}

#[test]
fn a_failure_after_the_first_token_is_an_event_and_no_done_follows() {
    let broken = Failure::new(
        Code::UpstreamTruncated,
        "The worker's answer ended before it was finished.",
    );
    let model = Model::following([Script::new().text("hel").after(5).fail(broken)]);
    with_doors(config(), model, async |doors| {
        let reply = doors.chat(body("hi", r#","stream":true"#)).await;
        let events = reply.events();
        assert_eq!((reply.status, events.len()), (200, 2));
        let error: Value = serde_json::from_str(events[1]).unwrap();
        assert_eq!(error["error"]["code"], "upstream_error");
    });
}

#[test]
fn a_client_that_hangs_up_ends_its_call() {
    for stream in ["", r#","stream":true"#] {
        let model = Model::following([Script::new().text("a").hang()]);
        with_doors(config(), model, async |doors| {
            let call = Call::post(doors.address, CHAT, &body("hi", stream)).await;
            doors.running(1).await;
            drop(call);
            doors.running(0).await;
            assert_eq!(doors.lines.model.dropped(), 1);
            let cancelled = |worker| doors.ended("/v1/chat/completions", worker, ("cancelled", "client"));
            while cancelled("none") + cancelled("scripted") < 1.0 {
                tokio::task::yield_now().await;
            }
        });
    }
}

#[test]
fn many_choices_are_told_apart() {
    let of = |choice, text: &'static str| Delta {
        choice,
        kind: Kind::Text(text.into()),
    };
    let finish = |choice| Delta {
        choice,
        kind: Kind::Finish(FinishReason::Stop),
    };
    let chunks: Vec<Chunk> = vec![
        of(0, "a").into(),
        of(1, "x").into(),
        of(0, "b").into(),
        finish(0).into(),
        finish(1).into(),
    ];
    let model = Model::following([Script::new().batch(chunks)]);
    with_doors(config(), model, async |doors| {
        let reply = doors.chat(body("hi", r#","n":2"#)).await.json();
        let said = |choice: usize| {
            reply["choices"][choice]["message"]["content"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!((said(0), said(1)), ("ab".to_owned(), "x".to_owned()));
    });
}
