//! The access log: one line for each request when it has ended, written straight to the sink.

use super::{
    Source,
    line::{Heading, Line, Value, compose},
};
use std::fmt;
use tracing::Level;

/// Writes a line a request. Cheap to clone; writing never blocks.
#[derive(Clone)]
pub struct AccessLog(Option<Source>);

/// What is logged of a request. Nothing in it is content: neither prompt nor answer nor secret; `path` comes without its
/// query.
#[derive(Clone, Copy, Debug)]
pub struct AccessLine<'a> {
    /// Our name for the request.
    pub request_id: &'a str,
    /// The client's name for it.
    pub caller_id: Option<&'a str>,
    /// The client's session.
    pub session_id: Option<&'a str>,
    /// The client's address.
    pub client: Option<&'a str>,
    /// The HTTP method; `WS` for a request on a WebSocket.
    pub method: &'a str,
    /// The path, without its query.
    pub path: &'a str,
    /// The model that the client asked for.
    pub model: &'a str,
    /// The worker that answered.
    pub worker: Option<&'a str>,
    /// The tier that it stands in.
    pub tier: Option<&'a str>,
    /// What stood in for the workers.
    pub degraded: Option<&'a str>,
    /// Where the answer came from.
    pub cache: Option<&'a str>,
    /// Calls that it took.
    pub attempts: u32,
    /// The status of the answer, or the one that it would have had when its head had already gone out.
    pub status: u16,
    /// `ok`, `failed`, `cancelled` or `refused`.
    pub outcome: &'a str,
    /// Why it failed.
    pub error_code: Option<&'a str>,
    /// Whose fault that is.
    pub error_source: Option<&'a str>,
    /// Milliseconds from the request to its first token.
    pub ttft_ms: Option<u64>,
    /// Microseconds from the request to its end.
    pub duration_us: u64,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer.
    pub completion_tokens: Option<u64>,
}

// === impl AccessLog ===

impl AccessLog {
    /// An access log that writes nothing.
    pub fn off() -> Self {
        AccessLog(None)
    }

    pub(super) fn new(source: Option<Source>) -> Self {
        AccessLog(source)
    }

    /// Logs a request that has ended.
    pub fn write(&self, line: &AccessLine<'_>) {
        let Some(source) = &self.0 else { return };
        let heading = Heading {
            time: (source.clock)(),
            level: Level::INFO,
            target: "access",
            message: Value::Text("request"),
        };
        compose(
            source.style,
            &heading,
            |out| line.fill(out),
            |bytes| source.sink.take(bytes),
        );
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("is_on", &self.0.is_some()).finish()
    }
}

// === impl AccessLine ===

impl AccessLine<'_> {
    fn fill(&self, out: &mut Line<'_>) {
        out.field("request_id", Value::Text(self.request_id));
        out.optional("caller_id", self.caller_id);
        out.optional("session_id", self.session_id);
        out.optional("client", self.client);
        out.field("method", Value::Text(self.method));
        out.field("path", Value::Text(self.path));
        out.field("model", Value::Text(self.model));
        out.optional("worker", self.worker);
        out.optional("tier", self.tier);
        out.optional("degraded", self.degraded);
        out.optional("cache", self.cache);
        out.field("attempts", Value::Unsigned(self.attempts.into()));
        out.field("status", Value::Unsigned(self.status.into()));
        out.field("outcome", Value::Text(self.outcome));
        out.optional("error_code", self.error_code);
        out.optional("error_source", self.error_source);
        out.optional("ttft_ms", self.ttft_ms);
        out.field("duration_us", Value::Unsigned(self.duration_us));
        out.optional("prompt_tokens", self.prompt_tokens);
        out.optional("completion_tokens", self.completion_tokens);
    }
}

#[cfg(test)]
mod tests;
