//! How a call is made, refused early, given up and timed.

use super::*;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep, timeout};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test(start_paused = true)]
async fn the_request_goes_out_as_it_is_and_the_headers_come_back() {
    let (wire, mut peer) = pair();
    let headers = [(HeaderName::from_static("accept"), HeaderValue::from_static("*/*"))];
    let request = Outgoing {
        headers: &headers,
        ..post("{\"a\":1}")
    };
    let answer = "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\ncontent-length: 0\r\n\r\n";
    let (incoming, heard) = tokio::join!(wire.send(request), peer.answers(answer));
    assert_eq!(
        heard,
        "POST /v1/chat HTTP/1.1\r\nhost: model.test\r\naccept: */*\r\ncontent-length: 7\r\n\r\n{\"a\":1}"
    );
    let incoming = incoming.unwrap();
    assert_eq!((incoming.status, incoming.headers.get("retry-after")), (429, Some("7")));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_written_opens_no_connection() {
    let (wire, script, _peers) = world(1, 64);
    let error = wire
        .send(Outgoing {
            path: "chat",
            ..post("")
        })
        .await
        .unwrap_err();
    assert!(matches!(error, WireError::Request(_)));
    assert_eq!(script.dialed(), 0);
}

/// Takes everything and keeps how much came in each write.
#[derive(Clone, Default)]
struct Writes(Arc<Mutex<Vec<usize>>>);

impl AsyncWrite for Writes {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().push(bytes.len());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_small_request_leaves_in_one_write_and_a_large_body_is_not_copied() {
    let head = |body: usize| format!("POST /v1/chat HTTP/1.1\r\nhost: model.test\r\ncontent-length: {body}\r\n\r\n");
    for (body, in_one) in [(2, true), (16_383, true), (16_384, false), (100_000, false)] {
        let (writes, script) = (Writes::default(), Arc::new(Script::default()));
        let io = tokio::io::join(OK.as_bytes(), writes.clone());
        script.ready.lock().push_back(Ok(Box::new(io)));
        wire(script).send(post(vec![b'x'; body])).await.unwrap();
        let head = head(body).len();
        let expected = if in_one { vec![head + body] } else { vec![head, body] };
        assert_eq!(*writes.0.lock(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_body_arrives_whole_through_a_narrow_pipe() {
    let (wire, _, mut peers) = world(1, 100);
    let body: String = (0..5000).map(|line| format!("{line}\n")).collect();
    let (incoming, heard) = tokio::join!(wire.send(post(body.clone())), peers[0].answers(OK));
    assert_eq!(incoming.unwrap().status, 200);
    assert!(heard.ends_with(&format!("\r\n\r\n{body}")));
    assert_eq!(wire.pool.len(), 0, "the body is not read yet");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_the_middle_of_an_upload_is_heard() {
    const REFUSAL: &str = "HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\n\r\nsize";
    for drops in [false, true] {
        let (wire, _, mut peers) = world(1, 100);
        let mut peer = peers.remove(0);
        let serve = async {
            let mut some = [0; 50];
            peer.0.read_exact(&mut some).await.unwrap();
            peer.says(REFUSAL).await;
            (!drops).then_some(peer)
        };
        let (incoming, held) = tokio::join!(wire.send(post(vec![b'x'; 100_000])), serve);
        let incoming = incoming.unwrap();
        assert_eq!(incoming.status, 413, "drops: {drops}");
        assert_eq!(incoming.body.collect(10).await.unwrap(), "size", "drops: {drops}");
        assert_eq!(wire.pool.len(), 0, "half a request was sent on it");
        drop(held);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_up_in_the_middle_of_an_upload_has_closed() {
    let (wire, _, mut peers) = world(1, 100);
    let peer = peers.remove(0);
    let (incoming, ()) = tokio::join!(wire.send(post(vec![b'x'; 100_000])), async { drop(peer) });
    assert!(matches!(incoming, Err(WireError::Closed)), "{incoming:?}");
}

#[tokio::test(start_paused = true)]
async fn giving_up_before_the_head_or_in_the_body_closes_the_connection_at_once() {
    let (wire, mut peer) = pair();
    let call = timeout(Duration::from_millis(10), wire.send(post("{}")));
    let (given_up, ()) = tokio::join!(call, async {
        peer.hears().await;
        peer.sees_the_end().await;
    });
    assert!(given_up.is_err());

    let (wire, mut peer) = pair();
    let start = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let (incoming, _) = tokio::join!(wire.send(post("{}")), peer.answers(start));
    let mut incoming = incoming.unwrap();
    assert_eq!(incoming.body.arrived().await.unwrap().unwrap(), "abc");
    let before = Instant::now();
    drop(incoming);
    peer.sees_the_end().await;
    assert_eq!((before.elapsed(), wire.pool.len()), (Duration::ZERO, 0));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_bytes_can_be_given_up_without_losing_any() {
    let (wire, mut peer) = pair();
    let start = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let (incoming, _) = tokio::join!(wire.send(post("{}")), peer.answers(start));
    let mut body = incoming.unwrap().body;
    for byte in "5\r\nhello\r\n0\r\n\r".bytes() {
        let waited = timeout(Duration::from_millis(1), async {
            sleep(Duration::from_micros(1)).await;
            body.arrived().await
        });
        assert!(waited.await.map_or(true, |bytes| bytes.unwrap().is_some()));
        peer.says([byte]).await;
    }
    peer.says("\n").await;
    assert_eq!(body.arrived().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_made_in_time_fails_by_the_clock() {
    let (wire, _script, _) = world(0, 1);
    let before = Instant::now();
    let error = wire.send(get()).await.unwrap_err();
    assert_eq!(error.to_string(), "no connection to model.test:80 within 5s");
    assert_eq!(before.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_made_is_not_tried_again() {
    let (wire, script, _) = world(0, 1);
    script.ready.lock().push_back(Err(WireError::Connect {
        to: "model.test:80".into(),
        source: io::ErrorKind::ConnectionRefused.into(),
    }));
    let error = wire.send(get()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot connect to model.test:80: connection refused");
    assert_eq!(script.dialed(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_io_error_is_told_by_what_it_means_and_when_it_came() {
    use io::ErrorKind::*;
    for kind in [
        UnexpectedEof,
        ConnectionReset,
        ConnectionAborted,
        BrokenPipe,
        NotConnected,
        WriteZero,
    ] {
        assert!(
            matches!(WireError::broken(kind.into(), false), WireError::Closed),
            "{kind}"
        );
        assert!(
            matches!(WireError::broken(kind.into(), true), WireError::Truncated),
            "{kind}"
        );
    }
    for kind in [TimedOut, InvalidData, HostUnreachable] {
        assert!(
            matches!(WireError::broken(kind.into(), true), WireError::Io(_)),
            "{kind}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_error_in_the_body_is_no_clean_end_even_without_framing() {
    for (kind, text) in [
        (io::ErrorKind::TimedOut, "the connection failed: timed out"),
        (
            io::ErrorKind::ConnectionReset,
            "the connection ended in the middle of the answer",
        ),
    ] {
        let script = Arc::new(Script::default());
        let reader = AsyncReadExt::chain(&b"HTTP/1.1 200 OK\r\n\r\nhalf"[..], Failing(kind));
        script
            .ready
            .lock()
            .push_back(Ok(Box::new(tokio::io::join(reader, tokio::io::sink()))));
        let mut body = wire(script).send(get()).await.unwrap().body;
        assert_eq!(body.arrived().await.unwrap().unwrap(), "half");
        assert_eq!(body.arrived().await.unwrap_err().to_string(), text);
    }
}

/// A reader that fails.
struct Failing(io::ErrorKind);

impl AsyncRead for Failing {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.0.into()))
    }
}
