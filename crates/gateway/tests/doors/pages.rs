//! Web pages as clients.

use crate::support::{CHAT, Doors, body, config, fine, streamed, with_doors};
use orchestrator_gateway::Config;
use orchestrator_testkit::client::Http;

const PAGE: &str = "https://chat.example";

fn listing() -> Config {
    Config {
        allowed_origins: vec![PAGE.to_owned()],
        ..config()
    }
}

/// What a browser asks before it lets its page send a chat.
async fn ask_first(doors: &Doors, origin: &str) -> Http {
    let headers = format!(
        "origin: {origin}\r\naccess-control-request-method: POST\r\n\
         access-control-request-headers: authorization,content-type,x-stainless-lang\r\n"
    );
    doors.plain(doors.address, &format!("OPTIONS {CHAT}"), &headers).await
}

#[test]
fn a_listed_page_may_send_what_its_sdk_brings() {
    with_doors(listing(), fine(), async |doors| {
        let reply = ask_first(&doors, PAGE).await;
        assert_eq!((reply.status, reply.body.as_str()), (204, ""));
        for (name, value) in [
            ("access-control-allow-origin", PAGE),
            ("access-control-allow-methods", "get, head, post"),
            (
                "access-control-allow-headers",
                "authorization,content-type,x-stainless-lang",
            ),
            ("access-control-max-age", "7200"),
            ("vary", "origin, access-control-request-headers"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{name}");
        }
        assert_eq!(doors.lines.model.calls(), 0);
    });
}

#[test]
fn a_listed_page_may_read_every_answer() {
    with_doors(listing(), fine(), async |doors| {
        let from = format!("origin: {PAGE}\r\n");
        for (body, status) in [(body("x", ""), 200), (streamed("x"), 200), ("{".to_owned(), 400)] {
            let reply = doors.chat_with(&from, &body).await;
            assert_eq!(
                (reply.status, reply.header("access-control-allow-origin")),
                (status, Some(PAGE)),
                "{body}"
            );
            let exposed = reply.header("access-control-expose-headers").unwrap();
            for name in [
                "x-request-id",
                "retry-after",
                "x-orchestrator-cache",
                "x-orchestrator-error-source",
            ] {
                assert!(exposed.split(", ").any(|one| one == name), "{name}: {exposed}");
            }
        }
        let models = doors.plain(doors.address, "GET /v1/models", &from).await;
        assert_eq!(models.header("access-control-allow-origin"), Some(PAGE));
    });
}

#[test]
fn pages_that_are_not_listed_reach_nothing() {
    with_doors(listing(), fine(), async |doors| {
        for origin in [
            "https://evil.example",
            "http://chat.example",
            "https://chat.example:8443",
            "null",
        ] {
            assert_eq!(ask_first(&doors, origin).await.status, 403, "{origin}");
            let reply = doors.chat_with(&format!("origin: {origin}\r\n"), body("x", "")).await;
            let error = reply.json();
            assert_eq!(
                (reply.status, error["error"]["param"].as_str()),
                (403, Some("origin")),
                "{origin}"
            );
            assert_eq!(reply.header("access-control-allow-origin"), None);
        }
        assert_eq!(doors.lines.model.calls(), 0);
    });
}

#[test]
fn pages_of_our_own_host_need_no_list() {
    with_doors(config(), fine(), async |doors| {
        let reply = doors.chat_with("origin: http://t\r\n", body("x", "")).await;
        assert_eq!(
            (reply.status, reply.header("access-control-allow-origin")),
            (200, Some("http://t"))
        );
    });
}

#[test]
fn programs_are_told_nothing_of_pages() {
    with_doors(listing(), fine(), async |doors| {
        let reply = doors.chat(body("x", "")).await;
        assert_eq!(reply.status, 200);
        assert!(
            !reply.head.contains("access-control") && !reply.head.contains("vary"),
            "{}",
            reply.head
        );
        let options = doors.plain(doors.address, &format!("OPTIONS {CHAT}"), "").await;
        assert_eq!((options.status, options.header("allow")), (405, Some("post")));
    });
}
