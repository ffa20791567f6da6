//! A WebSocket at work: many requests on one socket, each by the id that its client gave it.
//!
//! Answers are put into frames only while the socket takes them, so a slow reader delays nobody and loses nothing: what it
//! has not heard waits in the answers' logs, and later shares frames. One that takes nothing for too long is closed. A
//! socket that breaks off keeps its requests running for the resume window.

use super::{
    hearing::{Heard, Hearing, Leavable, text_of},
    outbox::Outbox,
};
use crate::{
    call::{Arrival, Call},
    client::Client,
    door::Door,
    io::{Link, is_slow_consumer, is_slow_sender},
    life::Stage,
    options::Options,
    resume::Kept,
};
use bytes::Bytes;
use futures_util::{
    FutureExt, SinkExt, StreamExt,
    stream::{SelectAll, SplitSink, SplitStream},
};
use orchestrator_core::{Answer, Code, Failure, RequestId, Text};
use orchestrator_dialect::chat;
use orchestrator_stream::ws::{Command, Frame, Resume, Submit};
use std::{collections::HashSet, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{Instant, Interval, MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// How often a silent client is pinged.
const PING: Duration = Duration::from_secs(20);
/// Pings in a row without a sign of life that end the session.
const UNANSWERED: usize = 2;
/// Frames that may wait for the socket while commands are still read.
const MAX_WAITING: usize = 1024;
/// How long a client may take to read the close frame and to close the connection.
const CLOSING: Duration = Duration::from_secs(5);

/// A WebSocket.
pub(super) struct Session {
    door: Door,
    client: Option<Client>,
    /// Our name for the handshake.
    id: RequestId,
    defaults: Options,
    link: Link,
    /// The names of the requests that are heard.
    running: HashSet<Text>,
    hearings: SelectAll<Leavable>,
    out: Outbox,
    /// What the link had heard when the client was last pinged, and how many pings in a row found no more.
    heard: usize,
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

type Sink<S> = SplitSink<WebSocketStream<S>, Message>;
type Source<S> = SplitStream<WebSocketStream<S>>;

// === impl Session ===

impl Session {
    pub(super) fn new(handshake: &Call, defaults: Options, link: Link) -> Self {
        Session {
            door: handshake.door.clone(),
            client: handshake.arrival.client.clone(),
            id: handshake.arrival.id,
            defaults,
            heard: link.heard(),
            unanswered: 0,
            link,
            running: HashSet::new(),
            hearings: SelectAll::new(),
            out: Outbox::default(),
        }
    }

    /// Serves the socket to its end. Whatever still runs then leaves at once or, when the connection broke off, after the
    /// resume window.
    pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(mut self, socket: WebSocketStream<S>) {
        let (open, began) = (self.door.shared.parts.metrics.socket(), Instant::now());
        let (mut sink, mut source) = socket.split();
        let ending = self.serve(&mut sink, &mut source).await;
        drop(open);
        self.log(&ending, began.elapsed());
        match ending {
            Ending::Broke => self.wait_for_return(),
            Ending::Closed => {
                drop(self);
                drop(timeout(CLOSING, sink.close()).await);
            }
            Ending::Close(code, reason) => {
                let reason = reason.into();
                self.out.push(Message::Close(Some(CloseFrame { code, reason })));
                let out = self.leave();
                drop(timeout(CLOSING, say_goodbye(out, sink, source)).await);
            }
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&mut self, sink: &mut Sink<S>, source: &mut Source<S>) -> Ending {
        let mut life = self.door.life().clone();
        let mut ping = ticker();
        loop {
            let stage = self.door.life().stage();
            let idle = self.running.is_empty() && self.out.is_empty();
            if stage == Stage::Over || (stage >= Stage::Draining && idle) {
                return self.go_away();
            }
            let next_stage = match stage < Stage::Draining {
                true => Stage::Draining,
                false => Stage::Over,
            };
            tokio::select! {
                biased;
                sent = self.out.send(sink), if !self.out.is_empty() => match sent {
                    Ok(()) => {}
                    Err(error) => return broken(&error),
                },
                message = source.next(), if self.out.len() < MAX_WAITING => match self.take(message) {
                    Ok(Some(frame)) => self.out.push(Message::Text(text_of(frame))),
                    Ok(None) => {}
                    Err(ending) => return ending,
                },
                Some(heard) = self.hearings.next(), if self.out.has_room() => self.tell(heard),
                _ = ping.tick() => if self.is_gone() {
                    return Ending::Broke;
                },
                () = life.reached(next_stage) => {}
            }
        }
    }

    /// Pings the client; says whether it has been silent for too long. Any byte is a sign of life: a large message may
    /// take longer than a few pings. Who has not taken all that we sent cannot have seen a ping: how long that may take is
    /// the socket's affair.
    fn is_gone(&mut self) -> bool {
        let heard = self.link.heard();
        let lives = std::mem::replace(&mut self.heard, heard) != heard;
        if lives || !self.out.is_empty() {
            self.unanswered = 0;
        }
        if self.unanswered >= UNANSWERED {
            return true;
        }
        if self.out.is_empty() {
            self.unanswered = self.unanswered.saturating_add(1);
            self.out.push(Message::Ping(Bytes::new()));
        }
        false
    }

    /// Tells what one request has to say, and what others have to say right now.
    fn tell(&mut self, heard: Heard) {
        let mut next = Some(heard);
        while let Some(heard) = next {
            if heard.last {
                self.running.remove(&heard.id);
            }
            self.out.push(Message::Text(heard.frame));
            if let Some(place) = heard.place {
                self.out.hold(place);
            }
            let more = self.out.has_room().then(|| self.hearings.next().now_or_never());
            next = more.flatten().flatten();
        }
    }

    /// Leaves all answers; what is still to be sent stays.
    fn leave(self) -> Outbox {
        self.out
    }

    /// Goes on to listen for as long as the client may come back.
    fn wait_for_return(self) {
        if self.running.is_empty() {
            return;
        }
        let Session { door, mut hearings, .. } = self;
        let places: Vec<Kept> = hearings.iter_mut().filter_map(Leavable::keep_place).collect();
        let window = Duration::from_millis(door.config().resume_window_ms);
        let mut life = door.life().clone();
        door.tasks.spawn(async move {
            life.reached_within(Stage::Over, window).await;
            drop((hearings, places));
        });
    }

    /// Obeys a message; `Some` is a frame to answer with at once.
    fn take(&mut self, message: Option<Result<Message, Error>>) -> Result<Option<Vec<u8>>, Ending> {
        self.link.took();
        let text = match message {
            Some(Ok(Message::Text(text))) => Bytes::from(text),
            Some(Ok(Message::Binary(_))) => return Err(Ending::Close(CloseCode::Unsupported, "text_frames_only")),
            Some(Ok(Message::Close(_)) | Err(Error::ConnectionClosed)) => return Err(Ending::Closed),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(None),
            Some(Err(Error::Capacity(_))) => return Err(Ending::Close(CloseCode::Size, "message_too_big")),
            Some(Err(Error::Utf8(_))) => return Err(Ending::Close(CloseCode::Invalid, "invalid_utf8")),
            Some(Err(Error::Protocol(violation))) if !is_reset(&violation) => {
                return Err(Ending::Close(CloseCode::Protocol, "protocol_error"));
            }
            Some(Err(error)) => return Err(broken(&error)),
            None => return Err(Ending::Broke),
        };
        let obeyed = match Command::parse(&text) {
            Ok(command) => {
                let id = command.id().clone();
                self.obey(command).map_err(|failure| (Some(id), failure))
            }
            Err(refused) => Err((refused.id, refused.failure)),
        };
        Ok(obeyed.err().map(|(id, failure)| error_frame(id.as_deref(), &failure)))
    }

    fn obey(&mut self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Submit(submit) => self.submit(submit),
            Command::Resume(resume) => self.resume(resume),
            Command::Cancel { id } => Err(self.cancel(&id)),
        }
    }

    fn submit(&mut self, submit: Submit) -> Result<(), Failure> {
        self.may_start(&submit.id)?;
        let mut call = self.call();
        let mut options = self.defaults.clone();
        options.priority = submit.priority.unwrap_or(options.priority);
        options.session = submit.session.or(options.session);
        let taken = chat::parse_request(submit.request).and_then(|mut parsed| {
            parsed.stream = true;
            call.submit(parsed, options)
        });
        match taken {
            Ok(answer) => self.hear(submit.id, call, answer),
            Err(failure) => {
                call.fail(&failure);
                return Err(failure);
            }
        }
        Ok(())
    }

    fn resume(&mut self, resume: Resume) -> Result<(), Failure> {
        self.may_start(&resume.id)?;
        let answer = self.door.shared.resumable.find(resume.request_id)?;
        let kept = self.door.shared.resumable.take(resume.request_id);
        let place = kept.map_or_else(|| self.door.enter(), Ok)?;
        let until = Instant::now()
            .checked_add(self.defaults.timeout)
            .unwrap_or_else(Instant::now);
        let gone = || {
            Failure::new(
                Code::ResumeNotPossible,
                "The answer was given up: submit the request again.",
            )
        };
        let (answer, _) = answer.join(until, self.defaults.priority).ok_or_else(gone)?;
        let next = resume.after.map_or(0, |after| after.saturating_add(1));
        let call = self.call().resumed(resume.request_id);
        self.hear(resume.id, call, answer.at(next).carrying(place));
        Ok(())
    }

    /// Leaves an answer at once, whatever else waits for the socket. What comes back is for the client.
    fn cancel(&mut self, id: &Text) -> Failure {
        if !self.running.remove(id) {
            return Failure::invalid("id", "No request of this id is running on this socket.");
        }
        // A request that was cancelled before may have had the same name.
        let named = self.hearings.iter_mut().filter(|hearing| hearing.id() == id);
        named.for_each(Leavable::leave);
        Failure::new(Code::Cancelled, "The request was cancelled.")
    }

    fn may_start(&self, id: &Text) -> Result<(), Failure> {
        if self.running.contains(id) {
            return Err(Failure::new(Code::IdInUse, "A request of this id is running on this socket.").at("id"));
        }
        if self.running.len() >= self.door.config().max_socket_requests {
            let text = "As many requests run on this socket as may; see `max_socket_requests`.";
            return Err(Failure::new(Code::Overloaded, text).with_retry_after(Duration::from_secs(1)));
        }
        Ok(())
    }

    fn hear(&mut self, id: Text, call: Call, answer: Answer) {
        self.running.insert(id.clone());
        self.hearings.push(Leavable::new(Hearing::new(id, call, answer)));
    }

    /// A request of this socket, dealt to the core with least to do.
    fn call(&self) -> Call {
        let door = self.door.elsewhere();
        Call::begin(&door, "WS", "/v1/stream", Arrival::new(&door, self.client.clone()))
    }

    /// Tells the client of each request that is cut off, and that we go.
    fn go_away(&mut self) -> Ending {
        let failure = Failure::new(Code::Draining, "The server went down before the answer was complete.");
        for id in std::mem::take(&mut self.running) {
            self.out.push(Message::Text(text_of(error_frame(Some(&id), &failure))));
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

/// Sends what there is to send, then waits until the client has closed the connection: closed by us with bytes of the
/// client's unread, it would be reset, and the close frame could be lost.
async fn say_goodbye<S: AsyncRead + AsyncWrite + Unpin>(mut out: Outbox, mut sink: Sink<S>, source: Source<S>) {
    if out.send(&mut sink).await.is_err() {
        return;
    }
    let Ok(socket) = sink.reunite(source) else { return };
    let mut socket = socket.into_inner();
    if socket.shutdown().await.is_ok() {
        drop(tokio::io::copy(&mut socket, &mut tokio::io::sink()).await);
    }
}

/// How a session ends whose socket failed.
fn broken(error: &Error) -> Ending {
    match error {
        Error::Io(error) if is_slow_consumer(error) => Ending::Close(CloseCode::Again, Code::SlowConsumer.as_str()),
        Error::Io(error) if is_slow_sender(error) => Ending::Close(CloseCode::Policy, Code::RequestTimeout.as_str()),
        _ => Ending::Broke,
    }
}

fn error_frame(id: Option<&str>, failure: &Failure) -> Vec<u8> {
    let mut frame = Vec::with_capacity(192);
    Frame::Error { id, failure }.write(&mut frame);
    frame
}

fn ticker() -> Interval {
    let mut ticker = interval(PING);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker.reset();
    ticker
}

fn is_reset(violation: &tokio_tungstenite::tungstenite::error::ProtocolError) -> bool {
    matches!(
        violation,
        tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake
    )
}

#[cfg(test)]
mod tests;
