//! What a worker says of a request that it did not answer.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Characters of a worker's error text that are passed on.
const MAX_TEXT: usize = 500;

/// The message in a worker's error body, at most 500 characters; `None` when it has none that can be read. Reads
/// `{"error":{"message":..}}`, `{"error":".."}`, `{"message":".."}` and `{"detail":".."}`.
pub fn read(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
        #[serde(borrow)]
        message: Option<&'a RawValue>,
        #[serde(borrow)]
        detail: Option<&'a RawValue>,
    }
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    body.error
        .and_then(message)
        .or_else(|| body.message.and_then(text))
        .or_else(|| body.detail.and_then(text))
}

/// The message of an error object, or the error itself where it is a text.
pub(crate) fn message(error: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Error<'a> {
        #[serde(borrow)]
        message: &'a RawValue,
    }
    let nested: Option<Error<'_>> = serde_json::from_str(error.get()).ok();
    nested.map_or_else(|| text(error), |error| text(error.message))
}

fn text(value: &RawValue) -> Option<String> {
    let text: Cow<'_, str> = serde_json::from_str(value.get()).ok()?;
    Some(text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect())
}

#[cfg(test)]
mod tests;
