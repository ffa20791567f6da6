//! A WebSocket at work: many requests on one socket, each by the id that its client gave it.
//!
//! Answers are put into frames only while the socket takes them, so a slow reader delays nobody and loses nothing: what it
//! has not heard waits in the answers' logs, and later shares frames. One that takes nothing for too long is closed. A
//! socket that breaks off keeps its requests running for the resume window.
//!
//! A crowd may hear the same answer, so a session does little for each token, and touches little memory, which is cold by
//! then: it asks only whoever rang, and what it hears goes into the socket in the same breath. An answer that is the only
//! one wakes the session itself: that needs no bell.

mod obey;

use super::{
    Handshake,
    bells::{Bell, Bells},
    hearing::{Heard, Hearing, error_frame},
    outbox::{Outbox, Wire},
    times::{Time, Times},
};
use crate::{
    client::Client,
    door::Door,
    io::{Link, Watched, is_slow_consumer, is_slow_sender},
    life::Stage,
    resume::Kept,
};
use futures_util::{SinkExt, StreamExt};
use orchestrator_core::{Code, Failure, Text};
use slab::Slab;
use std::{
    collections::HashMap,
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig, frame::coding::CloseCode},
};

/// Pings in a row without a sign of life that end the session.
const UNANSWERED: usize = 2;
/// Frames that answer the client's own and may wait for the socket while more of those are read.
const MAX_REPLIES: usize = 1024;
/// How long a client may take to read the close frame and to close the connection.
const CLOSING: Duration = Duration::from_secs(5);

/// The keys of bells: what comes from the client, what the clock and the life of the process say, and then one for each
/// request that is heard.
const COMMANDS: usize = 0;
const CLOCK: usize = 1;
const HEARINGS: usize = 2;

/// A WebSocket. In an order of our own: what each token asks for stands together, since each line of the processor's cache
/// that a session of a crowd is spread over is fetched anew for each token.
#[repr(C, align(64))]
pub(crate) struct Session {
    bells: Bells,
    /// The keys of those who rang and have to wait until the socket has taken everything.
    held: Vec<usize>,
    hearings: Slab<(Arc<Bell>, Hearing)>,
    /// Where the requests that are heard stand among the hearings, by their names.
    running: HashMap<Text, usize>,
    commands: Arc<Bell>,
    clock: Arc<Bell>,
    times: Times,
    door: Door,
    client: Client,
    handshake: Box<Handshake>,
    link: Link,
    /// What the link had heard when the client was last pinged, and how many pings in a row found no more.
    last_heard: usize,
    unanswered: usize,
}

/// How a session ends.
enum Ending {
    /// The client said goodbye.
    Closed,
    /// The connection broke off; its client may come back.
    Broke,
    /// We close, and say why.
    Close(CloseCode, &'static str),
}

/// A session and its socket, in one place: a future that holds both has parts of its state all over them. The session comes
/// first, where a line of the cache begins.
#[repr(C)]
pub(crate) struct Served<S> {
    session: Session,
    socket: WebSocketStream<Wire<Watched<S>>>,
}

// === impl Session ===

impl Session {
    pub(crate) fn new(door: Door, client: Client, handshake: Box<Handshake>, link: Link) -> Self {
        let bells = Bells::default();
        Session {
            times: Times::new(door.life().clone()),
            door,
            client,
            handshake,
            last_heard: link.heard(),
            unanswered: 0,
            link,
            running: HashMap::new(),
            hearings: Slab::new(),
            commands: bells.bell(COMMANDS),
            clock: bells.bell(CLOCK),
            bells,
            held: Vec::new(),
        }
    }

    /// Sees to all who rang.
    fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut WebSocketStream<Wire<Watched<S>>>,
    ) -> Poll<Ending> {
        let mut is_time = false;
        loop {
            while let Some(rung) = self.bells.next(cx) {
                match rung.key {
                    COMMANDS => {
                        if let Err(ending) = self.read(socket) {
                            return Poll::Ready(ending);
                        }
                    }
                    CLOCK => is_time = true,
                    key => self.hear_one(key, &mut socket.get_mut().out),
                }
                if rung.is_last {
                    break;
                }
            }
            if self.hearings.len() == 1 && self.held.is_empty() {
                self.hear_only(cx, &mut socket.get_mut().out);
            }
            match socket.get_mut().poll_send(cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(broken(&error)),
                Poll::Ready(Ok(())) if !self.held.is_empty() => self.bells.give_back(&mut self.held),
                // The client has had the time to say something before it is called silent.
                _ if std::mem::take(&mut is_time) => {
                    if let Err(ending) = self.heed(&mut socket.get_mut().out) {
                        return Poll::Ready(ending);
                    }
                }
                _ => break,
            }
        }
        let out = &mut socket.get_mut().out;
        if self.hearings.is_empty() && self.times.stage() >= Stage::Draining && out.is_empty() {
            return Poll::Ready(self.go_away(out));
        }
        Poll::Pending
    }

    /// Obeys the client's messages while there is room for what they lead to.
    fn read<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut WebSocketStream<Wire<Watched<S>>>,
    ) -> Result<(), Ending> {
        let bell = self.commands.clone();
        while socket.get_ref().out.replies() < MAX_REPLIES {
            match socket.poll_next_unpin(&mut Context::from_waker(&bell.waker())) {
                Poll::Ready(message) => self.take(message, &mut socket.get_mut().out)?,
                Poll::Pending => return Ok(()),
            }
        }
        self.held.push(COMMANDS);
        Ok(())
    }

    /// Tells what a request has to say whose bell was rung, be it by its deadline.
    fn hear_one(&mut self, key: usize, out: &mut Outbox) {
        let place = key.saturating_sub(HEARINGS);
        let Some((bell, hearing)) = self.hearings.get_mut(place) else {
            return;
        };
        let heard = hearing.poll_with_deadline(&mut Context::from_waker(&bell.waker()), out);
        self.heard(place, heard);
    }

    /// Tells what the only request has to say. Its deadline rings its bell.
    fn hear_only(&mut self, cx: &mut Context<'_>, out: &mut Outbox) {
        let only = self.hearings.iter_mut().next();
        let heard = only.map(|(place, (_, hearing))| (place, hearing.poll_frames(cx, out)));
        if let Some((place, heard)) = heard {
            self.heard(place, heard);
        }
    }

    /// Lets go a request that is over, and notes one that has more to say than there is room for.
    fn heard(&mut self, place: usize, heard: Poll<Heard>) {
        match heard {
            Poll::Pending => {}
            Poll::Ready(Heard::Part) => self.held.push(place.saturating_add(HEARINGS)),
            Poll::Ready(Heard::All) => {
                if let Some((_, hearing)) = self.hearings.try_remove(place) {
                    self.running.remove(hearing.id());
                }
            }
        }
    }

    /// Does what it is time for.
    fn heed(&mut self, out: &mut Outbox) -> Result<(), Ending> {
        let bell = self.clock.clone();
        let waker = bell.waker();
        while let Poll::Ready(time) = self.times.poll(&mut Context::from_waker(&waker)) {
            match time {
                Time::Stage(Stage::Over) => return Err(self.go_away(out)),
                Time::Stage(_) => {}
                Time::Ping if self.is_gone(out) => return Err(Ending::Broke),
                Time::Ping => {}
            }
        }
        Ok(())
    }

    /// Pings the client; says whether it has been silent for too long. Any byte is a sign of life: a large message may
    /// take longer than a few pings. Who has not taken all that we sent cannot have seen a ping: how long that may take is
    /// the socket's affair.
    fn is_gone(&mut self, out: &mut Outbox) -> bool {
        let heard = self.link.heard();
        let lives = std::mem::replace(&mut self.last_heard, heard) != heard;
        if lives || !out.is_empty() {
            self.unanswered = 0;
        }
        if self.unanswered >= UNANSWERED {
            return true;
        }
        if out.is_empty() {
            self.unanswered = self.unanswered.saturating_add(1);
            out.ping();
        }
        false
    }

    /// Goes on to listen for as long as the client may come back.
    fn wait_for_return(&mut self) {
        let mut hearings = self.leave();
        if hearings.is_empty() {
            return;
        }
        let kept = hearings.iter_mut().filter_map(|(_, (_, hearing))| hearing.keep_place());
        let places: Vec<Kept> = kept.collect();
        let window = Duration::from_millis(self.door.config().resume_window_ms);
        let mut life = self.door.life().clone();
        self.door.tasks.spawn(async move {
            life.reached_within(Stage::Over, window).await;
            drop((hearings, places));
        });
    }

    /// Hears nothing more. Who drops what it heard leaves.
    fn leave(&mut self) -> Slab<(Arc<Bell>, Hearing)> {
        self.running.clear();
        std::mem::take(&mut self.hearings)
    }

    /// Tells the client of each request that is cut off, and that we go.
    fn go_away(&mut self, out: &mut Outbox) -> Ending {
        let failure = Failure::new(Code::Draining, "The server went down before the answer was complete.");
        for (id, _) in self.running.drain() {
            out.text(&error_frame(Some(&id), &failure), &[]);
        }
        Ending::Close(CloseCode::Away, Code::Draining.as_str())
    }

    fn log(&self, ending: &Ending, took: Duration) {
        tracing::info!(
            request_id = %self.handshake.id,
            client = &*self.client.shown,
            reason = ending.reason(),
            duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "websocket over"
        );
    }
}

// === impl Ending ===

impl Ending {
    fn reason(&self) -> &'static str {
        match self {
            Ending::Closed => "closed_by_client",
            Ending::Broke => "broke_off",
            Ending::Close(_, reason) => reason,
        }
    }
}

// === impl Served ===

impl<S: AsyncRead + AsyncWrite + Unpin> Served<S> {
    /// A session on a socket of which `read` was read with the handshake.
    pub(crate) async fn new(session: Session, socket: Watched<S>, read: &[u8]) -> Box<Self> {
        let config = limits(session.door.config().max_body_bytes);
        let wire = Wire::new(socket);
        let socket = WebSocketStream::from_partially_read(wire, read.to_vec(), Role::Server, Some(config)).await;
        Box::new(Served { session, socket })
    }

    /// Serves the socket to its end. Whatever still runs then leaves at once or, when the connection broke off, after the
    /// resume window.
    pub(crate) async fn run(mut self: Box<Self>) {
        let Served { session, socket } = &mut *self;
        let (open, began) = (session.door.shared.parts.metrics.socket(), Instant::now());
        let ending = poll_fn(|cx| session.poll(cx, socket)).await;
        drop(open);
        session.log(&ending, began.elapsed());
        match ending {
            Ending::Broke => session.wait_for_return(),
            Ending::Closed => {
                drop(session.leave());
                drop(timeout(CLOSING, answer_goodbye(socket)).await);
            }
            Ending::Close(code, reason) => {
                drop(session.leave());
                let wire = socket.get_mut();
                wire.out.close(code, reason);
                drop(timeout(CLOSING, say_goodbye(wire)).await);
            }
        }
    }
}

/// Answers the client's close frame.
async fn answer_goodbye<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<Wire<S>>) -> io::Result<()> {
    // That is for the protocol to write, which has nothing else to do any more.
    drop(socket.flush().await);
    poll_fn(|cx| socket.get_mut().poll_send(cx)).await
}

/// Sends what there is to send, then waits until the client has closed the connection: closed by us with bytes of the
/// client's unread, it would be reset, and the close frame could be lost.
async fn say_goodbye<S: AsyncRead + AsyncWrite + Unpin>(wire: &mut Wire<S>) -> io::Result<()> {
    poll_fn(|cx| wire.poll_send(cx)).await?;
    wire.socket.shutdown().await?;
    tokio::io::copy(&mut wire.socket, &mut tokio::io::sink())
        .await
        .map(drop)
}

/// How a session ends whose socket failed.
fn broken(error: &io::Error) -> Ending {
    if is_slow_consumer(error) {
        Ending::Close(CloseCode::Again, Code::SlowConsumer.as_str())
    } else if is_slow_sender(error) {
        Ending::Close(CloseCode::Policy, Code::RequestTimeout.as_str())
    } else {
        Ending::Broke
    }
}

/// Small buffers: thousands of sockets are open and mostly silent. What may wait to be written is bounded by the session,
/// which puts in no more while the socket takes nothing; the protocol's own answers go into the same outbox at once.
fn limits(max_message: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(2 << 10)
        .write_buffer_size(0)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
}

#[cfg(test)]
mod tests;
