//! The body of an answer to a client: nothing, all of it at once, or a stream of events.

use crate::{io::Work, sse::Events};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Frame, SizeHint};
use orchestrator_core::InFlight;
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

/// Room for the headers of an answer, so that their map does not grow one by one.
pub(crate) const HEADERS: usize = 12;

/// The body of an answer. While it lives, its connection is at work.
pub(crate) struct Body {
    content: Content,
    work: Option<Work>,
    /// The place among the requests in flight, until the connection takes it over.
    place: Option<InFlight>,
}

enum Content {
    /// All of it; taken when it is sent.
    Whole(Option<Bytes>),
    /// Events as they come.
    Events(Box<Events>),
}

/// An answer to a client.
pub(crate) type Reply = Response<Body>;

// === impl Body ===

impl Body {
    pub(crate) fn empty() -> Self {
        Content::Whole(None).into()
    }

    /// Lets the request count as in flight until the body has left.
    pub(crate) fn carry(&mut self, place: Option<InFlight>) {
        self.place = place;
    }

    /// Lets the connection count as busy until the body is sent or dropped.
    pub(crate) fn keep_busy(&mut self, mut work: Work) {
        if let Some(place) = self.place.take() {
            work.carry(place);
        }
        self.work = Some(work);
    }
}

impl From<Content> for Body {
    fn from(content: Content) -> Self {
        Body {
            content,
            work: None,
            place: None,
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Content::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())).into()
    }
}

impl From<Events> for Body {
    fn from(events: Events) -> Self {
        Content::Events(Box::new(events)).into()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.content {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Events(events) => events
                .poll_bytes(cx)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_none(),
            Content::Events(events) => events.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Content::Events(_) => SizeHint::default(),
        }
    }
}

/// An answer with a whole body.
pub(crate) fn whole(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Body::from(body.into()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    whole(status, "application/json", body)
}

#[cfg(test)]
mod tests;
