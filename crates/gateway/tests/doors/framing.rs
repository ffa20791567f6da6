//! How requests stand on the wire.

use crate::support::{CHAT, bare, body, config, fine, post, with_doors};

#[test]
fn heads_that_are_too_large_or_no_http_are_refused() {
    with_doors(config(), fine(), async |doors| {
        let large = post(&format!("x-large: {}\r\n", "x".repeat(100_000)), "");
        let many = post(&"x-many: 1\r\n".repeat(150), "");
        for (request, status) in [
            (large, 431),
            (many, 431),
            (b"\x01\x02\r\n\r\n".to_vec(), 400),
            (b"GET / HTTP/9.9\r\n\r\n".to_vec(), 400),
        ] {
            let answer = doors.send(request).await.rest().await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
        }
        doors.still_serve().await;
    });
}

#[test]
fn clients_of_http_1_0_and_those_who_expect_100_are_served() {
    with_doors(config(), fine(), async |doors| {
        let asked = body("old", "");
        let old = format!("POST {CHAT} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{asked}", asked.len());
        assert!(doors.send(old).await.rest().await.starts_with("HTTP/1.0 200"));
        let length = asked.len();
        let waiting = bare(
            &format!("connection: close\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n"),
            "",
        );
        let mut call = doors.send(waiting).await;
        call.hear("100 Continue").await;
        call.more(&asked).await;
        assert!(call.rest().await.contains("HTTP/1.1 200"));
    });
}
