//! The models that are served.

use crate::support::{config, fine, with_doors};
use serde_json::json;

#[test]
fn models_are_listed_and_found_by_name() {
    with_doors(config(), fine(), async |doors| {
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
fn names_with_a_slash_are_found_escaped_or_not_and_under_either_path() {
    with_doors(config(), fine(), async |doors| {
        for path in [
            "/v1/models/org/other",
            "/v1/models/org%2Fother",
            "/v1/models/org%2fother",
            "/models/org/other",
        ] {
            let reply = doors.get(path).await;
            assert_eq!(
                (reply.status, reply.json()["id"].as_str()),
                (200, Some("org/other")),
                "{path}"
            );
        }
        for path in [
            "/v1/models/",
            "/v1/models/org",
            "/v1/models/test/",
            "/v1/models/%ff",
            "/v1/models/TEST",
        ] {
            let reply = doors.get(path).await;
            let error = reply.json();
            assert_eq!(
                (reply.status, error["error"]["param"].as_str()),
                (404, Some("model")),
                "{path}"
            );
            let message = error["error"]["message"].as_str().unwrap();
            assert!(message.contains("test, org/other"), "those that are served: {message}");
        }
    });
}

#[test]
fn models_are_as_old_as_the_server_and_a_head_has_no_body() {
    with_doors(config(), fine(), async |doors| {
        let list = doors.get("/v1/models").await;
        let models = list.json()["data"].take();
        assert!(
            models
                .as_array()
                .unwrap()
                .iter()
                .all(|model| model["created"] == 1_767_225_600)
        );
        let head = doors.plain(doors.address, "HEAD /v1/models", "").await;
        let length = list.body.len().to_string();
        assert_eq!(
            (head.status, head.body.as_str(), head.header("content-length")),
            (200, "", Some(&*length))
        );
        assert_eq!(doors.ended("/v1/models", "none", ("ok", "none")), 2.0);
    });
}
