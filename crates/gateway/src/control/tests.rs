use super::*;
use crate::{
    Config,
    fixtures::{Doors, PIPE},
    server::Plane,
};
use http_body_util::Empty;
use orchestrator_core::Secret;
use orchestrator_testkit::scripted::Model;
use std::net::SocketAddr;

fn doors(token: &'static str) -> Doors {
    let config = Config {
        admin_token: Secret::new(token),
        body_timeout_ms: 3_000,
        ..Config::default()
    };
    Doors::with(config, Model::saying(["fine"]))
}

/// The status that an operator is refused with who comes from this address, or 200.
fn status(doors: &Doors, client: Option<&str>, method: Method, authorization: Option<&str>) -> u16 {
    let mut request = Request::builder().method(method);
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let client = client.map(|client| Client::from(client.parse::<SocketAddr>().unwrap()));
    let admitted = admit(&doors.door, &request, client.as_ref());
    admitted.map_or_else(|refused| refused.status.as_u16(), |()| 200)
}

const HERE: Option<&str> = Some("127.0.0.1:9");

#[tokio::test(start_paused = true)]
async fn without_a_token_only_the_machine_itself_reads_and_nobody_changes_anything() {
    let doors = doors("");
    let cases = [
        (HERE, 200),
        (Some("127.8.0.1:9"), 200),
        (Some("[::1]:9"), 200),
        (Some("[::ffff:127.0.0.1]:9"), 200),
        (Some("10.0.0.7:9"), 403),
        (Some("[2001:db8::1]:9"), 403),
        (Some("[::ffff:10.0.0.7]:9"), 403),
        (None, 403),
    ];
    for (client, reading) in cases {
        for authorization in [None, Some("Bearer "), Some("Bearer x")] {
            for method in [Method::GET, Method::HEAD] {
                assert_eq!(status(&doors, client, method, authorization), reading, "{client:?}");
            }
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
                assert_eq!(status(&doors, client, method, authorization), 403, "{client:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_token_it_is_all_that_counts() {
    let doors = doors("open sesame");
    let cases = [
        (None, 401),
        (Some("Bearer open"), 401),
        (Some("Bearer open sesame!"), 401),
        (Some("Bearer "), 401),
        (Some("Basic open sesame"), 401),
        (Some("open sesame"), 401),
        (Some("Bearer open sesame"), 200),
    ];
    for (authorization, expected) in cases {
        for client in [HERE, Some("10.0.0.7:9")] {
            for method in [Method::GET, Method::POST] {
                assert_eq!(
                    status(&doors, client, method, authorization),
                    expected,
                    "{authorization:?}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_waited_for_no_longer_than_any_other() {
    let doors = doors("t");
    let mut wire = doors.connect_to(Plane::Control, PIPE);
    wire.say("POST /api/v1/x HTTP/1.1\r\nhost: t\r\nauthorization: Bearer t\r\ncontent-length: 5\r\n\r\nab")
        .await;
    let started = tokio::time::Instant::now();
    wire.hear("The body did not arrive within 3000 ms.").await;
    assert!(wire.heard.starts_with("HTTP/1.1 408"), "{}", wire.heard);
    assert_eq!(started.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn another_machine_is_told_how_to_be_let_in() {
    let doors = doors("");
    for path in ["/api/v1/workers", "/metrics"] {
        let mut wire = doors.connect_to(Plane::Control, PIPE);
        wire.say(crate::fixtures::get(path)).await;
        wire.hear("set `server.admin_token`").await;
        assert!(wire.heard.starts_with("HTTP/1.1 403"), "{}", wire.heard);
    }
}

/// What an operator is told who sends this to the path.
async fn told(doors: &Doors, path: &str, last: &str) -> String {
    let mut wire = doors.connect_to(Plane::Control, PIPE);
    let request = format!("GET {path} HTTP/1.1\r\nhost: t\r\nauthorization: Bearer t\r\n\r\n");
    wire.say(request).await;
    wire.hear(last).await;
    wire.heard
}

#[tokio::test(start_paused = true)]
async fn operators_are_answered_on_another_thread_than_clients() {
    let core = std::thread::current().id();
    let control: Control = Arc::new(move |_| {
        let is_elsewhere = std::thread::current().id() != core;
        Response::new(format!("elsewhere: {is_elsewhere}").into())
    });
    let doors = doors("t").answering_operators(control);
    let heard = told(&doors, "/api/v1/x", "elsewhere: ").await;
    assert!(heard.ends_with("elsewhere: true"), "{heard}");
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_ours_costs_an_operator_one_answer() {
    let control: Control = Arc::new(|request: Request<Bytes>| match request.uri().path() {
        "/api/v1/fault" => panic!("on purpose"),
        _ => Response::new(Bytes::from_static(b"fine")),
    });
    let doors = doors("t").answering_operators(control);
    let heard = told(&doors, "/api/v1/fault", "A fault of the server ended the request.").await;
    assert!(heard.starts_with("HTTP/1.1 500"), "{heard}");
    assert!(heard.contains("application/problem+json"), "{heard}");
    let heard = told(&doors, "/api/v1/x", "fine").await;
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
}
