//! What clients ask for, and what the model then says.

use orchestrator_testkit::Script;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// No two prompts of a run are equal unless they are meant to be, so none is answered from another's answer.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// What clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) stream: bool,
    pub(crate) tokens: usize,
    /// Before the first token.
    pub(crate) first_ms: u64,
    /// Between tokens; 0: all at once.
    pub(crate) gap_ms: u64,
}

// === impl Shape ===

impl Shape {
    /// A whole answer of 32 tokens.
    pub(crate) const JSON: Shape = Shape {
        stream: false,
        ..Shape::stream(32, 0)
    };

    pub(crate) const fn stream(tokens: usize, gap_ms: u64) -> Self {
        Shape {
            stream: true,
            tokens,
            first_ms: 0,
            gap_ms,
        }
    }

    pub(crate) fn name(self) -> String {
        match self {
            Shape { stream: false, .. } => "one JSON request".into(),
            Shape { tokens, gap_ms: 0, .. } => format!("{tokens} tokens in a burst"),
            Shape { tokens, gap_ms, .. } => format!("{tokens} tokens {gap_ms} ms apart"),
        }
    }

    /// What the model does.
    pub(crate) fn script(self) -> Script {
        Script {
            tokens: self.tokens,
            first_ms: self.first_ms,
            gap_ms: self.gap_ms,
            ..Script::default()
        }
    }

    /// What the model says in all.
    pub(crate) fn text(self) -> String {
        let piece = Script::default().piece;
        (0..self.tokens)
            .map(|nth| piece.replace("{i}", &nth.to_string()))
            .collect()
    }

    /// The body of a request that is equal to no other.
    pub(crate) fn body(self) -> String {
        let number = ASKED.fetch_add(1, Relaxed);
        let stream = self.stream;
        format!(
            r#"{{"model":"m","stream":{stream},"temperature":0.2,"messages":[{{"role":"system","content":"You answer in one sentence."}},{{"role":"user","content":"What is to be said of the number {number:012}, and why do people who have thought about it for longer than a day say so?"}}]}}"#
        )
    }

    /// A request that is equal to no other.
    pub(crate) fn request(self) -> Vec<u8> {
        post(&self.body())
    }
}

/// A call with this body.
pub(crate) fn post(body: &str) -> Vec<u8> {
    written("host: server\r\ncontent-type: application/json\r\n", body)
}

/// A call with these headers, each of which ends its line.
pub(crate) fn written(headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST /v1/chat/completions HTTP/1.1\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_names_itself_and_knows_what_the_model_says() {
        let shapes = [Shape::JSON, Shape::stream(32, 0), Shape::stream(512, 20)];
        let names = ["one JSON request", "32 tokens in a burst", "512 tokens 20 ms apart"];
        assert_eq!(shapes.map(Shape::name), names);
        assert_eq!(Shape::stream(3, 0).text(), "tok0 tok1 tok2 ");
    }

    #[test]
    fn requests_differ_and_have_their_length() {
        let (one, other) = (Shape::JSON.body(), Shape::JSON.body());
        assert_ne!(one, other);
        let request = String::from_utf8(post("{}")).unwrap();
        assert!(request.ends_with("content-length: 2\r\n\r\n{}"), "{request}");
    }
}
