//! Connections that serve again, and those that must not.

use super::*;
use tokio::time::{advance, sleep};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const MINUTE: Duration = Duration::from_secs(60);
const PAST_A_MINUTE: Duration = Duration::from_millis(60_001);

async fn ok(wire: &Wire, peer: &mut Peer) {
    assert_eq!(ask(wire, peer, OK, false).await.unwrap(), (200, "ok".into()));
}

#[tokio::test(start_paused = true)]
async fn one_connection_serves_one_request_after_another() {
    let (wire, script, mut peers) = world(2, 1 << 16);
    for _ in 0..50 {
        ok(&wire, &mut peers[0]).await;
    }
    assert_eq!((script.dialed(), wire.pool.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn requests_at_once_have_a_connection_each_and_the_newest_is_taken_first() {
    let (wire, script, mut peers) = world(3, 1 << 16);
    let call = || async { wire.send(get()).await.unwrap().body };
    let mut back = peers.split_off(1);
    let serve = async {
        peers[0].hears().await;
        back[0].hears().await;
        back[0].says(OK).await;
        peers[0].says(OK).await;
    };
    let (first, second, ()) = tokio::join!(call(), call(), serve);
    assert_eq!(second.collect(9).await.unwrap(), "ok");
    assert_eq!(first.collect(9).await.unwrap(), "ok");
    assert_eq!((script.dialed(), wire.pool.len()), (2, 2));
    ok(&wire, &mut peers[0]).await;
    assert_eq!((script.dialed(), wire.pool.len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_the_server_closed_is_not_used() {
    let (wire, script, mut peers) = world(2, 1 << 16);
    ok(&wire, &mut peers[0]).await;
    drop(peers.remove(0));
    ok(&wire, &mut peers[0]).await;
    assert_eq!((script.dialed(), wire.pool.len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_spoke_unasked_is_not_used() {
    let (wire, script, mut peers) = world(2, 1 << 16);
    ok(&wire, &mut peers[0]).await;
    peers[0].says("HTTP/1.1 408 Request Timeout\r\n\r\n").await;
    ok(&wire, &mut peers[1]).await;
    assert_eq!(script.dialed(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_dies_before_an_answer_is_replaced_once() {
    let (wire, script, mut peers) = world(3, 1 << 16);
    ok(&wire, &mut peers[0]).await;
    let mut dying = peers.remove(0);
    let serve = async {
        dying.hears().await;
        drop(dying);
        peers[0].answers(OK).await
    };
    let (incoming, heard) = tokio::join!(wire.send(post("again")), serve);
    assert_eq!(incoming.unwrap().status, 200);
    assert!(heard.ends_with("\r\n\r\nagain"), "the whole request is sent again");
    assert_eq!(script.dialed(), 2);
}

/// It had taken the request: whoever asks once is not to pay twice, and the breaker shall hear of it.
#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_breaks_after_a_while_is_not_replaced() {
    let (wire, script, mut peers) = world(2, 1 << 16);
    ok(&wire, &mut peers[0]).await;
    let mut dying = peers.remove(0);
    let serve = async {
        dying.hears().await;
        sleep(Duration::from_millis(1_001)).await;
        drop(dying);
    };
    let (incoming, ()) = tokio::join!(wire.send(post("{}")), serve);
    assert!(matches!(incoming, Err(WireError::Closed)), "{incoming:?}");
    assert_eq!(script.dialed(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_that_dies_is_not_replaced() {
    for kept in [false, true] {
        let (wire, script, mut peers) = world(3, 1 << 16);
        if kept {
            ok(&wire, &mut peers[0]).await;
        }
        let serve = async {
            for peer in peers.drain(..).take(if kept { 2 } else { 1 }) {
                let mut peer = peer;
                peer.hears().await;
            }
        };
        let (incoming, ()) = tokio::join!(wire.send(post("{}")), serve);
        assert!(matches!(incoming, Err(WireError::Closed)), "{incoming:?}");
        assert_eq!(script.dialed(), if kept { 2 } else { 1 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_dies_after_one_byte_of_an_answer_is_not_replaced() {
    for (said, expected) in [
        ("H", "the connection ended in the middle of the answer"),
        ("X", "the server breaks the protocol: the answer is not HTTP/1"),
    ] {
        let (wire, script, mut peers) = world(2, 1 << 16);
        ok(&wire, &mut peers[0]).await;
        let error = ask(&wire, &mut peers[0], said, true).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(script.dialed(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_interim_answer_is_a_byte_of_an_answer() {
    let (wire, script, mut peers) = world(2, 1 << 16);
    ok(&wire, &mut peers[0]).await;
    let error = ask(&wire, &mut peers[0], "HTTP/1.1 100 Continue\r\n\r\n", true)
        .await
        .unwrap_err();
    assert!(matches!(error, WireError::Truncated), "{error}");
    assert_eq!(script.dialed(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_a_minute() {
    let (wire, script, mut peers) = world(2, 1 << 16);
    ok(&wire, &mut peers[0]).await;
    advance(MINUTE).await;
    ok(&wire, &mut peers[0]).await;
    assert_eq!(script.dialed(), 1);
    advance(PAST_A_MINUTE).await;
    let mut old = peers.remove(0);
    let (_, ()) = tokio::join!(ok(&wire, &mut peers[0]), old.sees_the_end());
    assert_eq!((script.dialed(), wire.pool.len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_comes_back_closes_those_that_waited_too_long() {
    let (wire, script, mut peers) = world(2, 1 << 16);
    let (incoming, _) = tokio::join!(
        wire.send(get()),
        peers[0].answers("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
    );
    ok(&wire, &mut peers[1]).await;
    advance(PAST_A_MINUTE).await;
    peers[0].says("ok").await;
    assert_eq!(incoming.unwrap().body.collect(2).await.unwrap(), "ok");
    peers[1].sees_the_end().await;
    assert_eq!((script.dialed(), wire.pool.len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_bounded_and_the_oldest_goes_first() {
    const COUNT: usize = 130;
    let (wire, script, mut peers) = world(COUNT, 1 << 12);
    let mut bodies = Vec::new();
    for peer in &mut peers {
        let (incoming, _) = tokio::join!(wire.send(get()), peer.answers(OK));
        bodies.push(incoming.unwrap().body);
    }
    assert_eq!((script.dialed(), wire.pool.len()), (COUNT, 0));
    for body in bodies {
        assert_eq!(body.collect(2).await.unwrap(), "ok");
    }
    assert_eq!(wire.pool.len(), 128);
    for peer in &mut peers[..2] {
        peer.sees_the_end().await;
    }
    ok(&wire, &mut peers[COUNT - 1]).await;
    assert_eq!(script.dialed(), COUNT);
}

/// A stream whose last event has come, and the caller does not wait for the rest.
async fn released(wire: &Wire, peer: &mut Peer, framing: &str) {
    let answer = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n6\r\n[DONE]\r\n");
    let (incoming, _) = tokio::join!(wire.send(get()), peer.answers(answer));
    let mut body = incoming.unwrap().body;
    assert!(body.arrived().await.unwrap().unwrap().starts_with(b"6\r\n") != framing.contains("chunked"));
    body.release();
}

#[tokio::test(start_paused = true)]
async fn a_released_connection_serves_again_once_the_last_framing_has_come() {
    for rest in ["0\r\n\r\n", "0\r\nx: y\r\n\r\n"] {
        let (wire, script, mut peers) = world(2, 1 << 16);
        released(&wire, &mut peers[0], "transfer-encoding: chunked").await;
        sleep(Duration::from_millis(1)).await;
        peers[0].says(rest).await;
        ok(&wire, &mut peers[0]).await;
        assert_eq!(script.dialed(), 1, "{rest:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_released_connection_whose_answer_goes_on_is_closed() {
    for rest in ["", "0\r\n", "nonsense\r\n", "0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"] {
        let (wire, script, mut peers) = world(2, 1 << 16);
        released(&wire, &mut peers[0], "transfer-encoding: chunked").await;
        peers[0].says(rest).await;
        let mut old = peers.remove(0);
        tokio::join!(ok(&wire, &mut peers[0]), old.sees_the_end());
        assert_eq!(script.dialed(), 2, "{rest:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_released_connection_with_more_to_come_than_is_read_ahead_is_closed() {
    const AHEAD: usize = 256 << 10;
    let (wire, script, mut peers) = world(2, 1 << 20);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {AHEAD}\r\n\r\n");
    let (incoming, _) = tokio::join!(wire.send(get()), peers[0].answers(head));
    incoming.unwrap().body.release();
    peers[0].says(vec![b'x'; AHEAD]).await;
    peers[0].says("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await;
    ok(&wire, &mut peers[1]).await;
    assert_eq!(script.dialed(), 2);
}

#[tokio::test(start_paused = true)]
async fn releasing_a_connection_that_cannot_serve_again_closes_it() {
    for framing in ["x: y", "connection: close\r\ntransfer-encoding: chunked"] {
        let (wire, _, mut peers) = world(1, 1 << 16);
        released(&wire, &mut peers[0], framing).await;
        peers[0].sees_the_end().await;
        assert_eq!(wire.pool.len(), 0, "{framing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn releasing_a_body_that_is_over_gives_nothing_back_twice() {
    let (wire, mut peer) = pair();
    let (incoming, _) = tokio::join!(wire.send(get()), peer.answers(OK));
    let mut body = incoming.unwrap().body;
    while body.arrived().await.unwrap().is_some() {}
    body.release();
    assert_eq!(wire.pool.len(), 1);
}
