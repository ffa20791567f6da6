use super::*;
use futures_util::{FutureExt, SinkExt, StreamExt};
use orchestrator_core::Ledger;
use proptest::prelude::*;
use std::{future::poll_fn, task::Waker};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

/// A socket that takes so many bytes before it makes its writer wait.
#[derive(Debug, Default)]
struct Socket {
    room: usize,
    broken: bool,
    taken: Vec<u8>,
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = bytes.len().min(self.room);
        match (self.broken, taken) {
            (true, _) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            (false, 0) => Poll::Pending,
            (false, _) => {
                self.room -= taken;
                self.taken.extend_from_slice(&bytes[..taken]);
                Poll::Ready(Ok(taken))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

fn before(room: usize) -> Wire<Socket> {
    Wire::new(Socket {
        room,
        ..Socket::default()
    })
}

/// Sends what can be sent now; whether that was all.
fn send(wire: &mut Wire<Socket>) -> bool {
    let sent = wire.poll_send(&mut Context::from_waker(Waker::noop()));
    sent.map(|sent| sent.is_ok()).is_ready()
}

/// The frames in these bytes, as a client reads them.
fn frames(bytes: &[u8]) -> Vec<Message> {
    let (mut ours, theirs) = duplex(bytes.len() + 1);
    ours.write_all(bytes).now_or_never().unwrap().unwrap();
    let mut client = WebSocketStream::from_raw_socket(theirs, Role::Client, None)
        .now_or_never()
        .unwrap();
    let next = std::iter::from_fn(|| client.next().now_or_never().flatten());
    next.map_while(Result::ok).collect()
}

#[test]
fn frames_are_what_clients_read() {
    let mut wire = before(usize::MAX);
    let long = "x".repeat(70_000);
    wire.out.text(b"{\"a\":", b"1}");
    wire.out.ping();
    for length in [0, 125, 126, 65_535, 65_536] {
        wire.out.text(&[], &long.as_bytes()[..length]);
    }
    wire.out.close(CloseCode::Again, "slow_consumer");
    assert!(send(&mut wire));
    let close = CloseFrame {
        code: CloseCode::Again,
        reason: "slow_consumer".into(),
    };
    let mut expected = vec![Message::text("{\"a\":1}"), Message::Ping("".into())];
    expected.extend([0, 125, 126, 65_535, 65_536].map(|length| Message::text(long.get(..length).unwrap())));
    expected.push(Message::Close(Some(close)));
    assert_eq!(frames(&wire.socket.taken), expected);
}

#[test]
fn what_the_socket_does_not_take_stays_in_order() {
    let mut wire = before(3);
    wire.out.text(b"abc", b"def");
    assert!(!send(&mut wire), "given up in the middle of a frame");
    wire.out.text(b"g", b"");
    assert!(!wire.out.is_empty());
    wire.socket.room = 99;
    assert!(send(&mut wire));
    assert_eq!(
        frames(&wire.socket.taken),
        [Message::text("abcdef"), Message::text("g")]
    );
    assert!(wire.out.is_empty());
}

#[test]
fn a_place_is_kept_until_the_socket_has_taken_all() {
    let mut wire = before(2);
    wire.out.text(b"a", b"");
    let ledger = Ledger::generous();
    wire.out.hold(ledger.enter().unwrap());
    assert!(!send(&mut wire));
    assert_eq!((wire.out.is_empty(), ledger.requests()), (false, 1));
    wire.socket.room = 1;
    assert!(send(&mut wire));
    assert_eq!((wire.out.is_empty(), ledger.requests()), (true, 0));
}

#[test]
fn there_is_room_until_a_write_is_full_and_again_when_all_has_left() {
    let half = "x".repeat(GATHER / 2);
    let mut wire = before(GATHER / 2);
    wire.out.text(half.as_bytes(), b"");
    assert!(wire.out.has_room());
    wire.out.text(half.as_bytes(), b"");
    assert!(!wire.out.has_room());
    assert!(!send(&mut wire));
    assert!(
        !wire.out.has_room(),
        "half of it is no room: the socket has not taken everything"
    );
    wire.socket.room = GATHER;
    assert!(send(&mut wire));
    assert!(wire.out.has_room());
}

#[test]
fn an_outbox_keeps_no_memory_once_all_has_left() {
    let mut wire = before(usize::MAX);
    for length in [1, 100, GATHER] {
        wire.out.text(&vec![b'x'; length], b"");
        assert!(send(&mut wire));
        assert_eq!((wire.out.is_empty(), wire.out.bytes.capacity()), (true, 0));
    }
}

#[test]
fn a_socket_that_broke_or_takes_nothing_is_told_of() {
    let mut wire = before(0);
    wire.socket.broken = true;
    wire.out.ping();
    let sent = poll_fn(|cx| wire.poll_send(cx)).now_or_never().unwrap();
    assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    let mut over = Wire::new(io::Cursor::new(vec![0; 1].into_boxed_slice()));
    over.out.ping();
    let sent = poll_fn(|cx| over.poll_send(cx)).now_or_never().unwrap();
    assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::WriteZero);
}

/// Our end of a WebSocket, and its client.
async fn connected() -> (WebSocketStream<Wire<DuplexStream>>, WebSocketStream<DuplexStream>) {
    let (ours, theirs) = duplex(4096);
    let at_once = WebSocketConfig::default().write_buffer_size(0);
    let server = WebSocketStream::from_raw_socket(Wire::new(ours), Role::Server, Some(at_once));
    let client = WebSocketStream::from_raw_socket(theirs, Role::Client, None);
    (server.await, client.await)
}

#[tokio::test]
async fn a_pong_stands_behind_the_frame_that_is_being_sent() {
    let (mut server, mut client) = connected().await;
    server.get_mut().out.text(b"first", b"");
    client.send(Message::Ping("p".into())).await.unwrap();
    assert!(matches!(server.next().await, Some(Ok(Message::Ping(_)))));
    assert!(server.next().now_or_never().is_none());
    server.get_mut().out.reply(b"last");
    assert_eq!(server.get_ref().out.replies(), 2, "the pong is one, too");
    poll_fn(|cx| server.get_mut().poll_send(cx)).await.unwrap();
    assert_eq!(server.get_ref().out.replies(), 0);
    for expected in [Message::text("first"), Message::Pong("p".into()), Message::text("last")] {
        assert_eq!(client.next().await.unwrap().unwrap(), expected);
    }
}

#[tokio::test]
async fn a_goodbye_is_answered_behind_all_that_waits() {
    let (mut server, mut client) = connected().await;
    server.get_mut().out.text(b"first", b"");
    client.close(None).await.unwrap();
    assert!(matches!(server.next().await, Some(Ok(Message::Close(None)))));
    server.flush().await.unwrap();
    poll_fn(|cx| server.get_mut().poll_send(cx)).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("first"));
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Close(None));
    drop(server);
    assert!(matches!(client.next().await, None | Some(Err(Error::ConnectionClosed))));
}

proptest! {
    /// However often sending is given up and at whatever room, each frame leaves once and in order.
    #[test]
    fn nothing_is_lost_or_doubled(steps in prop::collection::vec((0_usize..300, 0_usize..300), 1..40)) {
        let mut wire = before(0);
        let mut all = Vec::new();
        for (nth, (length, room)) in steps.into_iter().enumerate() {
            let (head, rest) = (format!("{nth} "), "x".repeat(length));
            wire.out.text(head.as_bytes(), rest.as_bytes());
            all.push(Message::text(head + &rest));
            wire.socket.room = room;
            send(&mut wire);
        }
        wire.socket.room = usize::MAX;
        prop_assert!(send(&mut wire));
        prop_assert_eq!(frames(&wire.socket.taken), all);
    }
}
