use super::*;
use futures_util::FutureExt;
use proptest::prelude::*;
use std::{
    pin::Pin,
    task::{Context, Waker},
};

/// A socket that takes so many frames before it makes its writer wait.
#[derive(Debug, Default)]
struct Socket {
    room: usize,
    /// Whether it waits with what it holds.
    holds: bool,
    broken: bool,
    taken: Vec<String>,
}

impl Sink<Message> for Socket {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match (self.broken, self.room) {
            (true, _) => Poll::Ready(Err(Error::ConnectionClosed)),
            (false, 0) => Poll::Pending,
            (false, _) => Poll::Ready(Ok(())),
        }
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Message) -> Result<(), Error> {
        self.room -= 1;
        self.taken.push(frame.to_text()?.to_owned());
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.holds { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_flush(cx)
    }
}

fn holding(frames: &[&str]) -> Outbox {
    let mut out = Outbox::default();
    frames.iter().for_each(|frame| out.push(Message::text(*frame)));
    out
}

#[test]
fn what_the_socket_does_not_take_stays_in_order() {
    let (mut out, mut socket) = (holding(&["a", "b", "c"]), Socket::default());
    socket.room = 2;
    assert!(out.send(&mut socket).now_or_never().is_none(), "given up in the middle");
    assert_eq!((out.len(), socket.taken.len()), (1, 2));
    out.push(Message::text("d"));
    socket.room = 9;
    assert!(out.send(&mut socket).now_or_never().unwrap().is_ok());
    assert_eq!(socket.taken, ["a", "b", "c", "d"]);
    assert!(out.is_empty());
}

#[test]
fn frames_that_the_socket_holds_back_are_not_sent_yet() {
    let mut socket = Socket {
        room: 9,
        holds: true,
        ..Socket::default()
    };
    let mut out = holding(&["a"]);
    assert!(out.send(&mut socket).now_or_never().is_none());
    assert_eq!((out.len(), out.is_empty()), (0, false));
    socket.holds = false;
    assert!(out.send(&mut socket).now_or_never().unwrap().is_ok());
    assert!(out.is_empty());
}

#[test]
fn there_is_room_until_a_write_is_full_and_again_when_all_has_left() {
    let half = "x".repeat(GATHER / 2);
    let mut out = holding(&[&half]);
    assert!(out.has_room());
    out.push(Message::text(half));
    assert!(!out.has_room());
    let mut socket = Socket {
        room: 1,
        ..Socket::default()
    };
    assert!(out.send(&mut socket).now_or_never().is_none());
    assert!(
        !out.has_room(),
        "half of it is no room: the socket has not taken everything"
    );
    socket.room = 1;
    assert!(out.send(&mut socket).now_or_never().unwrap().is_ok());
    assert!(out.has_room());
}

#[test]
fn a_socket_that_broke_is_told_of() {
    let mut socket = Socket {
        broken: true,
        ..Socket::default()
    };
    let sent = holding(&["a"]).send(&mut socket).now_or_never();
    assert!(matches!(sent, Some(Err(Error::ConnectionClosed))));
}

proptest! {
    /// However often sending is given up and at whatever room, each frame leaves once and in order.
    #[test]
    fn nothing_is_lost_or_doubled(rooms in prop::collection::vec(0_usize..4, 1..40)) {
        let (mut out, mut socket) = (Outbox::default(), Socket::default());
        for (nth, room) in rooms.iter().enumerate() {
            out.push(Message::text(nth.to_string()));
            socket.room = *room;
            let mut sending = Box::pin(out.send(&mut socket));
            let first = sending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            drop((first, sending));
        }
        socket.room = rooms.len();
        prop_assert!(out.send(&mut socket).now_or_never().is_some_and(|sent| sent.is_ok()));
        let all: Vec<String> = (0..rooms.len()).map(|nth| nth.to_string()).collect();
        prop_assert_eq!(socket.taken, all);
    }
}
