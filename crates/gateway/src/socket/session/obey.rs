//! What the client of a session asks for, and how that begins.

use super::{Ending, HEARINGS, Session, broken};
use crate::{
    call::{Arrival, Call},
    socket::{
        hearing::{Hearing, error_frame},
        outbox::Outbox,
    },
};
use bytes::Bytes;
use orchestrator_core::{Answer, Code, Failure, Text};
use orchestrator_dialect::chat;
use orchestrator_stream::ws::{Command, Resume, Submit};
use std::time::Duration;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Error, Message, error::ProtocolError, protocol::frame::coding::CloseCode};

impl Session {
    /// Obeys a message; why it cannot be obeyed is told at once.
    pub(super) fn take(&mut self, message: Option<Result<Message, Error>>, out: &mut Outbox) -> Result<(), Ending> {
        self.link.took();
        let text = match message {
            Some(Ok(Message::Text(text))) => Bytes::from(text),
            Some(Ok(Message::Binary(_))) => return Err(Ending::Close(CloseCode::Unsupported, "text_frames_only")),
            Some(Ok(Message::Close(_)) | Err(Error::ConnectionClosed)) => return Err(Ending::Closed),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(()),
            Some(Err(Error::Capacity(_))) => return Err(Ending::Close(CloseCode::Size, "message_too_big")),
            Some(Err(Error::Utf8(_))) => return Err(Ending::Close(CloseCode::Invalid, "invalid_utf8")),
            Some(Err(Error::Protocol(violation))) if !is_reset(&violation) => {
                return Err(Ending::Close(CloseCode::Protocol, "protocol_error"));
            }
            Some(Err(Error::Io(error))) => return Err(broken(&error)),
            Some(Err(_)) | None => return Err(Ending::Broke),
        };
        let obeyed = match Command::parse(&text) {
            Ok(command) => {
                let id = command.id().clone();
                self.obey(command).map_err(|failure| (Some(id), failure))
            }
            Err(refused) => Err((refused.id, refused.failure)),
        };
        if let Err((id, failure)) = obeyed {
            out.reply(&error_frame(id.as_deref(), &failure));
        }
        Ok(())
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
        let mut options = self.handshake.options.clone();
        options.priority = submit.priority.unwrap_or(options.priority);
        options.session = submit.session.or(options.session);
        let taken = chat::parse_request(submit.request).and_then(|mut parsed| {
            parsed.stream = true;
            call.submit(parsed, options)
        });
        match taken {
            Ok(answer) => self.listen(submit.id, call, answer),
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
            .checked_add(self.handshake.options.timeout)
            .unwrap_or_else(Instant::now);
        let gone = || {
            Failure::new(
                Code::ResumeNotPossible,
                "The answer was given up: submit the request again.",
            )
        };
        let (answer, _) = answer.join(until, self.handshake.options.priority).ok_or_else(gone)?;
        let next = resume.after.map_or(0, |after| after.saturating_add(1));
        let call = self.call().resumed(resume.request_id);
        self.listen(resume.id, call, answer.at(next).carrying(place));
        Ok(())
    }

    /// Leaves an answer at once, whatever else waits for the socket. What comes back is for the client.
    fn cancel(&mut self, id: &Text) -> Failure {
        let Some(place) = self.running.remove(id) else {
            return Failure::invalid("id", "No request of this id is running on this socket.");
        };
        self.hearings.try_remove(place);
        Failure::new(Code::Cancelled, "The request was cancelled.")
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

    fn listen(&mut self, id: Text, call: Call, answer: Answer) {
        match self.hearings.len() {
            // Most sockets hear one answer at a time.
            0 => self.hearings.reserve_exact(1),
            // The one that was the only one so far rings its bell from now on.
            1 => self.hearings.iter().for_each(|(_, (bell, _))| bell.ring()),
            _ => {}
        }
        let place = self.hearings.vacant_key();
        self.running.insert(id.clone(), place);
        let bell = self.bells.bell(place.saturating_add(HEARINGS));
        self.hearings.insert((bell, Hearing::new(id, call, answer)));
    }

    /// A request of this socket, dealt to the core with least to do.
    fn call(&self) -> Call {
        let door = self.door.elsewhere();
        Call::begin(
            &door,
            "WS",
            "/v1/stream",
            Arrival::new(&door, Some(self.client.clone())),
        )
    }
}

fn is_reset(violation: &ProtocolError) -> bool {
    matches!(violation, ProtocolError::ResetWithoutClosingHandshake)
}
