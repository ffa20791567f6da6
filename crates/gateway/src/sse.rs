//! An answer as server-sent events: all chunks that have arrived leave in one write.
//!
//! Early failures keep their real status, because the head is held until the first token or the first keepalive,
//! whichever comes first. A failure after that is an event of its own, and no `[DONE]` follows it; what stands in for the
//! workers is then said in a comment before the first event.

use crate::{
    body::{Body, HEADERS, Reply},
    call::{Call, DEGRADED},
    fault::Fault,
    life::Stage,
};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::{HeaderValue, Response, header};
use orchestrator_core::{Answer, Chunks, Code, Failure, Head};
use orchestrator_dialect::chat::EventWriter;
use orchestrator_stream::sse;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// Bytes that frame an event.
const FRAME: usize = b"data: \n\n".len();

/// The comment that is a sign of life.
const PING: &str = "ping";

/// The events of one answer.
pub(crate) struct Events {
    call: Call,
    answer: Answer,
    writer: EventWriter,
    head: Option<Arc<Head>>,
    /// The status left before the head was known.
    is_late: bool,
    out: BytesMut,
    over: bool,
    keepalive: Duration,
    /// Since when nothing was sent.
    silent: Instant,
    /// Looked at only while nothing is there to send; set anew when it fires too early.
    alarm: Option<Pin<Box<Sleep>>>,
}

/// Streams an answer to a client.
pub(crate) async fn stream(mut call: Call, mut answer: Answer, include_usage: bool) -> Result<Reply, (Call, Failure)> {
    let keepalive = call.door.config().keepalive();
    let first = match timeout(keepalive, answer.next()).await {
        Ok(Some(Err(failure))) => return Err((call, failure)),
        Ok(Some(Ok(chunks))) => Some(chunks),
        Ok(None) | Err(_) => None,
    };
    if let Ok(Ok(cache)) = timeout(Duration::ZERO, answer.cache()).await {
        call.came_from(cache);
    }
    let writer = EventWriter::new(
        call.arrival.id,
        call.door.shared.parts.env.unix_time().as_secs(),
        include_usage,
    );
    let (out, silent) = (BytesMut::with_capacity(512), Instant::now());
    let mut events = Events {
        call,
        answer,
        writer,
        head: None,
        is_late: first.is_none(),
        out,
        over: false,
        keepalive,
        silent,
        alarm: None,
    };
    match first {
        Some(chunks) => events.write(&chunks),
        None => sse::comment(&mut events.out, PING),
    }
    let mut reply = Response::new(());
    reply.headers_mut().reserve(HEADERS);
    events.call.stamp(reply.headers_mut());
    reply.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    reply
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
        .headers_mut()
        .insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(reply.map(|()| Body::from(events)))
}

// === impl Events ===

impl Events {
    pub(crate) fn is_over(&self) -> bool {
        self.over && self.out.is_empty()
    }

    /// All bytes that there are to send now; `None` at the end.
    pub(crate) fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.gather(cx);
        if self.out.is_empty() {
            if self.over {
                return Poll::Ready(None);
            }
            if self.poll_silence(cx).is_pending() {
                return Poll::Pending;
            }
            sse::comment(&mut self.out, PING);
        }
        self.silent = Instant::now();
        Poll::Ready(Some(self.out.split().freeze()))
    }

    /// Takes all that has arrived.
    fn gather(&mut self, cx: &mut Context<'_>) {
        if !self.over && self.call.door.life().stage() == Stage::Over {
            let text = "The server went down before the answer was complete.";
            self.fail(&Failure::new(Code::Draining, text));
        }
        while !self.over {
            match Pin::new(&mut self.answer).poll_next(cx) {
                Poll::Ready(Some(Ok(chunks))) => self.write(&chunks),
                Poll::Ready(Some(Err(failure))) => self.fail(&failure),
                Poll::Ready(None) => self.finish(),
                Poll::Pending => return,
            }
            // These were all that have arrived; who takes them asks again, and is woken then. The end leaves with them.
            if !self.out.is_empty() && self.answer.end().is_none() {
                return;
            }
        }
    }

    fn write(&mut self, chunks: &Chunks) {
        if self.head.is_none() {
            self.meet();
            self.call.first_token(self.head.clone());
        }
        let Some(head) = &self.head else { return };
        let events = chunks.iter().filter_map(|chunk| chunk.event.as_ref());
        let room = events.map(|event| event.data.len().saturating_add(FRAME));
        self.out.reserve(room.fold(0, usize::saturating_add));
        for chunk in chunks {
            self.writer
                .write(head, chunk, &mut |json: &[u8]| sse::data(&mut self.out, json));
        }
    }

    /// Asks for the head, and says what stands in for the workers if that is not in the headers.
    fn meet(&mut self) {
        self.head = self.answer.head();
        let degraded = self.head.as_ref().and_then(|head| head.degraded_name());
        if let Some(degraded) = degraded.filter(|_| self.is_late) {
            sse::comment(&mut self.out, &format!("{DEGRADED}: {degraded}"));
        }
    }

    fn finish(&mut self) {
        self.over = true;
        let end = self.answer.end();
        if self.head.is_none() {
            // That of an answer that said nothing.
            self.meet();
        }
        if let (Some(head), Some(end)) = (&self.head, &end) {
            self.writer
                .end(head, end, &mut |json: &[u8]| sse::data(&mut self.out, json));
        }
        sse::done(&mut self.out);
        self.call.finish(end.as_ref());
    }

    fn fail(&mut self, failure: &Failure) {
        self.over = true;
        sse::data(&mut self.out, &Fault::of(failure).json(failure, self.call.arrival.id));
        self.call.fail(failure);
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.silent.checked_add(self.keepalive).unwrap_or(self.silent);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
        while alarm.as_mut().poll(cx).is_ready() {
            if alarm.deadline() >= until {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(until);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
