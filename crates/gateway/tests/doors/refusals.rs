//! What is not served, and how that is told.

use crate::support::{CHAT, body, config, fine, post, with_doors};
use orchestrator_testkit::client::Call;
use serde_json::json;

#[test]
fn methods_paths_and_types_that_are_not_served_say_what_is() {
    with_doors(config(), fine(), async |doors| {
        let table = [
            ("GET /v1/chat/completions", 405, Some("post")),
            ("DELETE /v1/models", 405, Some("get, head")),
            ("POST /v1/models/test", 405, Some("get, head")),
            ("PUT /v1/ask", 405, Some("post")),
            ("GET /v1/nothing", 404, None),
            ("GET /", 404, None),
            ("GET /v1", 404, None),
            ("POST /livez", 405, Some("get, head")),
        ];
        for (request, status, allow) in table {
            let reply = doors.plain(doors.address, request, "content-length: 0\r\n").await;
            assert_eq!((reply.status, reply.header("allow")), (status, allow), "{request}");
        }
        let reply = doors
            .send(post("content-type: text/html\r\n", "{}"))
            .await
            .answer()
            .await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (415, &json!("unsupported_media_type"))
        );
    });
}

#[test]
fn bodies_in_another_form_than_plain_json_are_refused() {
    with_doors(config(), fine(), async |doors| {
        for (header, status) in [
            ("content-type: application/json", 200),
            ("content-type: Application/JSON; charset=utf-8", 200),
            ("content-type: application/vnd.chat+json", 200),
            ("x-none: 1", 200),
            ("content-encoding: identity", 200),
            ("content-type: text/plain", 415),
            ("content-type: application/x-www-form-urlencoded", 415),
            ("content-type: multipart/form-data; boundary=x", 415),
            ("content-type: json", 415),
            ("content-encoding: gzip", 415),
        ] {
            let reply = doors.chat_with(&format!("{header}\r\n"), body("x", "")).await;
            assert_eq!(reply.status, status, "{header}: {}", reply.body);
        }
    });
}

#[test]
fn paths_are_served_with_and_without_their_version() {
    with_doors(config(), fine(), async |doors| {
        let asked = body("x", "");
        for (path, status) in [
            ("/v1/chat/completions", 200),
            ("/chat/completions", 200),
            ("/v1/chat/completions?api-version=2024", 200),
            ("/v1/v1/chat/completions", 404),
            ("/v1/chat/completions/", 404),
            ("/v2/chat/completions", 404),
            ("/v1chat/completions", 404),
        ] {
            let reply = Call::post(doors.address, path, &asked).await.answer().await;
            assert_eq!(reply.status, status, "{path}");
        }
        assert_eq!(
            doors.ended(CHAT, "scripted", ("ok", "none")),
            3.0,
            "one path in the metrics"
        );
        assert_eq!(
            doors.ended("other", "none", ("not_found", "client")),
            4.0,
            "and unknown ones are no labels"
        );
    });
}

#[test]
fn requests_that_an_sdk_sends_again_are_counted() {
    with_doors(config(), fine(), async |doors| {
        for count in ["0", "1", "2"] {
            doors
                .chat_with(&format!("x-stainless-retry-count: {count}\r\n"), body("x", ""))
                .await;
        }
        assert_eq!(doors.metric("orchestrator_client_retries_total"), 2.0);
    });
}
