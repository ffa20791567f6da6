//! The body of an answer to a client: nothing, all of it at once, or a stream of events.

use crate::{
    io::{MAX_UNWRITTEN, Work},
    sse::Events,
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Frame, SizeHint};
use orchestrator_core::InFlight;
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// Room for the headers of an answer, so that their map does not grow one by one.
pub(crate) const HEADERS: usize = 12;

/// The body of an answer. While it lives, its connection is at work.
pub(crate) struct Body {
    /// What is sent next.
    bytes: Bytes,
    /// What then follows, as it comes.
    events: Option<Box<Events>>,
    work: Option<Work>,
    /// The place among the requests in flight, until the connection takes it over.
    place: Option<InFlight>,
}

/// An answer to a client.
pub(crate) type Reply = Response<Body>;

// === impl Body ===

impl Body {
    pub(crate) fn empty() -> Self {
        Bytes::new().into()
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

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Body {
            bytes,
            events: None,
            work: None,
            place: None,
        }
    }
}

impl From<Events> for Body {
    fn from(events: Events) -> Self {
        Body {
            events: Some(Box::new(events)),
            ..Body::empty()
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Body {
            bytes, events, work, ..
        } = &mut *self;
        if work.as_ref().is_some_and(|work| !work.may_give()) {
            return Poll::Pending;
        }
        if bytes.is_empty()
            && let Some(events) = events
        {
            *bytes = ready!(events.poll_bytes(cx)).unwrap_or_default();
        }
        let part = bytes.split_to(bytes.len().min(MAX_UNWRITTEN));
        work.iter().for_each(|work| work.gave(part.len()));
        let part = Some(part).filter(|part| !part.is_empty());
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.events.as_ref().is_none_or(|events| events.is_over())
    }

    fn size_hint(&self) -> SizeHint {
        match self.events {
            None => SizeHint::with_exact(self.bytes.len() as u64),
            Some(_) => SizeHint::default(),
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
