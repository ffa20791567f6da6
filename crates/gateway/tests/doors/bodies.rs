//! Bodies: what is wrong with them, how they come, how large they may be.

use crate::support::{bare, body, config, fine, post, with_doors};
use orchestrator_gateway::Config;
use serde_json::json;

const CHUNKED: &str = "connection: close\r\ntransfer-encoding: chunked\r\n";

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
    with_doors(config(), fine(), async |doors| {
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
        assert_eq!(doors.lines.model.calls(), 0);
        doors.still_serve().await;
    });
}

#[test]
fn a_body_split_at_every_byte_is_read_whole() {
    with_doors(config(), fine(), async |doors| {
        let asked = body("ü and 😀", "");
        let request = post("", &asked);
        for at in (1..request.len()).step_by(7) {
            let (one, other) = request.split_at(at);
            let mut call = doors.send(one).await;
            tokio::task::yield_now().await;
            call.more(other).await;
            assert_eq!(call.answer().await.status, 200, "split at {at}");
        }
    });
}

#[test]
fn a_chunked_body_is_read_whole() {
    with_doors(config(), fine(), async |doors| {
        let asked = body("in chunks", "");
        let chunks: String = asked
            .as_bytes()
            .chunks(5)
            .map(|chunk| format!("{:x};x=y\r\n{}\r\n", chunk.len(), str::from_utf8(chunk).unwrap()))
            .collect();
        let request = bare(CHUNKED, format!("{chunks}0\r\ntrailer: x\r\n\r\n"));
        assert_eq!(doors.send(request).await.answer().await.status, 200);
        assert_eq!(doors.lines.model.prompts(), ["in chunks"]);
    });
}

#[test]
fn bodies_that_are_too_large_are_refused_before_and_while_they_come() {
    let small = Config {
        max_body_bytes: 1024,
        ..config()
    };
    with_doors(small, fine(), async |doors| {
        let announced = bare("connection: close\r\ncontent-length: 999999999\r\n", "");
        let reply = doors.send(announced).await.answer().await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (413, &json!("request_too_large"))
        );
        let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
        let reply = doors.send(bare(CHUNKED, chunk.repeat(3))).await;
        assert!(reply.rest().await.starts_with("HTTP/1.1 413"));
        doors.still_serve().await;
    });
}

#[test]
fn a_body_may_be_as_large_as_the_limit_and_no_larger_however_it_comes() {
    let small = Config {
        max_body_bytes: 1024,
        ..config()
    };
    with_doors(small, fine(), async |doors| {
        let bare_body = body("", "").len();
        for (beyond, status) in [(0, 200), (1, 413)] {
            let asked = body(&"x".repeat(1024 - bare_body + beyond), "");
            assert_eq!(doors.chat(&asked).await.status, status, "declared");
            for size in [1, 100, 1000] {
                let pieces = asked.as_bytes().chunks(size);
                let chunks: String = pieces
                    .map(|piece| format!("{:x}\r\n{}\r\n", piece.len(), str::from_utf8(piece).unwrap()))
                    .collect();
                let reply = doors
                    .send(bare(CHUNKED, format!("{chunks}0\r\n\r\n")))
                    .await
                    .answer()
                    .await;
                assert_eq!(reply.status, status, "in chunks of {size}");
            }
        }
    });
}
