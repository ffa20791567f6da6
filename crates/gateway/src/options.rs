//! What a request's headers ask of us: the `x-orchestrator-*` family, the same on every face.

use crate::{Chaos, Config};
use http::{HeaderMap, HeaderName, header};
use orchestrator_core::{Code, Failure, Priority, Reuse, Text};
use std::time::Duration;

/// The wishes of one request, or of a WebSocket as the default for its requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) priority: Priority,
    pub(crate) timeout: Duration,
    /// Within what time it would like to be answered.
    pub(crate) latency_budget: Option<Duration>,
    pub(crate) session: Option<Text>,
    pub(crate) reuse: Reuse,
    /// Only tell what would be done.
    pub(crate) dry_run: bool,
    /// The faults that the request shall meet, as it names them.
    pub(crate) chaos: Option<Text>,
}

/// What the names of the headers begin with.
const FAMILY: &str = "x-orchestrator-";
const PRIORITY: HeaderName = HeaderName::from_static("x-orchestrator-priority");
const TIMEOUT: HeaderName = HeaderName::from_static("x-orchestrator-timeout-ms");
const LATENCY_BUDGET: HeaderName = HeaderName::from_static("x-orchestrator-latency-budget-ms");
const SESSION: HeaderName = HeaderName::from_static("x-orchestrator-session-id");
const CACHE: HeaderName = HeaderName::from_static("x-orchestrator-cache-control");
pub(crate) const DRY_RUN: HeaderName = HeaderName::from_static("x-orchestrator-dry-run");
const CHAOS: HeaderName = HeaderName::from_static("x-orchestrator-chaos");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

// === impl Options ===

impl Options {
    /// Reads the headers; a value that is not allowed is the client's fault and named. Who asks for faults, as far as `chaos`
    /// lets them, shares no answer.
    pub(crate) fn read(headers: &HeaderMap, config: &Config, chaos: &Chaos) -> Result<Self, Failure> {
        // Most requests wish for nothing: one look at their names instead of seven searches.
        if !headers.keys().any(|name| name.as_str().starts_with(FAMILY)) {
            let timeout = config.request_timeout();
            return Ok(Options {
                timeout,
                ..Options::default()
            });
        }
        let faults = text(headers, CHAOS)?;
        let checked = faults.map_or(Ok(()), |words| chaos(words));
        checked.map_err(|failure| failure.at(CHAOS.as_str()))?;
        let reuse = text(headers, CACHE)?.map(reuse).transpose()?.unwrap_or_default();
        Ok(Options {
            priority: text(headers, PRIORITY)?.map(priority).transpose()?.unwrap_or_default(),
            timeout: millis(headers, (TIMEOUT, "timeout"))?
                .unwrap_or(Duration::MAX)
                .min(config.request_timeout()),
            latency_budget: millis(headers, (LATENCY_BUDGET, "latency budget"))?,
            session: text(headers, SESSION)?.map(session).transpose()?,
            reuse: if faults.is_some() { Reuse::Never } else { reuse },
            dry_run: text(headers, DRY_RUN)?.map(dry_run).transpose()?.unwrap_or_default(),
            chaos: faults.map(Text::from),
        })
    }
}

/// The caller's name for the request, to be echoed; one that is too long or cannot be shown is passed over.
pub(crate) fn caller_id(headers: &HeaderMap) -> Option<Text> {
    let id = text(headers, REQUEST_ID).ok()??;
    (1..=128).contains(&id.len()).then(|| id.into())
}

/// Reads the name of a lane.
pub(crate) fn priority(value: &str) -> Result<Priority, Failure> {
    let wrong = || {
        Failure::invalid(
            PRIORITY.as_str(),
            format!("`{}` is no priority: use high, normal or low.", shown(value)),
        )
    };
    Priority::parse(value).ok_or_else(wrong)
}

/// Reads the name of a session.
pub(crate) fn session(value: &str) -> Result<Text, Failure> {
    if value.is_empty() || value.len() > 256 {
        return Err(Failure::invalid(
            SESSION.as_str(),
            "A session id has 1 to 256 characters.",
        ));
    }
    Ok(value.into())
}

/// Reads a time; `what` says in a failure what it is for.
fn millis(headers: &HeaderMap, (name, what): (HeaderName, &str)) -> Result<Option<Duration>, Failure> {
    let Some(value) = text(headers, name.clone())? else {
        return Ok(None);
    };
    let millis = value.parse::<u64>().ok().filter(|millis| *millis > 0);
    let wrong = || format!("`{}` is no {what}: use whole milliseconds above 0.", shown(value));
    let millis = millis.ok_or_else(|| Failure::invalid(name.as_str(), wrong()))?;
    Ok(Some(Duration::from_millis(millis)))
}

fn reuse(value: &str) -> Result<Reuse, Failure> {
    match value {
        "no-store" => Ok(Reuse::Never),
        "no-cache" => Ok(Reuse::Fresh),
        _ => {
            let wrong = format!("`{}` is no cache control: use no-store or no-cache.", shown(value));
            Err(Failure::invalid(CACHE.as_str(), wrong))
        }
    }
}

fn dry_run(value: &str) -> Result<bool, Failure> {
    let wrong = || format!("`{}` is neither true nor false.", shown(value));
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Failure::invalid(DRY_RUN.as_str(), wrong())),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Failure> {
    let Some(value) = headers.get(&name) else {
        return Ok(None);
    };
    let visible = value
        .to_str()
        .map_err(|_| Failure::invalid(name.as_str(), "The header holds bytes that are not visible ASCII."))?;
    Ok(Some(visible.trim()))
}

/// The beginning of a value, for an error text.
fn shown(value: &str) -> String {
    value.chars().take(40).collect()
}

/// Refuses a body that is not declared as plain JSON. No declaration at all is taken for JSON.
pub(crate) fn expect_json(headers: &HeaderMap) -> Result<(), Failure> {
    let refused = |text| Failure::new(Code::UnsupportedMediaType, text);
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(refused(
            "The body must not be compressed: leave out the header `content-encoding`.",
        ));
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json") {
        return Ok(());
    }
    Err(refused(
        "The body must be JSON: send the header `content-type: application/json`.",
    ))
}

#[cfg(test)]
mod tests;
