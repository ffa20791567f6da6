//! What comes back, whole, cut and broken off.

use super::*;
use futures_util::FutureExt;

/// Answers, the status and body they hold, and whether the connection may be used again.
const ANSWERS: &[(&str, u16, &str, bool)] = &[
    ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, "hello", true),
    ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, "", true),
    (
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nt: u\r\n\r\n",
        200,
        "hello",
        true,
    ),
    ("HTTP/1.1 200 OK\r\n\r\nhello", 200, "hello", false),
    ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, "hello", false),
    (
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello",
        200,
        "hello",
        false,
    ),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        200,
        "hello",
        true,
    ),
    ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
    (
        "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 2\r\n\r\nno",
        302,
        "no",
        true,
    ),
    ("HTTP/1.1 503 Sorry\r\ncontent-length: 4\r\n\r\nbusy", 503, "busy", true),
    (
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello, and more",
        200,
        "hello",
        false,
    ),
];

#[tokio::test(start_paused = true)]
async fn an_answer_is_the_same_wherever_it_is_cut_in_two() {
    for (answer, status, body, _) in ANSWERS {
        for cut in 0..=answer.len() {
            let (wire, mut peer) = pair();
            let serve = async {
                peer.answers(&answer.as_bytes()[..cut]).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
                peer.may_say(&answer.as_bytes()[cut..]).await;
                peer.ends().await;
            };
            let call = async {
                let incoming = wire.send(post("{}")).await.unwrap();
                (incoming.status, incoming.body.collect(100).await.unwrap())
            };
            let (read, ()) = tokio::join!(call, serve);
            assert_eq!(read, (*status, Bytes::from(*body)), "{answer:?} cut at {cut}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_when_the_answer_leaves_it_clean_and_open() {
    for (answer, status, body, kept) in ANSWERS {
        let (wire, mut peer) = pair();
        let is_ended_by_the_server = !answer.contains("ength") && !answer.contains("chunked") && *status != 204;
        let read = ask(&wire, &mut peer, answer, is_ended_by_the_server).await.unwrap();
        assert_eq!(read, (*status, (*body).to_owned()), "{answer:?}");
        assert_eq!(wire.pool.len(), usize::from(*kept), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_truncated_and_one_that_never_began_is_closed() {
    for (answer, ..) in ANSWERS {
        let whole = answer.len()
            - if answer.ends_with("and more") {
                ", and more".len()
            } else {
                0
            };
        let is_framed = answer.contains("ength") || answer.contains("chunked") || answer.contains(" 204 ");
        let head = answer.rfind("\r\n\r\nhello").unwrap_or(0) + 4;
        for cut in 0..if is_framed { whole } else { head } {
            let (wire, mut peer) = pair();
            let error = ask(&wire, &mut peer, &answer.as_bytes()[..cut], true)
                .await
                .unwrap_err();
            match cut {
                0 => assert!(matches!(error, WireError::Closed), "{answer:?}: {error}"),
                _ => assert!(
                    matches!(error, WireError::Truncated),
                    "{answer:?} cut at {cut}: {error}"
                ),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_breaks_the_protocol_is_refused() {
    let table = [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
            "transfer-encoding with a content-length or in HTTP/1.0",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
            "a content-length that is no number",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n+5\r\nhello",
            "a chunk size is not a hexadecimal number",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10000000000000005\r\n",
            "a chunk size is too large",
        ),
        (
            "HTTP/1.1 200 OK\r\nfolded: a\r\n b\r\n\r\n",
            "the head of the answer is malformed",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "an upgrade that nobody asked for",
        ),
        ("hello", "the answer is not HTTP/1"),
    ];
    for (answer, reason) in table {
        let (wire, mut peer) = pair();
        let error = ask(&wire, &mut peer, answer, false).await.unwrap_err().to_string();
        assert_eq!(error, format!("the server breaks the protocol: {reason}"));
        peer.sees_the_end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_head_has_no_body_whatever_its_fields_say() {
    let (wire, mut peer) = pair();
    let request = Outgoing {
        method: Method::HEAD,
        ..get()
    };
    let (incoming, _) = tokio::join!(
        wire.send(request),
        peer.answers("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
    );
    let mut incoming = incoming.unwrap();
    assert_eq!(incoming.headers.get("content-length"), Some("5"));
    assert_eq!(incoming.body.arrived().await.unwrap(), None);
    assert_eq!(wire.pool.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clean_end_stays_an_end_and_an_error_stays_an_error() {
    let (wire, mut peer) = pair();
    let (incoming, _) = tokio::join!(
        wire.send(get()),
        peer.answers("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    );
    let mut body = incoming.unwrap().body;
    assert_eq!(body.arrived().await.unwrap().unwrap(), "ok");
    assert_eq!(
        (body.arrived().await.unwrap(), body.arrived().await.unwrap()),
        (None, None)
    );

    let (wire, mut peer) = pair();
    let (incoming, _) = tokio::join!(
        wire.send(get()),
        peer.answers("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok")
    );
    peer.ends().await;
    let mut body = incoming.unwrap().body;
    assert_eq!(
        body.arrived().await.unwrap().unwrap(),
        "ok",
        "what came is handed over first"
    );
    for _ in 0..3 {
        assert!(matches!(body.arrived().await, Err(WireError::Truncated)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_body_closes_its_connection_while_it_is_still_held() {
    let (wire, mut peer) = pair();
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n";
    let (incoming, _) = tokio::join!(wire.send(get()), peer.answers(answer));
    let mut body = incoming.unwrap().body;
    assert!(matches!(body.arrived().await, Err(WireError::Protocol(_))));
    peer.sees_the_end().await;
    assert!(matches!(body.arrived().await, Err(WireError::Truncated)));
}

#[tokio::test(start_paused = true)]
async fn chunks_that_came_together_are_seen_together_and_paced_ones_at_once() {
    let (wire, mut peer) = pair();
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let (incoming, _) = tokio::join!(wire.send(get()), peer.answers(head));
    let mut body = incoming.unwrap().body;
    peer.says("1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\n").await;
    assert_eq!(body.arrived().await.unwrap().unwrap(), "abc");
    let waiting = tokio::time::timeout(Duration::from_millis(5), body.arrived()).await;
    assert!(waiting.is_err(), "nothing is there");
    for token in ["d", "e"] {
        peer.says(format!("{token}\r\n1\r\n")).await;
        assert_eq!(body.arrived().await.unwrap().unwrap(), token);
    }
    peer.says("f\r\n0\r\n\r\n").await;
    assert_eq!(body.arrived().await.unwrap().unwrap(), "f");
    assert_eq!(
        wire.pool.len(),
        1,
        "the connection is free with the last bytes, before the end is asked for"
    );
    assert_eq!(body.arrived().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_bound_is_read_ahead() {
    let (wire, _, mut peers) = world(1, 4 << 20);
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 2 << 20).into_bytes();
    answer.resize(answer.len() + (2 << 20), b'x');
    let (incoming, _) = tokio::join!(wire.send(get()), peers[0].answers(answer));
    let mut body = incoming.unwrap().body;
    let mut pieces = Vec::new();
    while let Some(bytes) = body.arrived().await.unwrap() {
        pieces.push(bytes.len());
    }
    assert_eq!(pieces.iter().sum::<usize>(), 2 << 20);
    let largest = *pieces.iter().max().unwrap();
    assert!((128 << 10..=256 << 10).contains(&largest), "{largest}");
}

#[tokio::test(start_paused = true)]
async fn a_collected_body_is_bounded_by_what_is_announced_and_by_what_comes() {
    let table = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n", false),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabcdef\r\n",
            false,
        ),
        ("HTTP/1.1 200 OK\r\n\r\nabcdef", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde", true),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
            true,
        ),
    ];
    for (answer, fits) in table {
        let (wire, mut peer) = pair();
        let (incoming, _) = tokio::join!(wire.send(get()), peer.answers(answer));
        match incoming.unwrap().body.collect(5).await {
            Ok(body) => assert!(fits && body == "abcde", "{answer:?}"),
            Err(error) => {
                assert!(
                    !fits && matches!(error, WireError::BodyTooLarge { limit: 5 }),
                    "{answer:?}: {error}"
                );
                peer.sees_the_end().await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn parts_that_come_apart_are_collected_in_order() {
    let (wire, mut peer) = pair();
    let serve = async {
        peer.answers("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        for part in 0..20_u8 {
            tokio::time::sleep(Duration::from_millis(3)).await;
            peer.says(format!("2\r\n{part:02}\r\n")).await;
        }
        peer.says("0\r\n\r\n").await;
    };
    let call = async { wire.send(get()).await.unwrap().body.collect(40).await.unwrap() };
    let (body, ()) = tokio::join!(call, serve);
    assert_eq!(body, (0..20).map(|part| format!("{part:02}")).collect::<String>());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_comes_alone_keeps_no_read_buffer() {
    let (wire, mut peer) = pair();
    let serve = async {
        peer.answers("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
            .await;
        peer
    };
    let (sent, _peer) = soon(async { tokio::join!(wire.send(post("{}")), serve) }).await;
    let mut body = sent.unwrap().body;
    let token = soon(body.arrived()).await.unwrap().unwrap();
    assert_eq!((&*token, token.is_unique()), (&b"hello"[..], true));
    assert!(body.arrived().now_or_never().is_none());
    assert!(format!("{body:?}").contains("room: 0"), "{body:?}");
}
