//! `/api/v1/` on operators' door.

use crate::support::{Doors, config, fine, with_doors};
use expect_test::expect;
use orchestrator_core::Secret;
use orchestrator_gateway::Config;
use orchestrator_testkit::client::{Call, Http};

const TOKEN: &str = "authorization: Bearer open sesame\r\n";

/// Doors that ask operators for a token.
fn guarded() -> Config {
    Config {
        admin_token: Secret::new("open sesame"),
        ..config()
    }
}

/// Posts a body of so many bytes with the token.
async fn post(doors: &Doors, length: usize) -> Http {
    let head =
        format!("POST /api/v1/act HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{TOKEN}content-length: {length}\r\n");
    let request = format!("{head}\r\n{}", "x".repeat(length));
    Call::send(doors.admin, request).await.answer().await
}

#[test]
fn without_a_token_this_machine_reads_but_changes_nothing() {
    with_doors(config(), fine(), async |doors| {
        let read = doors.plain(doors.admin, "GET /api/v1/workers?a=b", "").await;
        assert_eq!((read.status, read.body.as_str()), (200, "GET /api/v1/workers, 0 bytes"));
        assert!(read.header("x-orchestrator-request-id").is_some());
        let head = doors.plain(doors.admin, "HEAD /api/v1/workers", "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        for method in ["POST", "PUT", "DELETE"] {
            for header in ["content-length: 0\r\n", TOKEN] {
                let refused = doors.plain(doors.admin, &format!("{method} /api/v1/act"), header).await;
                assert_eq!(refused.header("content-type"), Some("application/problem+json"));
                assert_eq!(refused.status, 403, "{method} {header}");
                expect![[r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"Changes are made here only with a token: set `server.admin_token` and send it."}"#]]
                    .assert_eq(&refused.body);
            }
        }
    });
}

#[test]
fn with_a_token_nothing_is_read_or_done_without_it() {
    with_doors(guarded(), fine(), async |doors| {
        for method in ["GET", "POST"] {
            for header in [
                "",
                "authorization: Bearer open\r\n",
                "authorization: Basic open sesame\r\n",
            ] {
                let refused = doors.plain(doors.admin, &format!("{method} /api/v1/act"), header).await;
                assert_eq!(
                    (refused.status, refused.header("www-authenticate")),
                    (401, Some("bearer"))
                );
                expect![[r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Send the admin token: `authorization: Bearer ...`."}"#]]
                    .assert_eq(&refused.body);
            }
            let done = doors.plain(doors.admin, &format!("{method} /api/v1/act"), TOKEN).await;
            assert_eq!(
                (done.status, done.body),
                (200, format!("{method} /api/v1/act, 0 bytes"))
            );
        }
    });
}

#[test]
fn a_body_comes_whole_up_to_64_kib_and_not_beyond() {
    with_doors(guarded(), fine(), async |doors| {
        for length in [2, 64 << 10] {
            let done = post(&doors, length).await;
            assert_eq!(
                (done.status, done.body),
                (200, format!("POST /api/v1/act, {length} bytes"))
            );
        }
        let refused = post(&doors, (64 << 10) + 1).await;
        assert_eq!(refused.status, 413);
        assert!(refused.body.contains("larger than 65536 bytes"), "{}", refused.body);
    });
}

#[test]
fn a_body_that_does_not_say_its_length_is_measured_all_the_same() {
    with_doors(guarded(), fine(), async |doors| {
        let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
        for (chunks, status) in [(2, 200), (3, 413)] {
            let head = format!(
                "POST /api/v1/act HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{TOKEN}transfer-encoding: chunked\r\n"
            );
            let request = format!("{head}\r\n{}0\r\n\r\n", chunk.repeat(chunks));
            let reply = Call::send(doors.admin, request).await.answer().await;
            assert_eq!(reply.status, status, "{}", reply.body);
        }
    });
}

#[test]
fn clients_are_served_nothing_of_it_whatever_they_send() {
    with_doors(guarded(), fine(), async |doors| {
        for path in ["/api/v1/workers", "/v1/api/v1/workers"] {
            for header in ["", TOKEN] {
                let reply = doors.plain(doors.address, &format!("GET {path}"), header).await;
                assert_eq!(reply.status, 404, "{path}");
            }
        }
        let beside = doors.plain(doors.admin, "GET /api/v10", TOKEN).await;
        assert_eq!(beside.status, 404);
    });
}
