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
    bells::{Bell, Bells},
    hearing::{Heard, Hearing, error_frame},
    outbox::{Outbox, Wire},
};
use crate::{
    call::Call,
    client::Client,
    door::Door,
    io::{Link, is_slow_consumer, is_slow_sender},
    life::Stage,
    options::Options,
    resume::Kept,
};
use futures_util::{SinkExt, StreamExt};
use orchestrator_core::{Code, Failure, RequestId, Text};
use slab::Slab;
use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{Instant, Interval, MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::frame::coding::CloseCode};

/// How often a silent client is pinged.
const PING: Duration = Duration::from_secs(20);
/// Pings in a row without a sign of life that end the session.
const UNANSWERED: usize = 2;
/// Frames that answer the client's own and may wait for the socket while more of those are read.
const MAX_REPLIES: usize = 1024;
/// How long a client may take to read the close frame and to close the connection.
const CLOSING: Duration = Duration::from_secs(5);

/// The keys of bells: what comes from the client, what the clock and the life of the process say, and then one for each
/// request that is heard.
const COMMANDS: usize = 0;
const TIMES: usize = 1;
const HEARINGS: usize = 2;

/// A WebSocket.
pub(super) struct Session {
    door: Door,
    client: Option<Client>,
    /// Our name for the handshake.
    id: RequestId,
    defaults: Options,
    link: Link,
    /// Where the requests that are heard stand among the hearings, by their names.
    running: HashMap<Text, usize>,
    hearings: Slab<(Arc<Bell>, Hearing)>,
    bells: Bells,
    commands: Arc<Bell>,
    times: Arc<Bell>,
    /// The keys of those who rang and have to wait until the socket has taken everything.
    held: Vec<usize>,
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

/// The times that a session heeds: when to ping, and the next stage of the process.
struct Times<'a, F> {
    ping: &'a mut Interval,
    stage: Stage,
    next: Pin<&'a mut F>,
}

// === impl Session ===

impl Session {
    pub(super) fn new(handshake: &Call, defaults: Options, link: Link) -> Self {
        let bells = Bells::default();
        Session {
            door: handshake.door.clone(),
            client: handshake.arrival.client.clone(),
            id: handshake.arrival.id,
            defaults,
            last_heard: link.heard(),
            unanswered: 0,
            link,
            running: HashMap::new(),
            hearings: Slab::new(),
            commands: bells.bell(COMMANDS),
            times: bells.bell(TIMES),
            bells,
            held: Vec::new(),
        }
    }

    /// Serves the socket to its end. Whatever still runs then leaves at once or, when the connection broke off, after the
    /// resume window.
    pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(mut self, mut socket: WebSocketStream<Wire<S>>) {
        let (open, began) = (self.door.shared.parts.metrics.socket(), Instant::now());
        let ending = self.serve(&mut socket).await;
        drop(open);
        self.log(&ending, began.elapsed());
        match ending {
            Ending::Broke => self.wait_for_return(),
            Ending::Closed => {
                drop(self);
                drop(timeout(CLOSING, answer_goodbye(socket)).await);
            }
            Ending::Close(code, reason) => {
                drop(self);
                socket.get_mut().out.close(code, reason);
                drop(timeout(CLOSING, say_goodbye(socket)).await);
            }
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&mut self, socket: &mut WebSocketStream<Wire<S>>) -> Ending {
        let mut life = self.door.life().clone();
        let mut ping = ticker();
        loop {
            let stage = life.stage();
            let next = match stage < Stage::Draining {
                true => Stage::Draining,
                false => Stage::Over,
            };
            if stage == Stage::Over {
                return self.go_away(&mut socket.get_mut().out);
            }
            let mut next = pin!(life.reached(next));
            self.times.ring();
            let ending = poll_fn(|cx| {
                let times = Times {
                    ping: &mut ping,
                    stage,
                    next: next.as_mut(),
                };
                self.poll(cx, socket, times)
            });
            if let Some(ending) = ending.await {
                return ending;
            }
        }
    }

    /// Sees to all who rang. Ready without an ending when the next stage was reached.
    fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut WebSocketStream<Wire<S>>,
        mut times: Times<'_, impl Future<Output = ()>>,
    ) -> Poll<Option<Ending>> {
        let mut is_time = false;
        loop {
            while let Some(rung) = self.bells.next(cx) {
                match rung.key {
                    COMMANDS => {
                        if let Err(ending) = self.read(socket) {
                            return Poll::Ready(Some(ending));
                        }
                    }
                    TIMES => is_time = true,
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
                Poll::Ready(Err(error)) => return Poll::Ready(Some(broken(&error))),
                Poll::Ready(Ok(())) if !self.held.is_empty() => self.bells.give_back(&mut self.held),
                // The client has had the time to say something before it is called silent.
                _ if is_time => match self.poll_times(&mut times, &mut socket.get_mut().out) {
                    Poll::Ready(ending) => return Poll::Ready(ending),
                    Poll::Pending => is_time = false,
                },
                _ => break,
            }
        }
        let out = &mut socket.get_mut().out;
        if times.stage >= Stage::Draining && self.running.is_empty() && out.is_empty() {
            return Poll::Ready(Some(self.go_away(out)));
        }
        Poll::Pending
    }

    /// Obeys the client's messages while there is room for what they lead to.
    fn read<S: AsyncRead + AsyncWrite + Unpin>(&mut self, socket: &mut WebSocketStream<Wire<S>>) -> Result<(), Ending> {
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

    /// Tells what a request has to say whose bell was rung.
    fn hear_one(&mut self, key: usize, out: &mut Outbox) {
        let place = key.saturating_sub(HEARINGS);
        let Some((bell, hearing)) = self.hearings.get_mut(place) else {
            return;
        };
        let heard = hearing.poll_frames(&mut Context::from_waker(&bell.waker()), out);
        self.heard(place, heard);
    }

    /// Tells what the only request has to say.
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

    fn poll_times(
        &mut self,
        times: &mut Times<'_, impl Future<Output = ()>>,
        out: &mut Outbox,
    ) -> Poll<Option<Ending>> {
        let bell = self.times.clone();
        let waker = bell.waker();
        let mut cx = Context::from_waker(&waker);
        if times.next.as_mut().poll(&mut cx).is_ready() {
            return Poll::Ready(None);
        }
        while times.ping.poll_tick(&mut cx).is_ready() {
            if self.is_gone(out) {
                return Poll::Ready(Some(Ending::Broke));
            }
        }
        Poll::Pending
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
    fn wait_for_return(self) {
        if self.running.is_empty() {
            return;
        }
        let Session { door, mut hearings, .. } = self;
        let kept = hearings.iter_mut().filter_map(|(_, (_, hearing))| hearing.keep_place());
        let places: Vec<Kept> = kept.collect();
        let window = Duration::from_millis(door.config().resume_window_ms);
        let mut life = door.life().clone();
        door.tasks.spawn(async move {
            life.reached_within(Stage::Over, window).await;
            drop((hearings, places));
        });
    }

    /// Tells the client of each request that is cut off, and that we go.
    fn go_away(&mut self, out: &mut Outbox) -> Ending {
        let failure = Failure::new(Code::Draining, "The server went down before the answer was complete.");
        for (id, _) in std::mem::take(&mut self.running) {
            out.text(&error_frame(Some(&id), &failure), &[]);
        }
        Ending::Close(CloseCode::Away, Code::Draining.as_str())
    }

    fn log(&self, ending: &Ending, took: Duration) {
        tracing::info!(
            request_id = %self.id,
            client = self.client.as_ref().map(|client| &*client.shown),
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

/// Answers the client's close frame.
async fn answer_goodbye<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<Wire<S>>) -> io::Result<()> {
    // That is for the protocol to write, which has nothing else to do any more.
    drop(socket.flush().await);
    poll_fn(|cx| socket.get_mut().poll_send(cx)).await
}

/// Sends what there is to send, then waits until the client has closed the connection: closed by us with bytes of the
/// client's unread, it would be reset, and the close frame could be lost.
async fn say_goodbye<S: AsyncRead + AsyncWrite + Unpin>(socket: WebSocketStream<Wire<S>>) -> io::Result<()> {
    let mut wire = socket.into_inner();
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

fn ticker() -> Interval {
    let mut ticker = interval(PING);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker.reset();
    ticker
}

#[cfg(test)]
mod tests;
