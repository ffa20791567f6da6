//! The plan of a request on a fresh start, without running anything: `explain FILE --request R`.

use crate::{
    OrchestratorError,
    workers::{Workers, default_model},
};
use bytes::Bytes;
use orchestrator_config::Config;
use orchestrator_core::{Capacity, Env, Failure, Priority, Request, Reuse};
use orchestrator_dialect::chat;
use orchestrator_telemetry::Registry;
use serde_json::Value;
use std::{path::Path, time::Duration};
use tokio::time::Instant;

/// Tells which workers the chat request in a file would be sent to, in which order, and why.
///
/// # Errors
/// A file that cannot be read, a body that is no request, or a model that no route serves.
pub(crate) fn plan(config: &Config, file: &Path) -> Result<Value, OrchestratorError> {
    let body = std::fs::read(file).map_err(|source| OrchestratorError::Request {
        file: file.to_owned(),
        source: Box::new(source),
    })?;
    let wrong = |failure: Failure| OrchestratorError::Request {
        file: file.to_owned(),
        source: Box::new(failure),
    };
    let env = Env::system();
    let request = request(config, body.into(), &env).map_err(wrong)?;
    let registry = Registry::new(env!("CARGO_PKG_VERSION"), env.unix_time())?;
    let workers = Workers::build(config, 1, &env, &registry)?;
    workers.routes.plan(&request).map_err(wrong)
}

/// A request as a door takes it in.
fn request(config: &Config, body: Bytes, env: &Env) -> Result<Request, Failure> {
    let parsed = chat::parse_request(body)?;
    let missing = || Failure::invalid("model", "You must provide a model parameter.");
    let model = match parsed.model.is_empty() {
        true => default_model(config).ok_or_else(missing)?,
        false => parsed.model,
    };
    let now = Instant::now();
    let patience = Duration::from_millis(config.server.request_timeout_ms);
    Ok(Request {
        id: env.request_id(),
        model,
        messages: parsed.messages,
        params: parsed.params,
        original: parsed.original,
        stream: parsed.stream,
        priority: Priority::default(),
        session: None,
        reuse: Reuse::default(),
        fingerprint: None,
        deadline: now.checked_add(patience).unwrap_or(now),
        wanted_by: None,
        chaos: None,
    })
}
