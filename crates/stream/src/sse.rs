//! Server-sent events: how an answer is framed over HTTP.
//!
//! Each function appends one whole event or comment, so that anything may follow anything.

use bytes::BytesMut;

/// Appends `payload` as one event. A line break inside it, legal between the tokens of a JSON text, never ends the event
/// early: each line becomes a `data:` line of its own, and readers join them by a line feed.
pub fn data(out: &mut BytesMut, payload: &[u8]) {
    out.reserve(payload.len().saturating_add(b"data: \n\n".len()));
    let mut rest = payload;
    while let Some((line, after)) = split_line(rest) {
        data_line(out, line);
        rest = after;
    }
    data_line(out, rest);
    out.extend_from_slice(b"\n");
}

/// Appends a comment that readers skip. `text` has no line breaks.
pub fn comment(out: &mut BytesMut, text: &str) {
    for part in [": ", text, "\n\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Appends the event that ends a stream of OpenAI's well. It does not follow an error.
pub fn done(out: &mut BytesMut) {
    out.extend_from_slice(b"data: [DONE]\n\n");
}

fn data_line(out: &mut BytesMut, line: &[u8]) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(line);
    out.extend_from_slice(b"\n");
}

/// The first line, without its end, and what follows; `None` for the last one.
fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr2(b'\n', b'\r', text)?;
    let (line, end) = text.split_at_checked(at)?;
    let after = end.strip_prefix(b"\r\n").or_else(|| end.get(1..))?;
    Some((line, after))
}

#[cfg(test)]
mod tests;
