//! One attempt at one server: ask, read up to the first token, and hand the rest over as a stream.

use crate::{
    provider::{Place, Provider},
    wire::{Body, Incoming, Outgoing, Wire, WireError},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream, stream::BoxStream};
use http::{HeaderName, HeaderValue, Method};
use orchestrator_core::{Chunk, Code, Failure, Prompt};
use orchestrator_dialect::{Meta, error, reader::Reader, request, whole};
use std::{
    future::Future,
    pin::Pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// The largest whole answer, in bytes.
const MAX_WHOLE: usize = 64 << 20;
/// The most that is read of an error's body, in bytes.
const MAX_ERROR: usize = 64 << 10;
/// The longest pause that a server can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// An answer at its first token.
pub(crate) struct Answered {
    pub(crate) meta: Meta,
    /// All that came with the first token.
    pub(crate) first: Vec<Chunk>,
    pub(crate) rest: BoxStream<'static, Result<Vec<Chunk>, Failure>>,
}

/// A server, its connections from this core, and how long to wait for it.
pub(crate) struct Server {
    provider: Provider,
    headers: Vec<(HeaderName, HeaderValue)>,
    wire: Wire,
    first_token: Duration,
    idle: Duration,
}

// === impl Server ===

impl Server {
    pub(crate) fn new(provider: Provider, place: Place, wire: Wire, first_token: Duration, idle: Duration) -> Self {
        Server {
            provider,
            headers: place.headers,
            wire,
            first_token,
            idle,
        }
    }

    /// Calls the server; resolves at the first token. Dropping the future, or the answer, closes the connection.
    pub(crate) async fn call(&self, prompt: &Prompt, target: &request::Target<'_>) -> Result<Answered, Failure> {
        let body = request::render(self.provider.protocol, prompt, target)?;
        let outgoing = Outgoing {
            method: Method::POST,
            path: self.provider.path,
            headers: &self.headers,
            body,
        };
        if !target.stream {
            let incoming = self.wire.send(outgoing).await.map_err(broken)?;
            return self.whole(self.accepted(incoming).await?).await;
        }
        let started = Instant::now();
        let first_token = timeout(self.first_token, async {
            let incoming = self.accepted(self.wire.send(outgoing).await.map_err(broken)?).await?;
            match is_stream(&incoming) {
                true => self.streamed(incoming.body, started).await,
                false => self.whole(incoming).await,
            }
        });
        first_token.await.unwrap_or_else(|_| {
            let text = format!("The worker sent no token within {} ms.", self.first_token.as_millis());
            Err(Failure::new(Code::FirstTokenTimeout, text))
        })
    }

    /// An answer with a good status; any other status is a failure.
    async fn accepted(&self, incoming: Incoming) -> Result<Incoming, Failure> {
        if (200..300).contains(&incoming.status) {
            return Ok(incoming);
        }
        let pause = incoming.headers.get("retry-after").and_then(retry_after);
        let body = timeout(self.idle, incoming.body.collect(MAX_ERROR)).await;
        let said = body
            .ok()
            .and_then(Result::ok)
            .and_then(|body: Bytes| error::read(&body));
        Err(refused(incoming.status, said, pause))
    }

    async fn whole(&self, incoming: Incoming) -> Result<Answered, Failure> {
        let body = incoming.body.collect(MAX_WHOLE).await.map_err(broken)?;
        let (meta, chunk) = whole::read(self.provider.protocol, &body)?;
        Ok(Answered {
            meta,
            first: vec![chunk],
            rest: stream::empty().boxed(),
        })
    }

    async fn streamed(&self, body: Body, started: Instant) -> Result<Answered, Failure> {
        let mut events = Events {
            reader: Reader::new(self.provider.protocol),
            body: Some(body),
            broken: None,
            idle: Idle::new(self.idle, started),
        };
        let mut first = Vec::new();
        while !first.iter().any(Chunk::has_content) {
            match events.next().await {
                Some(batch) => first.extend(batch?),
                None => {
                    return Err(Failure::new(
                        Code::UpstreamTruncated,
                        "The worker's answer holds no token.",
                    ));
                }
            }
        }
        let meta = events.reader.meta().clone();
        let rest = stream::unfold(events, |mut events| async {
            events.next().await.map(|batch| (batch, events))
        });
        Ok(Answered {
            meta,
            first,
            rest: rest.boxed(),
        })
    }
}

/// The events of a running answer.
struct Events {
    reader: Reader,
    /// Gone once the answer is over.
    body: Option<Body>,
    /// Why the answer broke off; told after the chunks that came before.
    broken: Option<Failure>,
    idle: Idle,
}

impl Events {
    /// All chunks that have arrived since the last look; `None` after the end.
    async fn next(&mut self) -> Option<Result<Vec<Chunk>, Failure>> {
        let mut chunks = Vec::new();
        while chunks.is_empty() {
            if let Some(failure) = self.broken.take() {
                return Some(Err(failure));
            }
            let body = self.body.as_mut()?;
            let read = match self.idle.guard(body.arrived()).await {
                Ok(Ok(Some(bytes))) => self.reader.feed(&bytes, &mut chunks),
                Ok(Ok(None)) => self.reader.end(),
                Ok(Err(error)) => Err(broken(error)),
                Err(silent) => Err(silent),
            };
            if let Err(failure) = read {
                self.body = None;
                self.broken = Some(failure);
            } else if self.reader.is_over()
                && let Some(body) = self.body.take()
            {
                body.release();
            }
        }
        Some(Ok(chunks))
    }
}

/// The longest silence, with one timer that is set anew only when it fires too early.
struct Idle {
    limit: Duration,
    since: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    fn new(limit: Duration, since: Instant) -> Self {
        Idle {
            limit,
            since,
            alarm: None,
        }
    }

    async fn guard<T>(&mut self, arriving: impl Future<Output = T>) -> Result<T, Failure> {
        let mut arriving = std::pin::pin!(arriving);
        let until = self.since.checked_add(self.limit).unwrap_or(self.since);
        let arrived = std::future::poll_fn(|cx| {
            if let std::task::Poll::Ready(arrived) = arriving.as_mut().poll(cx) {
                return std::task::Poll::Ready(Ok(arrived));
            }
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
            while alarm.as_mut().poll(cx).is_ready() {
                if alarm.deadline() >= until {
                    let text = format!("The worker was silent for {} ms.", self.limit.as_millis());
                    return std::task::Poll::Ready(Err(Failure::new(Code::IdleTimeout, text)));
                }
                alarm.as_mut().reset(until);
            }
            std::task::Poll::Pending
        })
        .await;
        self.since = Instant::now();
        arrived
    }
}

/// A server that does not stream answers in JSON even when asked to; Ollama's lines of JSON have a type of their own.
fn is_stream(incoming: &Incoming) -> bool {
    let content_type = incoming.headers.get("content-type").unwrap_or("text/event-stream");
    !content_type
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("application/json")
}

fn broken(error: WireError) -> Failure {
    let (code, text) = match &error {
        WireError::Truncated => (
            Code::UpstreamTruncated,
            "The connection to the worker broke off in the middle of its answer.",
        ),
        WireError::Protocol { .. } | WireError::HeadTooLarge | WireError::BodyTooLarge { .. } => {
            (Code::UpstreamProtocol, "The worker's answer is not what HTTP allows.")
        }
        _ => (Code::UpstreamConnect, "The worker cannot be reached."),
    };
    Failure::new(code, text).with_source(error)
}

fn refused(status: u16, said: Option<String>, pause: Option<Duration>) -> Failure {
    let said = said.unwrap_or_else(|| format!("The worker answered with status {status}."));
    match status {
        401 | 403 => Failure::new(
            Code::UpstreamCredentials,
            "The worker refused the server's credentials.",
        ),
        429 => {
            let limited = Failure::new(Code::RateLimited, said);
            pause.map_or(limited.clone(), |pause| limited.with_retry_after(pause))
        }
        408 | 500.. => Failure::new(Code::UpstreamError, said),
        400..=499 => Failure::new(Code::UpstreamRejected, said),
        _ => Failure::new(
            Code::UpstreamProtocol,
            format!("The worker answered with status {status}."),
        ),
    }
    .with_status(status)
}

/// Seconds, or a date; never below zero, never above a minute.
fn retry_after(value: &str) -> Option<Duration> {
    let seconds = value.trim().parse::<f64>().ok().filter(|seconds| !seconds.is_nan());
    let pause = match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST_PAUSE),
        None => until(httpdate::parse_http_date(value.trim()).ok()?),
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[allow(
    clippy::disallowed_methods,
    reason = "an HTTP date is compared with the wall clock of the machine"
)]
fn until(date: SystemTime) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(now)
}
