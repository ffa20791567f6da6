//! A WebSocket at work: many requests on one socket, each by the id that its client gave it.
//!
//! Frames are written only when the socket has taken those before, so a slow reader delays nobody and loses nothing: what
//! it has not heard waits in the answers' logs, and later shares frames. One that takes nothing for too long is closed. A
//! socket that breaks off keeps its requests running for the resume window.

use super::hearing::{Heard, Hearing, text_of};
use crate::{call::Call, door::Door, life::Stage, options::Options};
use bytes::Bytes;
use futures_util::{
    FutureExt, SinkExt, StreamExt,
    stream::{AbortHandle, Abortable, SelectAll, SplitSink},
};
use orchestrator_core::{Answer, Code, Failure, Text};
use orchestrator_dialect::chat;
use orchestrator_stream::ws::{Command, Frame, Resume, Submit};
use std::{collections::HashMap, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// How often a silent client is pinged; two pings without a sign of life end the session.
const PING: Duration = Duration::from_secs(20);
/// Frames of ours that may wait for the socket while commands are still read.
const MAX_FED: usize = 1024;
/// Requests whose frames share one write.
const GATHER: usize = 64;
/// How long a closing client may take to read the close frame.
const CLOSING: Duration = Duration::from_secs(5);

/// A WebSocket.
pub(super) struct Session {
    door: Door,
    client: Option<SocketAddr>,
    defaults: Options,
    call: Call,
    running: HashMap<Text, AbortHandle>,
    hearings: SelectAll<Abortable<Hearing>>,
    /// Frames that the socket has not taken yet.
    fed: usize,
    heard_from: Instant,
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

// === impl Session ===

impl Session {
    pub(super) fn new(call: Call, defaults: Options) -> Self {
        Session {
            door: call.door.clone(),
            client: call.client(),
            defaults,
            call,
            running: HashMap::new(),
            hearings: SelectAll::new(),
            fed: 0,
            heard_from: Instant::now(),
        }
    }

    /// Serves the socket to its end. Whatever still runs then leaves at once or, when the connection broke off, after the
    /// resume window.
    pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(mut self, socket: WebSocketStream<S>) {
        self.door.shared.parts.metrics.sockets.inc();
        let (mut sink, source) = socket.split();
        let ending = self.serve(&mut sink, source).await;
        self.door.shared.parts.metrics.sockets.dec();
        self.call.finish(None);
        match ending {
            Ending::Closed => drop(timeout(CLOSING, sink.close()).await),
            Ending::Close(code, reason) => {
                let frame = CloseFrame {
                    code,
                    reason: reason.into(),
                };
                drop(timeout(CLOSING, sink.send(Message::Close(Some(frame)))).await);
            }
            Ending::Broke => {
                let window = Duration::from_millis(self.door.config().resume_window_ms);
                self.door.tasks.clone().spawn(async move {
                    sleep(window).await;
                    drop(self);
                });
            }
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        sink: &mut Sink<S>,
        mut source: futures_util::stream::SplitStream<WebSocketStream<S>>,
    ) -> Ending {
        let mut life = self.door.life().clone();
        let mut ping = ticker();
        let mut stuck = Instant::now();
        loop {
            let stage = self.door.life().stage();
            if stage == Stage::Over || (stage >= Stage::Draining && self.running.is_empty() && self.fed == 0) {
                return self.go_away(sink).await;
            }
            let next_stage = if stage < Stage::Draining {
                Stage::Draining
            } else {
                Stage::Over
            };
            let (waiting, limit) = (self.fed > 0, self.door.config().slow_consumer());
            let fed = tokio::select! {
                biased;
                flushed = sink.flush(), if waiting => match flushed {
                    Ok(()) => { self.fed = 0; Ok(()) }
                    Err(_) => return Ending::Broke,
                },
                message = source.next(), if self.fed < MAX_FED => match self.take(message) {
                    Ok(Some(frame)) => self.feed(sink, Message::Text(text_of(frame))).await,
                    Ok(None) => Ok(()),
                    Err(ending) => return ending,
                },
                Some(heard) = self.hearings.next(), if !waiting && !self.hearings.is_empty() => self.tell(sink, heard).await,
                () = sleep_until(stuck.checked_add(limit).unwrap_or(stuck)), if waiting => {
                    return Ending::Close(CloseCode::Again, Code::SlowConsumer.as_str());
                }
                _ = ping.tick() => match self.heard_from.elapsed() > PING.saturating_mul(2) {
                    true => return Ending::Broke,
                    false => self.feed(sink, Message::Ping(Bytes::new())).await,
                },
                () = life.reached(next_stage) => Ok(()),
            };
            if fed.is_err() {
                return Ending::Broke;
            }
            if !waiting {
                stuck = Instant::now();
            }
        }
    }

    /// Writes what one request has to say, and what others have to say right now.
    async fn tell<S: AsyncRead + AsyncWrite + Unpin>(&mut self, sink: &mut Sink<S>, heard: Heard) -> Result<(), Error> {
        let mut next = Some(heard);
        for _ in 0..GATHER {
            let Some(heard) = next else { break };
            if heard.last {
                self.running.remove(&heard.id);
            }
            self.feed(sink, Message::Text(heard.frame)).await?;
            next = self.hearings.next().now_or_never().flatten();
        }
        Ok(())
    }

    async fn feed<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        sink: &mut Sink<S>,
        message: Message,
    ) -> Result<(), Error> {
        self.fed = self.fed.saturating_add(1);
        sink.feed(message).await
    }

    /// Obeys a message; `Some` is a frame to answer with at once.
    fn take(&mut self, message: Option<Result<Message, Error>>) -> Result<Option<Vec<u8>>, Ending> {
        self.heard_from = Instant::now();
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
            Some(Err(_)) | None => return Err(Ending::Broke),
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
            Command::Cancel { id } => {
                let unknown = || Failure::invalid("id", "No request of this id is running on this socket.");
                self.running.remove(&id).ok_or_else(unknown)?.abort();
                Err(Failure::new(Code::Cancelled, "The request was cancelled."))
            }
        }
    }

    fn submit(&mut self, submit: Submit) -> Result<(), Failure> {
        self.may_start(&submit.id)?;
        let mut call = self.call();
        let mut options = self.defaults.clone();
        options.caller_id = None;
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
        self.hear(resume.id, call, answer.at(next));
        Ok(())
    }

    fn may_start(&self, id: &Text) -> Result<(), Failure> {
        if self.running.contains_key(id) {
            return Err(Failure::new(Code::IdInUse, "A request of this id is running on this socket.").at("id"));
        }
        if self.running.len() >= self.door.config().max_socket_requests {
            let text = "As many requests run on this socket as may; see `max_socket_requests`.";
            return Err(Failure::new(Code::Overloaded, text).with_retry_after(Duration::from_secs(1)));
        }
        Ok(())
    }

    fn hear(&mut self, id: Text, call: Call, answer: Answer) {
        let (handle, registration) = AbortHandle::new_pair();
        self.running.insert(id.clone(), handle);
        self.hearings
            .push(Abortable::new(Hearing::new(id, call, answer), registration));
    }

    /// A request of this socket, dealt to the core with least to do.
    fn call(&self) -> Call {
        Call::begin(&self.door.elsewhere(), "WS", "/v1/stream", self.client)
    }

    /// Tells the client of each request that is cut off, and that we go.
    async fn go_away<S: AsyncRead + AsyncWrite + Unpin>(&mut self, sink: &mut Sink<S>) -> Ending {
        let failure = Failure::new(Code::Draining, "The server went down before the answer was complete.");
        for (id, _) in std::mem::take(&mut self.running) {
            if self
                .feed(sink, Message::Text(text_of(error_frame(Some(&id), &failure))))
                .await
                .is_err()
            {
                break;
            }
        }
        Ending::Close(CloseCode::Away, Code::Draining.as_str())
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
