//! One request on a WebSocket: what its client hears of it, frame by frame.

use crate::{call::Call, resume::Kept};
use futures_util::Stream;
use orchestrator_core::{Answer, Chunks, Failure, InFlight, Text};
use orchestrator_stream::ws::{Frame, token};
use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A client hears an answer.
pub(super) struct Hearing {
    id: Text,
    call: Call,
    answer: Answer,
    accepted: bool,
    over: bool,
}

/// A hearing that can be left at any moment, also while nobody asks what comes next.
pub(super) struct Leavable {
    id: Text,
    hearing: Option<Hearing>,
    waker: Option<Waker>,
}

/// What a client hears next.
pub(super) struct Heard {
    pub(super) id: Text,
    pub(super) frame: Utf8Bytes,
    pub(super) last: bool,
    /// With the last frame: the request's place among those in flight, to be kept until the client has taken the frame.
    pub(super) place: Option<InFlight>,
}

// === impl Hearing ===

impl Hearing {
    pub(super) fn new(id: Text, call: Call, answer: Answer) -> Self {
        Hearing {
            id,
            call,
            answer,
            accepted: false,
            over: false,
        }
    }

    fn accept(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        let origin = std::task::ready!(pin!(self.answer.cache()).poll(cx));
        self.accepted = true;
        Poll::Ready(match origin {
            Ok(cache) => {
                self.call.came_from(cache);
                self.call
                    .door
                    .shared
                    .resumable
                    .remember(self.call.arrival.id, &self.answer.downgrade());
                self.heard(&Frame::Accepted {
                    id: &self.id,
                    request_id: self.call.arrival.id,
                    cache,
                })
            }
            Err(failure) => self.failed(&failure),
        })
    }

    /// `None` when the chunks say nothing that belongs into a frame.
    fn tokens(&mut self, chunks: &Chunks) -> Option<Heard> {
        self.call.first_token(self.answer.head());
        let mut text = Vec::with_capacity(128);
        let last_index = self.answer.position().saturating_sub(1);
        token(&mut text, &self.id, last_index, chunks).then(|| self.frame(text))
    }

    fn finished(&mut self) -> Heard {
        let Some(end) = self.answer.end() else {
            let lost = Failure::new(
                orchestrator_core::Code::Internal,
                "The answer ended without saying how.",
            );
            return self.failed(&lost);
        };
        self.call.finish(Some(&end));
        let ttft = self.call.ttft_ms().map(Duration::from_millis);
        let done = self.heard(&Frame::Done {
            id: &self.id,
            end: &end,
            head: self.call.head().map(|head| &**head),
            ttft,
        });
        self.last(done)
    }

    fn failed(&mut self, failure: &Failure) -> Heard {
        self.call.fail(failure);
        let error = self.heard(&Frame::Error {
            id: Some(&self.id),
            failure,
        });
        self.last(error)
    }

    fn last(&mut self, heard: Heard) -> Heard {
        self.over = true;
        Heard {
            last: true,
            place: self.answer.unload(),
            ..heard
        }
    }

    fn heard(&self, frame: &Frame<'_>) -> Heard {
        let mut text = Vec::with_capacity(192);
        frame.write(&mut text);
        self.frame(text)
    }

    fn frame(&self, text: Vec<u8>) -> Heard {
        Heard {
            id: self.id.clone(),
            frame: text_of(text),
            last: false,
            place: None,
        }
    }
}

impl Stream for Hearing {
    type Item = Heard;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        let this = &mut *self;
        if !this.accepted {
            return this.accept(cx).map(Some);
        }
        while !this.over {
            match std::task::ready!(Pin::new(&mut this.answer).poll_next(cx)) {
                Some(Ok(chunks)) => match this.tokens(&chunks) {
                    Some(heard) => return Poll::Ready(Some(heard)),
                    None => continue,
                },
                Some(Err(failure)) => return Poll::Ready(Some(this.failed(&failure))),
                None => return Poll::Ready(Some(this.finished())),
            }
        }
        Poll::Ready(None)
    }
}

// === impl Leavable ===

impl Leavable {
    pub(super) fn new(hearing: Hearing) -> Self {
        Leavable {
            id: hearing.id.clone(),
            hearing: Some(hearing),
            waker: None,
        }
    }

    pub(super) fn id(&self) -> &Text {
        &self.id
    }

    /// Keeps the request's place for whoever comes back to its answer.
    pub(super) fn keep_place(&mut self) -> Option<Kept> {
        let hearing = self.hearing.as_mut()?;
        let place = hearing.answer.unload()?;
        let call = &hearing.call;
        Some(call.door.shared.resumable.keep(call.arrival.id, place))
    }

    /// Leaves the answer now. The stream ends.
    pub(super) fn leave(&mut self) {
        self.hearing = None;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Stream for Leavable {
    type Item = Heard;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        let this = &mut *self;
        let Some(hearing) = &mut this.hearing else {
            return Poll::Ready(None);
        };
        this.waker
            .get_or_insert_with(|| cx.waker().clone())
            .clone_from(cx.waker());
        Pin::new(hearing).poll_next(cx)
    }
}

/// The frame's text. JSON writers only write UTF-8; were it ever not, the frame would be empty rather than broken.
pub(super) fn text_of(frame: Vec<u8>) -> Utf8Bytes {
    String::from_utf8(frame).unwrap_or_default().into()
}
