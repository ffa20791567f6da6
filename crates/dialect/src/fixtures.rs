//! What the tests of this crate share: requests, answers, and chunks in words.

use crate::{
    Protocol,
    chat::{Collector, EventWriter, parse_request},
    reader::Reader,
};
use bytes::Bytes;
use orchestrator_core::{
    Chunk, Delta, End, Failure, FinishReason, Head, Kind, Priority, Prompt, Request, RequestId, Reuse, Tier, Usage,
};
use serde_json::Value;
use tokio::time::Instant;

pub(crate) fn id() -> RequestId {
    RequestId::parse("req_0190b0c7a1f27c3d8e4f5a6b7c8d9e0f").unwrap()
}

/// What a worker says that gives its answer the id `id`.
pub(crate) fn head(id: &'static str) -> Head {
    Head {
        worker: "w".into(),
        tier: Tier::Primary,
        degraded: None,
        id: id.into(),
        model: "m-1".into(),
        created: 1_700_000_000,
        attempts: 1,
        grounding: Vec::new(),
        waited: std::time::Duration::ZERO,
    }
}

pub(crate) fn end(finish: FinishReason, usage: Option<Usage>) -> End {
    End {
        finish,
        usage,
        cut: false,
    }
}

pub(crate) const USAGE: Usage = Usage {
    prompt_tokens: 9,
    completion_tokens: 4,
    cached_tokens: 3,
    reasoning_tokens: 1,
};

/// A request as the line hands it to a worker.
pub(crate) fn prompt(body: &str) -> Prompt {
    let parsed = parse_request(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    Prompt {
        request: Box::new(Request {
            id: id(),
            model: parsed.model,
            messages: parsed.messages,
            params: parsed.params,
            original: parsed.original,
            stream: parsed.stream,
            priority: Priority::Normal,
            session: None,
            reuse: Reuse::Allowed,
            fingerprint: None,
            deadline: Instant::now(),
            wanted_by: None,
            chaos: None,
        }),
        rewritten: false,
        grounding: Vec::new(),
        limit: None,
    }
}

/// All that a reader makes of the pieces of a stream, to its end.
pub(crate) fn read<'a>(
    protocol: Protocol,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Chunk>, Result<(), Failure>) {
    let mut reader = Reader::new(protocol);
    let mut chunks = Vec::new();
    for piece in pieces {
        if let Err(failure) = reader.feed(piece, &mut chunks) {
            return (chunks, Err(failure));
        }
    }
    let ended = if reader.is_over() { Ok(()) } else { reader.end() };
    (chunks, ended)
}

/// The same, of a stream that comes in one piece and is known to be good.
pub(crate) fn read_good(protocol: Protocol, stream: &str) -> Vec<Chunk> {
    let (chunks, ended) = read(protocol, [stream.as_bytes()]);
    ended.unwrap();
    chunks
}

/// How a stream failed.
pub(crate) fn read_bad(protocol: Protocol, stream: &str) -> Failure {
    read(protocol, [stream.as_bytes()]).1.unwrap_err()
}

/// Server-sent events of some JSON texts.
pub(crate) fn sse(events: &[&str]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// A Chat stream of some JSON texts, with its end.
pub(crate) fn chat_stream(events: &[&str]) -> String {
    sse(events) + "data: [DONE]\n\n"
}

/// Chunks in words, a line for each.
pub(crate) fn show(chunks: &[Chunk]) -> String {
    let line = |chunk: &Chunk| {
        let deltas: Vec<String> = chunk.deltas.iter().map(show_delta).collect();
        format!(
            "{}\n",
            if deltas.is_empty() {
                "-".to_owned()
            } else {
                deltas.join(" | ")
            }
        )
    };
    chunks.iter().map(line).collect()
}

fn show_delta(delta: &Delta) -> String {
    let said = match &delta.kind {
        Kind::Text(text) => format!("text {text:?}"),
        Kind::Reasoning(text) => format!("reasoning {text:?}"),
        Kind::Refusal(text) => format!("refusal {text:?}"),
        Kind::ToolCall {
            index,
            id,
            name,
            arguments,
        } => {
            let (id, name) = (id.as_deref().unwrap_or("-"), name.as_deref().unwrap_or("-"));
            format!("call[{index}] {id} {name} {arguments:?}")
        }
        Kind::Finish(reason) => format!("finish {}", reason.as_str()),
        Kind::Usage(usage) => format!(
            "usage {}+{} cached {} reasoning {}",
            usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens
        ),
    };
    match delta.choice {
        0 => said,
        choice => format!("#{choice} {said}"),
    }
}

/// The events that a writer makes of chunks.
pub(crate) fn write(head: &Head, chunks: &[Chunk], end: Option<End>, include_usage: bool) -> Vec<String> {
    let mut writer = EventWriter::new(id(), 1_600_000_000, include_usage);
    let mut events = Vec::new();
    let mut emit = |event: &[u8]| events.push(String::from_utf8(event.to_vec()).unwrap());
    for chunk in chunks {
        writer.write(head, chunk, &mut emit);
    }
    if let Some(end) = end {
        writer.end(head, &end, &mut emit);
    }
    events
}

/// The whole answer that a collector makes of chunks.
pub(crate) fn collect(head: &Head, chunks: &[Chunk], end: End) -> Value {
    let mut collector = Collector::new(id(), 1_600_000_000);
    chunks.iter().cloned().for_each(|chunk| collector.push(&chunk.into()));
    serde_json::from_slice(&collector.finish(head, &end)).unwrap()
}

/// A failure in words: its code, its place and its text.
pub(crate) fn tell(failure: &Failure) -> String {
    let param = failure.param().unwrap_or("-");
    format!("{} at {param}: {}", failure.code().as_str(), failure.public())
}

pub(crate) fn chunk(deltas: impl IntoIterator<Item = Delta>) -> Chunk {
    Chunk {
        event: None,
        deltas: deltas.into_iter().collect(),
    }
}

pub(crate) fn call(index: u32, id: Option<&'static str>, name: Option<&'static str>, arguments: &'static str) -> Kind {
    Kind::ToolCall {
        index,
        id: id.map(Into::into),
        name: name.map(Into::into),
        arguments: arguments.into(),
    }
}
