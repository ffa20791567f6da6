//! One request on a WebSocket: what its client hears of it, frame by frame.

use super::outbox::Outbox;
use crate::{call::Call, resume::Kept};
use orchestrator_core::{Answer, Failure, Text};
use orchestrator_stream::ws::{Frame, token_head, token_rest};
use std::{
    task::{Context, Poll, ready},
    time::Duration,
};

/// A client hears an answer. Dropping it leaves. In the order of a [`Session`](super::Session), for the same reason.
#[repr(C)]
pub(super) struct Hearing {
    /// What its tokens' frames begin with, once it was accepted.
    head: Option<Vec<u8>>,
    answer: Answer,
    has_begun: bool,
    over: bool,
    id: Text,
    call: Call,
}

/// How much of what there is a client has heard.
pub(super) enum Heard {
    /// There was no room for more.
    Part,
    /// The answer is over.
    All,
}

// === impl Hearing ===

impl Hearing {
    pub(super) fn new(id: Text, call: Call, answer: Answer) -> Self {
        Hearing {
            id,
            call,
            answer,
            head: None,
            has_begun: false,
            over: false,
        }
    }

    pub(super) fn id(&self) -> &Text {
        &self.id
    }

    /// As [`Hearing::poll_frames`], and has `cx` woken at the deadline, too.
    pub(super) fn poll_with_deadline(&mut self, cx: &mut Context<'_>, out: &mut Outbox) -> Poll<Heard> {
        if let Poll::Ready(heard) = self.poll_frames(cx, out) {
            return Poll::Ready(heard);
        }
        let late = ready!(self.answer.poll_late(cx));
        self.fail(&late, out);
        Poll::Ready(Heard::All)
    }

    /// Puts in all that there is to hear while there is room for it. Pending when there is no more for now.
    pub(super) fn poll_frames(&mut self, cx: &mut Context<'_>, out: &mut Outbox) -> Poll<Heard> {
        while out.has_room() {
            ready!(self.poll_frame(cx, out));
            if self.over {
                return Poll::Ready(Heard::All);
            }
            if self.answer.waits() {
                return Poll::Pending;
            }
        }
        Poll::Ready(Heard::Part)
    }

    /// Puts in what the client hears next.
    fn poll_frame(&mut self, cx: &mut Context<'_>, out: &mut Outbox) -> Poll<()> {
        match self.head.is_some() {
            true => self.poll_token(cx, out),
            false => self.poll_accepted(cx, out),
        }
    }

    /// Keeps the request's place for whoever comes back to its answer.
    pub(super) fn keep_place(&mut self) -> Option<Kept> {
        let place = self.answer.unload()?;
        Some(self.call.door.shared.resumable.keep(self.call.arrival.id, place))
    }

    fn poll_accepted(&mut self, cx: &mut Context<'_>, out: &mut Outbox) -> Poll<()> {
        match ready!(self.answer.poll_cache(cx)) {
            Ok(cache) => {
                self.call.came_from(cache);
                let (id, resumable) = (self.call.arrival.id, &self.call.door.shared.resumable);
                resumable.remember(id, &self.answer.downgrade());
                self.head = Some(token_head(&self.id));
                let accepted = Frame::Accepted {
                    id: &self.id,
                    request_id: id,
                    cache,
                };
                out.text(&text_of(&accepted), &[]);
            }
            Err(failure) => self.fail(&failure, out),
        }
        Poll::Ready(())
    }

    /// Also ready when the chunks say nothing that belongs into a frame.
    fn poll_token(&mut self, cx: &mut Context<'_>, out: &mut Outbox) -> Poll<()> {
        match ready!(self.answer.poll_alike(cx, |seq, chunks| token_rest(seq, chunks))) {
            Some(Ok(rest)) => {
                if !std::mem::replace(&mut self.has_begun, true) {
                    self.call.first_token(self.answer.head());
                }
                if !rest.is_empty() {
                    out.text(self.head.as_deref().unwrap_or_default(), &rest);
                }
            }
            Some(Err(failure)) => self.fail(&failure, out),
            None => self.finish(out),
        }
        Poll::Ready(())
    }

    fn finish(&mut self, out: &mut Outbox) {
        let Some(end) = self.answer.end() else {
            let lost = Failure::new(
                orchestrator_core::Code::Internal,
                "The answer ended without saying how.",
            );
            return self.fail(&lost, out);
        };
        self.call.finish(Some(&end));
        let done = Frame::Done {
            id: &self.id,
            end: &end,
            head: self.call.head().map(|head| &**head),
            ttft: self.call.ttft_ms().map(Duration::from_millis),
        };
        out.text(&text_of(&done), &[]);
        self.end(out);
    }

    fn fail(&mut self, failure: &Failure, out: &mut Outbox) {
        self.call.fail(failure);
        out.text(&error_frame(Some(&self.id), failure), &[]);
        self.end(out);
    }

    /// The request's place among those in flight is kept until the client has taken its last frame.
    fn end(&mut self, out: &mut Outbox) {
        self.over = true;
        if let Some(place) = self.answer.unload() {
            out.hold(place);
        }
    }
}

/// The frame that tells of a failure.
pub(super) fn error_frame(id: Option<&str>, failure: &Failure) -> Vec<u8> {
    text_of(&Frame::Error { id, failure })
}

fn text_of(frame: &Frame<'_>) -> Vec<u8> {
    let mut text = Vec::with_capacity(192);
    frame.write(&mut text);
    text
}
