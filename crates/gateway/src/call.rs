//! One request at a door: its name, its times and its one ending.
//!
//! A call that is dropped before it was told how it ended was cancelled by its client. So each request is counted and
//! logged exactly once, whatever way it ends.

use crate::{
    client::Client,
    deal::{Counted, What},
    door::Door,
    fault::{Fault, source},
    life::Stage,
    metrics::{Ending, NONE},
    options::{Options, caller_id},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use orchestrator_core::{Answer, Blame, Cache, Code, End, Failure, Head, Request, RequestId, Text, Wish};
use orchestrator_dialect::chat::Parsed;
use orchestrator_telemetry::AccessLine;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Bytes of a method or a path that the log shows.
const MAX_SHOWN: usize = 256;

/// The request's name: the caller's own, under the two names that SDKs read, and ours.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const OWN_REQUEST_ID: HeaderName = HeaderName::from_static("x-orchestrator-request-id");
/// Where the answer came from.
const CACHE: HeaderName = HeaderName::from_static("x-orchestrator-cache");
const WORKER: HeaderName = HeaderName::from_static("x-orchestrator-worker");
const MODEL: HeaderName = HeaderName::from_static("x-orchestrator-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-orchestrator-attempts");
pub(crate) const DEGRADED: HeaderName = HeaderName::from_static("x-orchestrator-degraded");
const SOURCES: HeaderName = HeaderName::from_static("x-orchestrator-sources");

/// A request as it comes to the door: its names, and from where.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// Our name for it.
    pub(crate) id: RequestId,
    /// The caller's own, to be echoed.
    pub(crate) caller_id: Option<Text>,
    /// Who asks.
    pub(crate) client: Option<Client>,
    /// The method and the path that were asked for, when it was asked over HTTP. The path is a copy: a slice of the head
    /// would keep the connection's read buffer for as long as the answer runs.
    pub(crate) asked: Option<(Method, Text)>,
}

/// A request at a door.
pub(crate) struct Call {
    pub(crate) door: Door,
    pub(crate) arrival: Arc<Arrival>,
    pub(crate) started: Instant,
    method: &'static str,
    path: &'static str,
    session: Option<Text>,
    model: Text,
    cache: Option<Cache>,
    head: Option<Arc<Head>>,
    /// When the last byte of the request was there.
    received: Instant,
    /// When the answer began: its first token, or the whole of it.
    answered: Option<Instant>,
    streams: bool,
    ended: bool,
    _load: Counted,
}

// === impl Arrival ===

impl Arrival {
    /// A request that its caller has given no name.
    pub(crate) fn new(door: &Door, client: Option<Client>) -> Self {
        Arrival {
            id: door.shared.parts.env.request_id(),
            caller_id: None,
            client,
            asked: None,
        }
    }

    /// A request over HTTP.
    pub(crate) fn of<B>(door: &Door, client: Client, request: &http::Request<B>) -> Self {
        Arrival {
            caller_id: caller_id(request.headers()),
            asked: Some((request.method().clone(), beginning(request.uri().path()).into())),
            ..Arrival::new(door, Some(client))
        }
    }

    /// The method and the path, without its query, as they came; else these.
    fn asked<'a>(&'a self, method: &'a str, path: &'a str) -> (&'a str, &'a str) {
        let asked = self.asked.as_ref();
        let (method, path) = asked.map_or((method, path), |(method, path)| (method.as_str(), path));
        (beginning(method), path)
    }

    /// Headers of every answer: the request's names.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        let id = header_value(self.id.encode(&mut [0; 36]));
        let name = self.caller_id.as_deref().map_or_else(|| id.clone(), header_value);
        headers.insert(X_REQUEST_ID, name.clone());
        headers.insert(REQUEST_ID, name);
        headers.insert(OWN_REQUEST_ID, id);
    }
}

// === impl Call ===

impl Call {
    /// A request has come to the door.
    pub(crate) fn begin(
        door: &Door,
        method: &'static str,
        path: &'static str,
        arrival: impl Into<Arc<Arrival>>,
    ) -> Self {
        let started = Instant::now();
        Call {
            door: door.clone(),
            arrival: arrival.into(),
            started,
            method,
            path,
            session: None,
            model: Text::default(),
            cache: None,
            head: None,
            received: started,
            answered: None,
            streams: false,
            ended: false,
            _load: door.shared.deal.count(door.core, What::Request),
        }
    }

    /// The body has been read.
    pub(crate) fn received(&mut self) {
        self.received = Instant::now();
    }

    /// Submits what the client asks for.
    pub(crate) fn submit(&mut self, parsed: Parsed, options: Options) -> Result<Answer, Failure> {
        let request = self.request(parsed, options)?;
        self.door.submit(request)
    }

    /// Tells what would be done with what the client asks for.
    pub(crate) fn plan(&mut self, parsed: Parsed, options: Options) -> Result<Value, Failure> {
        let request = self.request(parsed, options)?;
        self.door.plan(&request)
    }

    /// What the client asks for.
    fn request(&mut self, mut parsed: Parsed, options: Options) -> Result<Request, Failure> {
        self.session = options.session.clone();
        if parsed.model.is_empty() {
            let usual = self.door.shared.parts.default_model.clone();
            let missing = || Failure::invalid("model", "You must provide a model parameter.");
            parsed.model = usual.ok_or_else(missing)?;
        }
        self.model = parsed.model.clone();
        Ok(Request {
            id: self.arrival.id,
            model: parsed.model,
            messages: parsed.messages,
            params: parsed.params,
            original: parsed.original,
            stream: parsed.stream,
            priority: options.priority,
            session: options.session,
            reuse: options.reuse,
            fingerprint: None,
            deadline: self.started.checked_add(options.timeout).unwrap_or(self.started),
            wanted_by: options
                .latency_budget
                .and_then(|budget| self.started.checked_add(budget)),
            chaos: options.chaos.map(Wish::new),
        })
    }

    /// The call hears on what another request began.
    pub(crate) fn resumed(mut self, id: RequestId) -> Self {
        Arc::make_mut(&mut self.arrival).id = id;
        self
    }

    /// The answer's origin is known.
    pub(crate) fn came_from(&mut self, cache: Cache) {
        self.cache = Some(cache);
    }

    /// The first token of a stream is there.
    pub(crate) fn first_token(&mut self, head: Option<Arc<Head>>) {
        self.begins(head);
        if !std::mem::replace(&mut self.streams, true) {
            let metrics = &self.door.shared.parts.metrics;
            self.ttft().into_iter().for_each(|ttft| metrics.first_token(ttft));
        }
    }

    /// The answer is there, or a part of it.
    pub(crate) fn begins(&mut self, head: Option<Arc<Head>>) {
        if self.answered.is_none() {
            self.answered = Some(Instant::now());
            self.head = head;
        }
    }

    /// What is known of the answer.
    pub(crate) fn head(&self) -> Option<&Arc<Head>> {
        self.head.as_ref()
    }

    /// Milliseconds from the request to the first token of its stream.
    pub(crate) fn ttft_ms(&self) -> Option<u64> {
        u64::try_from(self.ttft()?.as_millis()).ok()
    }

    fn ttft(&self) -> Option<Duration> {
        let answered = self.answered.filter(|_| self.streams)?;
        Some(answered.saturating_duration_since(self.started))
    }

    /// What we added ourselves, where a worker was called for this request.
    fn overhead(&self) -> Option<Duration> {
        self.cache
            .filter(|cache| matches!(cache, Cache::Miss | Cache::Bypass))?;
        let took = self.answered?.saturating_duration_since(self.received);
        Some(took.saturating_sub(self.head.as_ref()?.waited))
    }

    /// Headers of every answer: the request's names, and where the answer came from.
    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        self.arrival.stamp(headers);
        if let Some(cache) = self.cache {
            headers.insert(CACHE, HeaderValue::from_static(cache.as_str()));
        }
        let Some(head) = &self.head else { return };
        headers.insert(WORKER, header_value(&head.worker));
        headers.insert(MODEL, header_value(&head.model));
        headers.insert(ATTEMPTS, head.attempts.into());
        if let Some(degraded) = head.degraded {
            headers.insert(DEGRADED, HeaderValue::from_static(degraded.as_str()));
            let age = degraded.age().map(|age| age.as_secs().into());
            headers.extend(age.map(|age| (header::AGE, age)));
        }
        if !head.grounding.is_empty() {
            let sources: Vec<&str> = head.grounding.iter().take(16).map(|source| &**source).collect();
            headers.insert(SOURCES, header_value(&sources.join(", ")));
        }
    }

    /// The request ended well.
    pub(crate) fn finish(&mut self, end: Option<&End>) {
        self.end(200, None, end);
    }

    /// The client was told what would be done with its request. That is logged, but no request to be counted.
    pub(crate) fn show(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.log(200, None, None, self.started.elapsed());
        }
    }

    /// The connection is another protocol's from now on.
    pub(crate) fn switch(&mut self) {
        self.end(StatusCode::SWITCHING_PROTOCOLS.as_u16(), None, None);
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
        self.count(failure, took);
        if let Some(failure) = failure.filter(|failure| failure.code().blame() != Blame::Client) {
            let (code, causes) = (failure.code().as_str(), failure.causes());
            let words = failure.loggable();
            tracing::warn!(request_id = %self.arrival.id, code, causes, "a request failed: {words}");
        }
        self.log(status, failure, end, took);
    }

    fn log(&self, status: u16, failure: Option<&Failure>, end: Option<&End>, took: Duration) {
        let (method, path) = self.arrival.asked(self.method, self.path);
        let usage = end.and_then(|end| end.usage);
        self.door.shared.parts.access.write(&AccessLine {
            request_id: self.arrival.id.encode(&mut [0; 36]),
            caller_id: self.arrival.caller_id.as_deref(),
            session_id: self.session.as_deref(),
            client: self.arrival.client.as_ref().map(|client| &*client.shown),
            method,
            path,
            model: &self.model,
            worker: self.head.as_ref().map(|head| &*head.worker),
            tier: self.head.as_ref().and_then(|head| head.tier_name()),
            degraded: self.head.as_ref().and_then(|head| head.degraded_name()),
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

    fn count(&self, failure: Option<&Failure>, took: Duration) {
        let metrics = &self.door.shared.parts.metrics;
        let ending = Ending {
            path: self.path,
            model: self.listed(),
            worker: self.head.as_ref().map_or(NONE, |head| &*head.worker),
            code: failure.map_or("ok", |failure| failure.code().as_str()),
            error_source: source(failure),
        };
        metrics.ended(&ending, took);
        if let Some(overhead) = self.overhead() {
            metrics.added(overhead);
        }
        if let Some(failure) = failure.filter(|_| self.streams) {
            metrics.aborted(failure.code().blame());
        }
    }

    /// The model that was asked for, as a label: one that is listed, or `other`.
    fn listed(&self) -> &str {
        let mut listed = self.door.shared.parts.models.iter().map(|model| model.id.as_str());
        match listed.find(|id| *id == &*self.model) {
            Some(id) => id,
            None if self.model.is_empty() => NONE,
            None => "other",
        }
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

/// As much of a text that a caller chose as the log shows.
fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_SHOWN)).unwrap_or(text)
}

/// The value of a header; characters that headers do not allow become `?`.
fn header_value(text: &str) -> HeaderValue {
    let is_visible = |c: char| c.is_ascii_graphic() || c == ' ';
    match HeaderValue::from_str(text) {
        Ok(value) if text.is_ascii() => value,
        _ => HeaderValue::try_from(text.replace(|c| !is_visible(c), "?")).unwrap_or(HeaderValue::from_static("?")),
    }
}

#[cfg(test)]
mod tests;
