//! `GET /v1/stream` over real sockets: the handshake, and what needs more than one core.

use crate::support::{Doors, Scene, body, config, fine, hanging, post, with_doors};
use futures_util::{SinkExt, StreamExt};
use orchestrator_gateway::Config;
use orchestrator_testkit::client::{Call, Http};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::yield_now};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const GOOD: [(&str, &str); 4] = [
    ("connection", "keep-alive, Upgrade"),
    ("upgrade", "WebSocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// The answer to a handshake in which one header differs: `None` leaves it out.
async fn shake(doors: &Doors, name: &str, value: Option<&str>) -> Http {
    let others = GOOD.iter().filter(|(good, _)| *good != name).copied();
    let headers = others.chain(value.map(|value| (name, value)));
    let lines: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("GET /v1/stream HTTP/1.1\r\nhost: t\r\n{lines}\r\n");
    let mut call = doors.send(request).await;
    call.hear("\r\n\r\n").await;
    call.finish_sending().await;
    call.answer().await
}

pub(crate) async fn connect(doors: &Doors) -> Socket {
    connect_async(format!("ws://{}/v1/stream", doors.address))
        .await
        .unwrap()
        .0
}

async fn submit(socket: &mut Socket, id: &str) {
    let request = json!({ "model": "test", "messages": [{ "role": "user", "content": "x" }] });
    let command = json!({ "type": "submit", "id": id, "request": request });
    socket.send(Message::text(command.to_string())).await.unwrap();
}

async fn hear(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let Some(Ok(Message::Text(text))) = socket.next().await else {
            panic!("the socket ended before {kind}");
        };
        let frame: Value = serde_json::from_str(&text).unwrap();
        if frame["type"] == kind {
            return frame;
        }
    }
}

#[test]
fn a_good_handshake_is_accepted_with_its_key() {
    with_doors(config(), fine(), async |doors| {
        let reply = shake(&doors, "x-request-id", Some("mine")).await;
        assert_eq!(reply.status, 101);
        for (name, value) in [
            ("upgrade", "websocket"),
            ("connection", "upgrade"),
            // The heads of this client are in lower case; the key is that of RFC 6455, section 1.3.
            ("sec-websocket-accept", "s3pplmbitxaq9kygzzhzrbk+xoo="),
            ("x-request-id", "mine"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{name}");
        }
    });
}

#[test]
fn handshakes_that_are_none_are_told_what_is_missing() {
    let table = [
        ("upgrade", None, 426),
        ("upgrade", Some("h2c"), 426),
        ("connection", None, 426),
        ("connection", Some("close"), 426),
        ("sec-websocket-version", None, 426),
        ("sec-websocket-version", Some("8"), 426),
        ("content-length", Some("2"), 400),
        ("sec-websocket-key", None, 400),
        ("sec-websocket-key", Some("short"), 400),
        ("sec-websocket-key", Some("dGhlIHNhbXBsZSBub25j"), 400),
        ("x-orchestrator-priority", Some("urgent"), 400),
        ("x-orchestrator-dry-run", Some("true"), 400),
        ("origin", Some("https://evil.example"), 403),
    ];
    with_doors(config(), fine(), async |doors| {
        for (name, value, status) in table {
            let reply = shake(&doors, name, value).await;
            assert_eq!(reply.status, status, "{name}: {value:?}");
            let needs_upgrade = (reply.header("sec-websocket-version"), reply.header("upgrade"));
            let expected = if status == 426 {
                (Some("13"), Some("websocket"))
            } else {
                (None, None)
            };
            assert_eq!(needs_upgrade, expected, "{name}: {value:?}");
            assert!(reply.json()["error"]["message"].is_string());
        }
        let old = "GET /v1/stream HTTP/1.0\r\nhost: t\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
        let old = Call::send(doors.address, old.to_owned()).await.answer().await;
        assert_eq!(old.status, 426);
        let posted = doors
            .plain(doors.address, "POST /v1/stream", "content-length: 0\r\n")
            .await;
        assert_eq!((posted.status, posted.header("allow")), (405, Some("get")));
    });
}

#[test]
fn requests_of_one_socket_are_dealt_over_the_cores() {
    let scene = Scene {
        cores: 2,
        ..Scene::of(config(), hanging())
    };
    scene.run(async |doors| {
        let mut socket = connect(&doors).await;
        for nth in 0..8 {
            submit(&mut socket, &nth.to_string()).await;
            hear(&mut socket, "token").await;
        }
        let [one, other] = doors.asked_of_two();
        assert!(one.abs_diff(other) <= 1, "{one} and {other}");
        drop(socket);
    });
}

#[test]
fn a_silent_socket_weighs_as_a_connection_and_not_as_a_request() {
    let scene = Scene {
        cores: 2,
        ..Scene::of(config(), hanging())
    };
    scene.run(async |doors| {
        // Three sockets on one core, none on the other.
        let mut sockets = Vec::new();
        for _ in 0..6 {
            sockets.push(connect(&doors).await);
        }
        let sockets: Vec<Socket> = sockets.into_iter().step_by(2).collect();
        while doors.metric("orchestrator_connections") > 3.0 {
            yield_now().await;
        }
        let mut open = Vec::new();
        for nth in 1..=2 {
            open.push(doors.send(post("", body("x", ""))).await);
            doors.running(nth).await;
        }
        assert_eq!(doors.asked_of_two(), [1, 1]);
        drop(sockets);
    });
}

#[test]
fn a_handshake_ends_where_the_socket_begins() {
    with_doors(config(), fine(), async |doors| {
        let (handshake, requests) = ("/v1/stream#handshake", "/v1/stream");
        let mut socket = connect(&doors).await;
        assert_eq!(doors.ended(handshake, "none", ("ok", "none")), 1.0);
        submit(&mut socket, "c").await;
        hear(&mut socket, "done").await;
        drop(socket);
        while doors.metric("orchestrator_ws_connections") > 0.0 {
            yield_now().await;
        }
        assert_eq!(doors.ended(handshake, "none", ("ok", "none")), 1.0);
        assert_eq!(doors.ended(requests, "none", ("ok", "none")), 0.0, "no request but one");
        assert_eq!(doors.ended(requests, "scripted", ("ok", "none")), 1.0);
    });
}

#[test]
fn a_page_that_is_listed_may_connect() {
    let listing = Config {
        allowed_origins: vec!["https://chat.example".to_owned()],
        ..config()
    };
    with_doors(listing, fine(), async |doors| {
        let reply = shake(&doors, "origin", Some("https://chat.example")).await;
        assert_eq!(
            (reply.status, reply.header("access-control-allow-origin")),
            (101, Some("https://chat.example"))
        );
    });
}

#[test]
fn an_answer_goes_on_after_a_real_connection_was_cut() {
    let patient = Config {
        resume_window_ms: 60_000,
        ..config()
    };
    with_doors(patient, hanging(), async |doors| {
        let mut socket = connect(&doors).await;
        submit(&mut socket, "c").await;
        let request_id = hear(&mut socket, "accepted").await["request_id"].take();
        hear(&mut socket, "token").await;
        drop(socket);
        let mut socket = connect(&doors).await;
        let resume = json!({ "type": "resume", "id": "again", "request_id": request_id });
        socket.send(Message::text(resume.to_string())).await.unwrap();
        assert_eq!(hear(&mut socket, "token").await["text"], "a");
        assert_eq!(doors.lines.model.calls(), 1);
    });
}
