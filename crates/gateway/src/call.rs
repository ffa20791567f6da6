//! One request at a door: its name, its times and its one ending.
//!
//! A call that is dropped before it was told how it ended was cancelled by its client. So each request is counted and
//! logged exactly once, whatever way it ends.

use crate::{
    deal::{Counted, What},
    door::Door,
    fault::{Fault, source},
    life::Stage,
    options::Options,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use orchestrator_core::{Answer, Cache, Code, End, Failure, Head, Request, RequestId, Text};
use orchestrator_dialect::chat::Parsed;
use orchestrator_telemetry::AccessLine;
use std::{net::SocketAddr, sync::Arc};
use tokio::time::Instant;

/// A request as it comes to the door: its names, and from where.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// Our name for it.
    pub(crate) id: RequestId,
    /// The caller's own, to be echoed.
    pub(crate) caller_id: Option<Text>,
    /// The address of the client.
    pub(crate) client: Option<SocketAddr>,
}

/// A request at a door.
pub(crate) struct Call {
    pub(crate) door: Door,
    pub(crate) arrival: Arrival,
    pub(crate) started: Instant,
    method: &'static str,
    path: &'static str,
    session: Option<Text>,
    model: Text,
    cache: Option<Cache>,
    head: Option<Arc<Head>>,
    first_token: Option<Instant>,
    ended: bool,
    _load: Counted,
}

// === impl Arrival ===

impl Arrival {
    /// A request that its caller has given no name.
    pub(crate) fn new(door: &Door, client: Option<SocketAddr>) -> Self {
        Arrival {
            id: door.shared.parts.env.request_id(),
            caller_id: None,
            client,
        }
    }

    /// Headers of every answer: the request's names.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        let id = self.id.to_string();
        let name = self.caller_id.as_deref().unwrap_or(&id);
        put(headers, "x-request-id", name);
        put(headers, "request-id", name);
        put(headers, "x-orchestrator-request-id", &id);
    }
}

// === impl Call ===

impl Call {
    /// A request has come to the door.
    pub(crate) fn begin(door: &Door, method: &'static str, path: &'static str, arrival: Arrival) -> Self {
        Call {
            door: door.clone(),
            arrival,
            started: Instant::now(),
            method,
            path,
            session: None,
            model: Text::default(),
            cache: None,
            head: None,
            first_token: None,
            ended: false,
            _load: door.shared.deal.count(door.core, What::Request),
        }
    }

    /// Submits what the client asks for.
    pub(crate) fn submit(&mut self, parsed: Parsed, options: Options) -> Result<Answer, Failure> {
        self.session = options.session.clone();
        self.model = parsed.model.clone();
        let request = Request {
            id: self.arrival.id,
            model: parsed.model,
            messages: parsed.messages,
            params: parsed.params,
            original: parsed.original,
            stream: parsed.stream,
            priority: options.priority,
            session: options.session,
            reuse: options.reuse,
            deadline: self.started.checked_add(options.timeout).unwrap_or(self.started),
        };
        self.door.submit(request)
    }

    /// The call hears on what another request began.
    pub(crate) fn resumed(mut self, id: RequestId) -> Self {
        self.arrival.id = id;
        self
    }

    /// The answer's origin is known.
    pub(crate) fn came_from(&mut self, cache: Cache) {
        self.cache = Some(cache);
    }

    /// The first token is there.
    pub(crate) fn first_token(&mut self, head: Option<Arc<Head>>) {
        if self.first_token.is_none() {
            let now = Instant::now();
            self.first_token = Some(now);
            self.door
                .shared
                .parts
                .metrics
                .first_token(now.saturating_duration_since(self.started));
            self.head = head;
        }
    }

    /// What is known of the answer.
    pub(crate) fn head(&self) -> Option<&Arc<Head>> {
        self.head.as_ref()
    }

    /// Milliseconds from the request to its first token.
    pub(crate) fn ttft_ms(&self) -> Option<u64> {
        let after = self.first_token?.saturating_duration_since(self.started);
        u64::try_from(after.as_millis()).ok()
    }

    /// Headers of every answer: the request's names, and where the answer came from.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        self.arrival.stamp(headers);
        if let Some(cache) = self.cache {
            headers.insert("x-orchestrator-cache", HeaderValue::from_static(cache.as_str()));
        }
        let Some(head) = &self.head else { return };
        put(headers, "x-orchestrator-worker", &head.worker);
        put(headers, "x-orchestrator-model", &head.model);
        put(headers, "x-orchestrator-attempts", &head.attempts.to_string());
        if !head.grounding.is_empty() {
            let sources: Vec<&str> = head.grounding.iter().take(16).map(|source| &**source).collect();
            put(headers, "x-orchestrator-sources", &sources.join(", "));
        }
    }

    /// The request ended well.
    pub(crate) fn finish(&mut self, end: Option<&End>) {
        self.end(200, None, end);
    }

    /// The request ended badly.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        self.end(Fault::of(failure).status.as_u16(), Some(failure), None);
    }

    fn end(&mut self, status: u16, failure: Option<&Failure>, end: Option<&End>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let took = self.started.elapsed();
        let code = failure.map_or("ok", |failure| failure.code().as_str());
        let worker = self.head.as_ref().map_or("none", |head| &*head.worker);
        let parts = &self.door.shared.parts;
        parts.metrics.ended(self.path, worker, (code, source(failure)), took);
        let usage = end.and_then(|end| end.usage);
        parts.access.write(&AccessLine {
            request_id: self.arrival.id,
            caller_id: self.arrival.caller_id.as_deref(),
            session_id: self.session.as_deref(),
            client: self.arrival.client,
            method: self.method,
            path: self.path,
            model: &self.model,
            worker: self.head.as_ref().map(|head| &*head.worker),
            tier: self.head.as_ref().map(|head| head.tier.as_str()),
            cache: self.cache.map(Cache::as_str),
            attempts: self.head.as_ref().map_or(0, |head| head.attempts),
            status,
            outcome: outcome(failure),
            error_code: failure.map(|failure| failure.code().as_str()),
            error_source: failure.map(|failure| failure.code().blame().as_str()),
            ttft_ms: self.ttft_ms(),
            duration_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            prompt_tokens: usage.map(|usage| usage.prompt_tokens),
            completion_tokens: usage.map(|usage| usage.completion_tokens),
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.ended {
            let failure = if std::thread::panicking() {
                Failure::new(Code::Internal, "A fault of the server ended the request.")
            } else if self.door.life().stage() == Stage::Over {
                Failure::new(Code::Draining, "The server went down before the answer was complete.")
            } else {
                Failure::new(Code::Cancelled, "The client went away.")
            };
            self.fail(&failure);
        }
    }
}

fn outcome(failure: Option<&Failure>) -> &'static str {
    match failure.map(Failure::code) {
        None => "ok",
        Some(Code::Cancelled) => "cancelled",
        Some(Code::Overloaded | Code::Draining | Code::BreakerOpen) => "refused",
        Some(_) => "failed",
    }
}

/// Sets a header whose value may hold bytes that headers do not allow; those become `?`.
fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    let visible: String = value
        .chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .collect();
    if let Ok(value) = HeaderValue::try_from(visible) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests;
