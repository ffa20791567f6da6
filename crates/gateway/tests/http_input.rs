//! Whatever clients send: a clear answer, and the doors stay open.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a fault in here shall end the test"
)]

mod support;

use orchestrator_core::Secret;
use orchestrator_gateway::{Config, Stage};
use orchestrator_testkit::{client::Call, scripted::Model};
use serde_json::json;
use support::{CHAT, Doors, body, config, with_doors};

fn good() -> Model {
    Model::saying(["fine"])
}

/// A POST of this body with these header lines.
fn raw(headers: &str, body: &str) -> String {
    format!("POST {CHAT} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}\r\n{body}")
}

async fn still_serves(doors: &Doors) {
    assert_eq!(doors.chat(&body("still there?", "")).await.status, 200);
}

#[test]
fn bad_bodies_are_refused_with_the_place_that_is_wrong() {
    let table = [
        ("", None),
        ("{", None),
        ("[]", None),
        ("nonsense", None),
        (r#"{"model":"m"}"#, Some("messages")),
        (r#"{"model":"m","messages":[]}"#, Some("messages")),
        (r#"{"model":"m","messages":"hi"}"#, Some("messages")),
        (
            r#"{"model":"m","messages":[{"role":"robot","content":"x"}]}"#,
            Some("messages[0].role"),
        ),
        (
            r#"{"model":7,"messages":[{"role":"user","content":"x"}]}"#,
            Some("model"),
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":"yes"}"#,
            Some("stream"),
        ),
    ];
    with_doors(config(), good(), async |doors| {
        for (body, param) in table {
            let reply = doors.chat(body).await;
            let error = &reply.json()["error"];
            let kind = error["type"].as_str();
            assert_eq!((reply.status, kind), (400, Some("invalid_request_error")), "{body}");
            if let Some(param) = param {
                assert_eq!(error["param"].as_str(), Some(param), "{body}: {error}");
            }
            assert!(error["message"].as_str().unwrap().len() > 10, "{body}: {error}");
        }
        assert_eq!(doors.model.calls(), 0);
        still_serves(&doors).await;
    });
}

#[test]
fn a_body_split_at_every_byte_is_read_whole() {
    with_doors(config(), good(), async |doors| {
        let asked = body("ü and 😀", "");
        let request = raw(&format!("content-length: {}\r\n", asked.len()), &asked);
        for at in (1..request.len()).step_by(7) {
            let (one, other) = request.as_bytes().split_at(at);
            let mut call = Call::send(doors.address, one).await;
            tokio::task::yield_now().await;
            call.more(other).await;
            assert_eq!(call.answer().await.status, 200, "split at {at}");
        }
    });
}

#[test]
fn a_chunked_body_is_read_whole() {
    with_doors(config(), good(), async |doors| {
        let asked = body("in chunks", "");
        let chunks: String = asked
            .as_bytes()
            .chunks(5)
            .map(|chunk| format!("{:x};x=y\r\n{}\r\n", chunk.len(), str::from_utf8(chunk).unwrap()))
            .collect();
        let request = raw(
            "transfer-encoding: chunked\r\n",
            &format!("{chunks}0\r\ntrailer: x\r\n\r\n"),
        );
        assert_eq!(Call::send(doors.address, request).await.answer().await.status, 200);
        assert_eq!(doors.model.prompts(), ["in chunks"]);
    });
}

#[test]
fn bodies_that_are_too_large_are_refused_before_and_while_they_come() {
    let small = Config {
        max_body_bytes: 1024,
        ..config()
    };
    with_doors(small, good(), async |doors| {
        let announced = raw("content-length: 999999999\r\n", "");
        let reply = Call::send(doors.address, announced).await.answer().await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (413, &json!("request_too_large"))
        );
        let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
        let reply = Call::send(doors.address, raw("transfer-encoding: chunked\r\n", &chunk.repeat(3))).await;
        assert!(reply.rest().await.starts_with("HTTP/1.1 413"));
        still_serves(&doors).await;
    });
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
    let impatient = Config {
        body_timeout_ms: 40,
        ..config()
    };
    with_doors(impatient, good(), async |doors| {
        let reply = Call::send(doors.address, raw("content-length: 100\r\n", "{"))
            .await
            .answer()
            .await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (408, &json!("request_timeout"))
        );
    });
}

#[test]
fn a_head_that_does_not_come_is_not_waited_for_for_ever() {
    let impatient = Config {
        header_timeout_ms: 40,
        idle_timeout_ms: 40,
        ..config()
    };
    with_doors(impatient, good(), async |doors| {
        for beginning in ["", "POST /v1/chat", "GET / HTTP/1.1\r\nhost: t\r\n"] {
            let answer = Call::send(doors.address, beginning).await.rest().await;
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
                "{beginning:?}: {answer}"
            );
        }
        still_serves(&doors).await;
    });
}

#[test]
fn heads_that_are_too_large_or_no_http_are_refused() {
    with_doors(config(), good(), async |doors| {
        let large = raw(&format!("x-large: {}\r\n", "x".repeat(100_000)), "");
        let many = raw(&"x-many: 1\r\n".repeat(150), "");
        for (request, status) in [
            (large, 431),
            (many, 431),
            ("\u{1}\u{2}\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
        ] {
            let answer = Call::send(doors.address, request).await.rest().await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
        }
        still_serves(&doors).await;
    });
}

#[test]
fn methods_paths_and_types_that_are_not_served_say_what_is() {
    with_doors(config(), good(), async |doors| {
        let table = [
            ("GET /v1/chat/completions", 405, Some("post")),
            ("DELETE /v1/models", 405, Some("get")),
            ("POST /v1/models/test", 405, Some("get")),
            ("PUT /v1/ask", 405, Some("post")),
            ("GET /v1/nothing", 404, None),
            ("GET /", 404, None),
            ("GET /v1", 404, None),
            ("POST /livez", 405, None),
        ];
        for (request, status, allow) in table {
            let reply = doors.plain(doors.address, request, "content-length: 0\r\n").await;
            assert_eq!((reply.status, reply.header("allow")), (status, allow), "{request}");
        }
        let form = raw("content-type: text/html\r\ncontent-length: 2\r\n", "{}");
        let reply = Call::send(doors.address, form).await.answer().await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (415, &json!("unsupported_media_type"))
        );
    });
}

#[test]
fn wishes_in_headers_that_cannot_be_granted_are_named() {
    with_doors(config(), good(), async |doors| {
        for (header, value) in [
            ("x-orchestrator-priority", "urgent"),
            ("x-orchestrator-timeout-ms", "soon"),
            ("x-orchestrator-timeout-ms", "0"),
            ("x-orchestrator-cache-control", "maybe"),
            ("x-orchestrator-dry-run", "true"),
        ] {
            let asked = body("hi", "");
            let request = raw(
                &format!("{header}: {value}\r\ncontent-length: {}\r\n", asked.len()),
                &asked,
            );
            let reply = Call::send(doors.address, request).await.answer().await;
            assert_eq!(
                (reply.status, reply.json()["error"]["param"].as_str()),
                (400, Some(header)),
                "{header}: {value}"
            );
        }
        assert_eq!(doors.model.calls(), 0);
    });
}

#[test]
fn models_are_listed_and_found_by_name() {
    with_doors(config(), good(), async |doors| {
        let list = doors.plain(doors.address, "GET /v1/models", "").await.json();
        let ids: Vec<&str> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["id"].as_str().unwrap())
            .collect();
        assert_eq!(
            (list["object"].as_str(), ids),
            (Some("list"), vec!["test", "org/other"])
        );
        let one = doors.plain(doors.address, "GET /v1/models/org/other", "").await.json();
        assert_eq!(
            (&one["id"], &one["object"], &one["owned_by"]),
            (&json!("org/other"), &json!("model"), &json!("tests"))
        );
        let none = doors.plain(doors.address, "GET /v1/models/none", "").await;
        assert_eq!(
            (none.status, &none.json()["error"]["code"]),
            (404, &json!("model_not_found"))
        );
        let unnamed = doors.chat(r#"{"messages":[{"role":"user","content":"x"}]}"#).await;
        assert_eq!(
            unnamed.header("x-orchestrator-model"),
            Some("test"),
            "the first is meant"
        );
    });
}

#[test]
fn requests_on_one_connection_are_answered_in_order() {
    with_doors(
        config(),
        Model::responding(|_, prompt| {
            orchestrator_testkit::scripted::Call::saying([&*prompt.request.messages[0].text()])
        }),
        async |doors| {
            let one = |text: &str, connection: &str| {
                let asked = body(text, "");
                format!(
                    "POST {CHAT} HTTP/1.1\r\nhost: t\r\nconnection: {connection}\r\ncontent-length: {}\r\n\r\n{asked}",
                    asked.len()
                )
            };
            let all = [
                one("first", "keep-alive"),
                one("second", "keep-alive"),
                one("third", "close"),
            ]
            .concat();
            let answers = Call::send(doors.address, all).await.rest().await;
            let places: Vec<usize> = ["first", "second", "third"]
                .iter()
                .map(|text| answers.find(&format!("\"content\":\"{text}\"")).unwrap())
                .collect();
            assert!(places.is_sorted());
            assert_eq!(answers.matches("HTTP/1.1 200").count(), 3);
        },
    );
}

#[test]
fn clients_of_http_1_0_and_those_who_expect_100_are_served() {
    with_doors(config(), good(), async |doors| {
        let asked = body("old", "");
        let old = format!("POST {CHAT} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{asked}", asked.len());
        assert!(
            Call::send(doors.address, old)
                .await
                .rest()
                .await
                .starts_with("HTTP/1.0 200")
        );
        let waiting = raw(
            &format!("expect: 100-continue\r\ncontent-length: {}\r\n", asked.len()),
            "",
        );
        let mut call = Call::send(doors.address, waiting).await;
        call.hear("100 Continue").await;
        call.more(&asked).await;
        assert!(call.rest().await.contains("HTTP/1.1 200"));
    });
}

#[test]
fn health_follows_the_life_of_the_process_on_both_listeners() {
    with_doors(config(), good(), async |doors| {
        let table = [
            (Stage::Ready, [200, 200, 200, 200]),
            (Stage::Leaving, [200, 503, 200, 503]),
        ];
        for (stage, expected) in table {
            doors.director.enter(stage);
            for address in [doors.address, doors.admin] {
                for (path, status) in ["/livez", "/readyz", "/startupz", "/healthz"].iter().zip(expected) {
                    let reply = doors.plain(address, &format!("GET {path}"), "").await;
                    assert_eq!(reply.status, status, "{stage:?} {path}");
                }
            }
        }
        still_serves(&doors).await;
        doors.director.enter(Stage::Draining);
        let reply = doors.chat(&body("too late", "")).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (503, &json!("server_draining"))
        );
    });
}

#[test]
fn metrics_of_operators_ask_for_the_token_when_there_is_one() {
    with_doors(config(), good(), async |doors| {
        let open = doors.plain(doors.admin, "GET /metrics", "").await;
        assert_eq!(open.status, 200);
        assert!(open.body.contains("orchestrator_connections"));
        assert_eq!(
            doors.plain(doors.admin, "GET /v1/models", "").await.status,
            404,
            "clients' paths are not here"
        );
    });
    let guarded = Config {
        admin_token: Secret::new("open sesame"),
        ..config()
    };
    with_doors(guarded, good(), async |doors| {
        for (header, status) in [
            ("", 401),
            ("authorization: Bearer open\r\n", 401),
            ("authorization: open sesame\r\n", 401),
            ("authorization: Bearer open sesame\r\n", 200),
        ] {
            assert_eq!(
                doors.plain(doors.admin, "GET /metrics", header).await.status,
                status,
                "{header}"
            );
        }
        assert_eq!(
            doors.plain(doors.admin, "GET /livez", "").await.status,
            200,
            "health never asks"
        );
    });
}

#[test]
fn what_runs_when_the_time_is_up_ends_with_a_clear_failure() {
    use orchestrator_testkit::scripted::Call as Script;
    with_doors(
        config(),
        Model::following([Script::new().text("a").hang()]),
        async |doors| {
            let mut streamed = Call::post(doors.address, CHAT, &body("stream", r#","stream":true"#)).await;
            streamed.hear("\"content\":\"a\"").await;
            let whole = Call::post(doors.address, CHAT, &body("whole", "")).await;
            doors.running(2).await;
            doors.director.enter(Stage::Over);
            let (streamed, whole) = (streamed.rest().await, whole.rest().await);
            assert!(
                streamed.contains("server_draining") && !streamed.contains("[DONE]"),
                "{streamed}"
            );
            assert!(
                whole.starts_with("HTTP/1.1 503") && whole.contains("server_draining"),
                "{whole}"
            );
            doors.running(0).await;
        },
    );
}

#[test]
fn the_next_connection_waits_when_as_many_are_open_as_may_be() {
    let narrow = Config {
        max_connections: 1,
        ..config()
    };
    with_doors(narrow, good(), async |doors| {
        let first = Call::send(doors.address, "GET /livez HTTP/1.1\r\nhost: t\r\n\r\n").await;
        let asked = body("second", "");
        let mut second = Call::send(
            doors.address,
            raw(&format!("content-length: {}\r\n", asked.len()), &asked),
        )
        .await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(doors.model.calls(), 0, "it has not been accepted");
        drop(first);
        second.hear("HTTP/1.1 200").await;
    });
}
