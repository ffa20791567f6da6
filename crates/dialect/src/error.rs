//! What a worker says of a request that it did not answer, or stopped answering.

use crate::json::Str;
use orchestrator_core::{Code, Failure};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Characters of a worker's error text that are passed on.
const MAX_TEXT: usize = 500;

/// An error body of any of the protocols, or the error in it.
#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
}

/// The message in a worker's error body, at most 500 characters; `None` when it has none that can be read. Reads
/// `{"error":{"message":..}}`, `{"error":".."}`, `{"message":".."}` and `{"detail":".."}`, which are the ways of all protocols.
pub fn read(body: &[u8]) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    innermost(body).and_then(|error| message(&error)).or_else(|| text(body))
}

/// The failure that an error in the place of an event or of an answer means; `error` is the error's object, or its text, or
/// an object around either.
pub(crate) fn failure(error: &str) -> Failure {
    let body = innermost(error).unwrap_or_default();
    let said = message(&body).or_else(|| text(error));
    let code = classify(&body);
    let text = match (code, said) {
        (Code::UpstreamCredentials, _) => "The worker refused the server's credentials.".to_owned(),
        (_, Some(said)) => format!("The worker reports an error: {said}"),
        (_, None) => "The worker reports an error without a text.".to_owned(),
    };
    Failure::new(code, text)
}

/// The error's object: `error` itself, or what its field `error` holds. `None` for anything but an object.
fn innermost(error: &str) -> Option<Body<'_>> {
    let body: Body<'_> = serde_json::from_str(error).ok()?;
    let inner = body.error.and_then(|inner| serde_json::from_str(inner.get()).ok());
    Some(inner.unwrap_or(body))
}

fn message(body: &Body<'_>) -> Option<String> {
    let values = [body.message, body.error, body.detail];
    values.into_iter().flatten().find_map(|value| text(value.get()))
}

fn text(value: &str) -> Option<String> {
    let text: Str<'_> = serde_json::from_str(value).ok()?;
    let text: String = text.get().chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    (!text.is_empty()).then_some(text)
}

/// What the error's `type` and `code` mean, in the words of all protocols; `code` is a status at some.
fn classify(body: &Body<'_>) -> Code {
    let word = |value: Option<&'_ RawValue>| value.map(|value| value.get().trim_matches('"').to_owned());
    let words = [word(body.code), word(body.kind)];
    let known = words.iter().flatten().find_map(|word| match &**word {
        "context_length_exceeded" | "exceed_context_size_error" => Some(Code::ContextLengthExceeded),
        "rate_limit_error" | "rate_limit_exceeded" | "429" => Some(Code::RateLimited),
        "authentication_error" | "permission_error" | "invalid_api_key" | "401" | "403" => {
            Some(Code::UpstreamCredentials)
        }
        "invalid_request_error" | "not_found_error" | "BadRequestError" | "400" | "404" | "422" => {
            Some(Code::UpstreamRejected)
        }
        _ => None,
    });
    known.unwrap_or(Code::UpstreamError)
}

/// A worker's bytes that are no answer of its protocol. The parser's own text may quote the answer, so that only its place
/// is passed on.
pub(crate) fn unreadable(error: &serde_json::Error) -> Failure {
    let place = format!("line {}, column {}", error.line(), error.column());
    Failure::new(
        Code::UpstreamProtocol,
        format!("The worker sent JSON that its protocol does not know ({place})."),
    )
}

/// An answer that ended before its finish.
pub(crate) fn truncated(text: &'static str) -> Failure {
    Failure::new(Code::UpstreamTruncated, text)
}

#[cfg(test)]
mod tests;
