//! The fields of a request's body, checked by name: all that is wrong is told at once.

use crate::problem::Problem;
use bytes::Bytes;
use http::StatusCode;
use orchestrator_core::near;
use serde_json::{Map, Value};
use std::{ops::RangeInclusive, time::Duration};

/// How long an operator may hold a breaker open, in seconds.
const HOLD: RangeInclusive<u64> = 1..=86_400;

/// Findings that are told of one body.
const MOST_FINDINGS: usize = 10;

/// Reads a body that has no fields.
pub(crate) fn nothing(body: &Bytes) -> Result<(), Problem> {
    let findings = strangers(&fields(body)?, &[]);
    match findings.is_empty() {
        true => Ok(()),
        false => Err(wrong(&findings)),
    }
}

/// Reads how long a breaker is to be held open: `{"for_s": 1..86400}`.
pub(crate) fn hold(body: &Bytes) -> Result<Duration, Problem> {
    let fields = fields(body)?;
    let mut findings = strangers(&fields, &["for_s"]);
    let found = fields.get("for_s");
    match found.and_then(Value::as_u64).filter(|held| HOLD.contains(held)) {
        Some(held) if findings.is_empty() => return Ok(Duration::from_secs(held)),
        Some(_) => {}
        None => {
            let (least, most) = (HOLD.start(), HOLD.end());
            let is = found.map_or_else(|| "missing".to_owned(), Value::to_string);
            findings.push(format!(
                "`for_s` is {is:.40}; it takes whole seconds from {least} to {most}."
            ));
        }
    }
    Err(wrong(&findings))
}

/// The fields of a JSON object; an empty body has none.
pub(crate) fn fields(body: &Bytes) -> Result<Map<String, Value>, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(bad("The body is not a JSON object.".to_owned())),
        Err(error) => Err(bad(format!("The body is not JSON: {error}."))),
    }
}

/// What is wrong with fields that are not among `known`.
fn strangers(fields: &Map<String, Value>, known: &[&'static str]) -> Vec<String> {
    let names = fields.keys().filter(|name| !known.contains(&name.as_str()));
    names
        .map(|name| match near(name, known.iter().copied()) {
            Some(near) => format!("`{name:.40}` is unknown; did you mean `{near}`?"),
            None => format!("`{name:.40}` is unknown."),
        })
        .take(MOST_FINDINGS)
        .collect()
}

/// All that is wrong with a body.
pub(crate) fn wrong(findings: &[String]) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, findings.join(" "))
}

#[cfg(test)]
mod tests;
