//! Valid requests without ado, and what an answer said.

use bytes::Bytes;
use futures_util::StreamExt;
use orchestrator_core::{
    Answer, Chunk, Cx, Dialect, End, Failure, Field, Kind, Ledger, Message, Original, Params, Priority, Prompt,
    Request, RequestId, Reuse, Role, Text, answer,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use smallvec::{SmallVec, smallvec};
use std::{
    borrow::{Borrow, Cow},
    fmt,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::Instant;

static MINTED: AtomicU64 = AtomicU64::new(1);

/// A request with one user turn that says `text`: model `test`, no stream, normal priority, ten minutes to live.
pub fn request(text: &str) -> Request {
    let text = serde_json::to_string(text).expect("a string is JSON");
    chat(format!(
        r#"{{"model":"test","messages":[{{"role":"user","content":{text}}}]}}"#
    ))
}

/// The assembled prompt of [`request`].
pub fn prompt(text: &str) -> Prompt {
    Prompt {
        request: Box::new(request(text)),
        rewritten: false,
        grounding: Vec::new(),
        limit: None,
    }
}

/// A request's way through the line, and the client who waits until then.
pub fn cx(until: Instant) -> (Cx, Answer) {
    let (writer, client) = answer(until, Priority::Normal, Ledger::generous());
    (
        Cx::new(RequestId::mint(MINTED.fetch_add(1, Relaxed), [0; 10]), writer),
        client,
    )
}

/// A request with this body in the form of OpenAI's Chat Completions.
///
/// # Panics
/// When the body is no such thing.
pub fn chat(body: impl Into<Bytes>) -> Request {
    let body = body.into();
    let view: View<'_> = serde_json::from_slice(&body).expect("the body of a chat request");
    Request {
        id: RequestId::mint(MINTED.fetch_add(1, Relaxed), [0; 10]),
        model: view.model.as_ref().into(),
        messages: view.messages.iter().map(|raw| message(&body, raw)).collect(),
        params: Params {
            max_tokens: view.max_completion_tokens.or(view.max_tokens),
            temperature: view.temperature,
            choices: view.n,
        },
        original: original(&body),
        stream: view.stream,
        priority: Priority::Normal,
        session: None,
        reuse: Reuse::Allowed,
        fingerprint: None,
        deadline: Instant::now() + Duration::from_secs(600),
        wanted_by: None,
        chaos: None,
    }
}

/// All text of the first choice in these chunks.
pub fn text_of<C: Borrow<Chunk>>(chunks: impl IntoIterator<Item = C>) -> String {
    let mut text = String::new();
    for chunk in chunks {
        for delta in &chunk.borrow().deltas {
            if let (0, Kind::Text(more)) = (delta.choice, &delta.kind) {
                text.push_str(more);
            }
        }
    }
    text
}

/// Listens to the end: the text of the first choice, and how the answer ended.
pub async fn collect(mut answer: Answer) -> Result<(String, End), Failure> {
    let mut text = String::new();
    while let Some(chunks) = answer.next().await {
        text.push_str(&text_of(chunks?.iter().map(|chunk| &**chunk)));
    }
    let end = answer
        .end()
        .expect("an answer that is over without a failure has an end");
    Ok((text, end))
}

#[derive(Deserialize)]
struct View<'a> {
    #[serde(borrow, default = "test_model")]
    model: Cow<'a, str>,
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    temperature: Option<f64>,
    n: Option<u32>,
    #[serde(default)]
    stream: bool,
}

#[derive(Deserialize)]
struct Turn {
    role: String,
    #[serde(default)]
    content: serde_json::Value,
}

/// The top-level fields of an object, each name with its value's JSON.
#[derive(Deserialize)]
#[serde(transparent)]
struct Object<'a>(#[serde(borrow, deserialize_with = "in_order")] Vec<(String, &'a RawValue)>);

fn test_model() -> Cow<'static, str> {
    "test".into()
}

fn message(body: &Bytes, raw: &RawValue) -> Message {
    let turn: Turn = serde_json::from_str(raw.get()).expect("a message");
    let text = |value: &serde_json::Value| value.as_str().map(Text::from);
    let texts: SmallVec<[Text; 1]> = match &turn.content {
        serde_json::Value::Array(parts) => parts.iter().filter_map(|part| text(part.get("text")?)).collect(),
        other => text(other).map_or_else(SmallVec::new, |text| smallvec![text]),
    };
    let role = match &*turn.role {
        "system" | "developer" => Role::System,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => Role::User,
    };
    let raw = body.slice(place(body, raw));
    Message { role, texts, raw }
}

fn original(body: &Bytes) -> Original {
    let Object(fields) = serde_json::from_slice(body).expect("a JSON object");
    let fields = fields.into_iter().map(|(name, value)| Field {
        name: name.into(),
        value: place(body, value),
    });
    Original {
        dialect: Dialect::Chat,
        body: body.clone(),
        fields: fields.collect(),
    }
}

/// Where a value that was borrowed from `body` stands in it.
fn place(body: &Bytes, value: &RawValue) -> Range<usize> {
    let start = value.get().as_ptr().addr() - body.as_ptr().addr();
    start..start + value.get().len()
}

fn in_order<'de: 'a, 'a, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<(String, &'a RawValue)>, D::Error> {
    struct Fields;
    impl<'de> serde::de::Visitor<'de> for Fields {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            std::iter::from_fn(|| map.next_entry().transpose()).collect()
        }
    }
    from.deserialize_map(Fields)
}

#[cfg(test)]
mod tests;
