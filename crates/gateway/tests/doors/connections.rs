//! Connections: how many, and on which core.

use crate::{
    sockets::connect,
    support::{Scene, bare, body, config, fine, hanging, post, with_doors},
};
use orchestrator_gateway::Config;
use orchestrator_testkit::client::Call;
use tokio::{io::AsyncWriteExt, net::TcpStream, task::yield_now};

#[test]
fn the_next_connection_waits_when_as_many_are_open_as_may_be() {
    let narrow = Config {
        max_connections: 1,
        ..config()
    };
    with_doors(narrow, fine(), async |doors| {
        let first = Call::send(doors.address, "GET /livez HTTP/1.1\r\nhost: t\r\n\r\n").await;
        let mut second = doors.send(post("", body("second", ""))).await;
        for _ in 0..100 {
            yield_now().await;
        }
        assert_eq!(doors.lines.model.calls(), 0, "it has not been accepted");
        drop(first);
        second.hear("HTTP/1.1 200").await;
    });
}

#[test]
fn a_websocket_keeps_its_place_among_the_connections() {
    let narrow = Config {
        max_connections: 1,
        ..config()
    };
    with_doors(narrow, fine(), async |doors| {
        let socket = connect(&doors).await;
        let mut second = doors.send(post("", body("second", ""))).await;
        for _ in 0..100 {
            yield_now().await;
        }
        assert_eq!(doors.lines.model.calls(), 0, "it has not been accepted");
        assert_eq!(doors.metric("orchestrator_connections"), 1.0);
        drop(socket);
        second.hear("HTTP/1.1 200").await;
    });
}

#[test]
fn operators_are_not_counted_among_the_clients() {
    with_doors(config(), fine(), async |doors| {
        let ask = "GET /livez HTTP/1.1\r\nhost: t\r\n\r\n";
        let mut operator = Call::send(doors.admin, ask).await;
        operator.hear("ok").await;
        assert_eq!(doors.metric("orchestrator_connections"), 0.0);
    });
}

#[test]
fn connections_are_dealt_to_the_core_with_least_to_do() {
    let scene = Scene {
        cores: 2,
        ..Scene::of(config(), hanging())
    };
    scene.run(async |doors| {
        let mut open = Vec::new();
        for nth in 1..=6 {
            open.push(doors.send(post("", body("x", ""))).await);
            doors.running(nth).await;
        }
        assert_eq!(doors.asked_of_two(), [3, 3]);
        drop(open);
        doors.running(0).await;
    });
}

#[test]
fn open_connections_are_counted() {
    with_doors(config(), fine(), async |doors| {
        let mut calls = Vec::new();
        for nth in 1..=3 {
            let mut call = doors.send("GET /livez HTTP/1.1\r\nhost: t\r\n\r\n").await;
            call.hear("ok").await;
            calls.push(call);
            assert_eq!(doors.metric("orchestrator_connections"), f64::from(nth));
        }
        drop(calls);
        while doors.metric("orchestrator_connections") > 0.0 {
            yield_now().await;
        }
    });
}

#[test]
fn a_hundred_clients_that_leave_at_once_leave_nothing_behind() {
    with_doors(config(), hanging(), async |doors| {
        let mut calls = Vec::new();
        for nth in 0..100 {
            let asked = body(&nth.to_string(), if nth % 2 == 0 { r#","stream":true"# } else { "" });
            calls.push(doors.send(post("", asked)).await);
        }
        doors.running(100).await;
        drop(calls);
        doors.running(0).await;
        assert_eq!((doors.lines.model.dropped(), doors.lines.ledger.bytes()), (100, 0));
    });
}

/// Real sockets tell of an end, or a reset, behind bytes that nobody has read yet.
#[test]
fn a_client_that_leaves_behind_what_it_sent_ahead_is_missed() {
    let asked = body("x", "");
    let request = bare(&format!("content-length: {}\r\n", asked.len()), &asked);
    for (at_once, resets) in [(true, false), (true, true), (false, false), (false, true)] {
        with_doors(config(), hanging(), async |doors| {
            let mut socket = TcpStream::connect(doors.address).await.unwrap();
            let (first, second) = if at_once {
                (request.repeat(2), vec![])
            } else {
                (request.clone(), request.clone())
            };
            socket.write_all(&first).await.unwrap();
            doors.running(1).await;
            socket.write_all(&second).await.unwrap();
            if resets {
                socket.set_zero_linger().unwrap();
            }
            drop(socket);
            doors.running(0).await;
            assert_eq!(doors.lines.model.calls(), 1, "the second request is not begun");
        });
    }
}
