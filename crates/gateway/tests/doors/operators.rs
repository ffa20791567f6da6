//! Health and metrics.

use crate::support::{CHAT, Doors, Scene, body, config, fine, with_doors};
use orchestrator_core::Secret;
use orchestrator_gateway::{Config, Stage};
use serde_json::json;
use std::net::SocketAddr;

const HEALTH: [&str; 4] = ["/livez", "/readyz", "/startupz", "/healthz"];

/// The statuses of all health paths at a listener.
async fn health(doors: &Doors, address: SocketAddr) -> [u16; 4] {
    let mut statuses = [0; 4];
    for (status, path) in statuses.iter_mut().zip(HEALTH) {
        *status = doors.plain(address, &format!("GET {path}"), "").await.status;
    }
    statuses
}

#[test]
fn health_follows_the_life_of_the_process_on_both_listeners() {
    let starting = Scene {
        stage: Stage::Starting,
        ..Scene::of(config(), fine())
    };
    starting.run(async |doors| {
        for (stage, expected) in [
            (Stage::Starting, [200, 503, 503, 503]),
            (Stage::Ready, [200, 200, 200, 200]),
            (Stage::Leaving, [200, 503, 200, 503]),
            (Stage::Draining, [200, 503, 200, 503]),
        ] {
            doors.director.enter(stage);
            for address in [doors.address, doors.admin] {
                assert_eq!(health(&doors, address).await, expected, "{stage:?}");
            }
        }
    });
}

#[test]
fn new_requests_are_served_until_we_drain() {
    with_doors(config(), fine(), async |doors| {
        for (stage, status) in [(Stage::Ready, 200), (Stage::Leaving, 200), (Stage::Draining, 503)] {
            doors.director.enter(stage);
            assert_eq!(doors.chat(body("x", "")).await.status, status, "{stage:?}");
        }
        let refused = ("server_draining", "gateway");
        assert_eq!(doors.ended(CHAT, "none", refused), 1.0);
    });
}

#[test]
fn health_is_read_with_get_or_head_alone() {
    with_doors(config(), fine(), async |doors| {
        for address in [doors.address, doors.admin] {
            for path in HEALTH
                .iter()
                .chain(["/metrics", "/health/liveliness", "/health/readiness"].iter())
            {
                let head = doors.plain(address, &format!("HEAD {path}"), "").await;
                assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
                let post = doors
                    .plain(address, &format!("POST {path}"), "content-length: 0\r\n")
                    .await;
                assert_eq!((post.status, post.header("allow")), (405, Some("get, head")), "{path}");
            }
        }
    });
}

#[test]
fn metrics_are_in_the_form_that_prometheus_reads() {
    with_doors(config(), fine(), async |doors| {
        doors.chat(body("x", "")).await;
        let reply = doors.get("/metrics").await;
        assert_eq!(reply.status, 200);
        assert!(
            reply
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("text/plain"))
        );
        for family in [
            "orchestrator_requests_total",
            "orchestrator_request_duration_seconds_bucket",
            "orchestrator_stream_aborts_total",
        ] {
            assert!(reply.body.contains(&format!("\n{family}{{")), "{family}");
        }
    });
}

#[test]
fn what_operators_may_not_read_is_told_as_a_problem() {
    let guarded = Config {
        admin_token: Secret::new("open sesame"),
        ..config()
    };
    with_doors(guarded, fine(), async |doors| {
        let refused = doors.plain(doors.admin, "GET /metrics", "").await;
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
        assert_eq!(
            (refused.header("www-authenticate"), &refused.json()["status"]),
            (Some("bearer"), &json!(401))
        );
        let unknown = doors.plain(doors.admin, "GET /nothing", "").await;
        assert_eq!(unknown.status, 404);
    });
}

#[test]
fn metrics_of_operators_ask_for_the_token_when_there_is_one() {
    with_doors(config(), fine(), async |doors| {
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
    with_doors(guarded, fine(), async |doors| {
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
