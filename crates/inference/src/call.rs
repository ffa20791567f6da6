//! One attempt at one server: ask, read up to the first token, and hand the rest over as a stream.

use crate::{
    provider::Provider,
    wire::{Body, Incoming, Outgoing, Wire, WireError},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream, stream::BoxStream};
use http::{HeaderName, HeaderValue, Method};
use orchestrator_core::{Chunk, Code, Env, Failure, Prompt};
use orchestrator_dialect::{Meta, error, reader::Reader, request, whole};
use std::{
    future::Future,
    pin::Pin,
    time::{Duration, UNIX_EPOCH},
};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use url::Url;

/// The largest whole answer, in bytes.
const MAX_WHOLE: usize = 64 << 20;
/// The most that is read of an error's body, in bytes.
const MAX_ERROR: usize = 64 << 10;
/// How long the body of an error is waited for. It holds no more than words, for which no other try should wait; a server
/// that says why it refuses does so together with its refusal.
const ERROR_PATIENCE: Duration = Duration::from_secs(1);
/// The most that is told of where a server redirects to, in bytes.
const MAX_DESTINATION: usize = 256;
/// The most that a stream may send before its first token, as chunks weigh: such chunks wait in memory.
const MAX_BEFORE_TOKEN: usize = 4 << 20;
/// Bytes of a short event with its framing: room for as many chunks is made at once.
const USUAL_EVENT: usize = 160;
/// The most that is read of the body of a sign of life, in bytes. Lists of models are long.
const MAX_PROBE: usize = 4 << 20;
/// How long the body of a sign of life is waited for.
const PROBE_BODY: Duration = Duration::from_secs(1);
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
    patience: Patience,
    env: Env,
}

/// How long a stream may keep its caller waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From the call to the first token.
    pub(crate) first_token: Duration,
    /// From any byte to the next one, once the first token is there.
    pub(crate) idle: Duration,
}

// === impl Server ===

impl Server {
    pub(crate) fn new(
        provider: Provider,
        headers: Vec<(HeaderName, HeaderValue)>,
        wire: Wire,
        patience: Patience,
        env: Env,
    ) -> Self {
        Server {
            provider,
            headers,
            wire,
            patience,
            env,
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
        let first_token = timeout(self.patience.first_token, async {
            let incoming = self.accepted(self.wire.send(outgoing).await.map_err(broken)?).await?;
            match is_stream(&incoming) {
                true => self.streamed(incoming.body).await,
                false => self.whole(incoming).await,
            }
        });
        first_token.await.unwrap_or_else(|_| {
            let limit = self.patience.first_token.as_millis();
            let text = format!("The worker sent no token within {limit} ms.");
            Err(Failure::new(Code::FirstTokenTimeout, text))
        })
    }

    /// Asks for a sign of life. Any answer is one but a 5xx: what refuses a key, or does not know the path, lives.
    pub(crate) async fn probe(&self) -> Result<(), Failure> {
        let outgoing = Outgoing {
            method: Method::GET,
            path: self.provider.probe_path,
            headers: &self.headers,
            body: Bytes::new(),
        };
        let incoming = self.wire.send(outgoing).await.map_err(broken)?;
        let status = incoming.status;
        if status >= 500 {
            return Err(Failure::refused(status, None));
        }
        // Nobody needs the body, but one that has been read leaves its connection to the next call.
        let (mut body, mut left) = (incoming.body, MAX_PROBE);
        let reading = timeout(PROBE_BODY, async {
            while left > 0
                && let Ok(Some(bytes)) = body.arrived().await
            {
                left = left.saturating_sub(bytes.len());
            }
        });
        drop(reading.await);
        Ok(())
    }

    /// An answer with a good status; any other status is a failure.
    async fn accepted(&self, incoming: Incoming) -> Result<Incoming, Failure> {
        if (200..300).contains(&incoming.status) {
            return Ok(incoming);
        }
        let pause = incoming.headers.get("retry-after");
        let pause = pause.and_then(|value| retry_after(value, self.env.unix_time()));
        if (300..400).contains(&incoming.status) {
            return Err(redirected(incoming.status, incoming.headers.get("location")));
        }
        let said = words(incoming.body).await;
        let refused = Failure::refused(incoming.status, said);
        Err(match pause.filter(|_| refused.code() == Code::RateLimited) {
            Some(pause) => refused.with_retry_after(pause),
            None => refused,
        })
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

    async fn streamed(&self, body: Body) -> Result<Answered, Failure> {
        let mut events = Events {
            reader: Reader::new(self.provider.protocol),
            body: Some(body),
            broken: None,
            idle: None,
        };
        let first = events.until_first_token().await?;
        events.idle = Some(Idle::new(self.patience.idle));
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
    /// Bounds silence once the first token is there; a model may think in silence for longer before it.
    idle: Option<Idle>,
}

impl Events {
    /// All chunks up to the first token and what came with it.
    async fn until_first_token(&mut self) -> Result<Vec<Chunk>, Failure> {
        let (mut chunks, mut weight) = (Vec::new(), 0_usize);
        while weight <= MAX_BEFORE_TOKEN {
            let Some(batch) = self.next().await else {
                let text = "The worker's answer holds no token.";
                return Err(Failure::new(Code::UpstreamTruncated, text));
            };
            let batch = batch?;
            let has_token = batch.iter().any(Chunk::has_content);
            weight = batch.iter().map(Chunk::weight).fold(weight, usize::saturating_add);
            if chunks.is_empty() {
                chunks = batch;
            } else {
                chunks.extend(batch);
            }
            if has_token {
                return Ok(chunks);
            }
        }
        let text = format!("The worker sent {MAX_BEFORE_TOKEN} bytes without a token.");
        Err(Failure::new(Code::UpstreamProtocol, text))
    }

    /// All chunks that have arrived since the last look; `None` after the end.
    async fn next(&mut self) -> Option<Result<Vec<Chunk>, Failure>> {
        let mut chunks = Vec::new();
        while chunks.is_empty() {
            if let Some(failure) = self.broken.take() {
                return Some(Err(failure));
            }
            let body = self.body.as_mut()?;
            let arrived = match &mut self.idle {
                Some(idle) => idle.guard(body.arrived()).await,
                None => Ok(body.arrived().await),
            };
            let read = match arrived {
                Ok(Ok(Some(bytes))) => {
                    chunks.reserve(bytes.len().div_ceil(USUAL_EVENT));
                    self.reader.feed(&bytes, &mut chunks)
                }
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
    fn new(limit: Duration) -> Self {
        Idle {
            limit,
            since: Instant::now(),
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

/// What an error says, as far as it comes in time.
async fn words(mut body: Body) -> Option<String> {
    let mut said = Vec::new();
    let reading = timeout(ERROR_PATIENCE, async {
        while said.len() <= MAX_ERROR
            && let Ok(Some(bytes)) = body.arrived().await
        {
            said.extend_from_slice(&bytes);
        }
    });
    drop(reading.await);
    Some(said)
        .filter(|said| said.len() <= MAX_ERROR)
        .and_then(|said| error::read(&said))
}

/// A server that is not where the configuration says; another try would find it as little.
#[derive(Debug, thiserror::Error)]
#[error("the worker redirects to {0}; set its `base_url`")]
struct Redirected(String);

/// Where to is for the log alone: where a worker is, is no caller's affair.
fn redirected(status: u16, location: Option<&str>) -> Failure {
    let text = "The worker redirects to another address; its `base_url` must be set to that.";
    let failure = Failure::new(Code::UpstreamRedirected, text).with_status(status);
    match location.and_then(destination) {
        Some(destination) => failure.with_source(Redirected(destination)),
        None => failure,
    }
}

/// Scheme, host and path of a location, or its path alone. Its user, query and fragment may be secrets.
fn destination(location: &str) -> Option<String> {
    const HERE: &str = "http://here.invalid";
    let mut url = Url::parse(HERE).ok()?.join(location).ok()?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    let path = url.as_str().strip_prefix(HERE).filter(|path| path.starts_with('/'));
    let shown = path.unwrap_or(url.as_str());
    Some(shown.chars().take(MAX_DESTINATION).collect())
}

/// Seconds, or a date, at `now` since 1970; never below zero, never above a minute.
fn retry_after(value: &str, now: Duration) -> Option<Duration> {
    let seconds = value.trim().parse::<f64>().ok().filter(|seconds| !seconds.is_nan());
    let pause = match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST_PAUSE),
        None => {
            let date = httpdate::parse_http_date(value.trim()).ok()?;
            date.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(now)
        }
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests;
