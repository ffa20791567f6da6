//! What the benchmarks of the request path work on.

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt};
use orchestrator_core::{
    Answer, AnswerWriter, Blocking, Chunk, Cx, Head, Ledger, Live, Priority, Request, RequestId, Tier, answer,
};
use orchestrator_dedup::Dedup;
use orchestrator_dialect::{Protocol, chat::EventWriter, reader::Reader};
use orchestrator_stream::sse;
use orchestrator_testkit::chat;
use prometheus::Registry;
use tokio::time::{Duration, Instant};

/// The chunks of one answer: a role, 32 tokens, the finish.
pub const CHUNKS: usize = 34;

/// The body of a chat request of about `bytes` bytes.
pub fn body(bytes: usize) -> Bytes {
    let mut text = "Rivers carry boats, and bridges carry those who have none. ".repeat(bytes / 59 + 1);
    text.truncate(bytes);
    let user = format!(r#"{{"role":"user","content":"{text}"}}"#);
    Bytes::from(format!(
        r#"{{"model":"m","stream":true,"temperature":0,"messages":[{user}]}}"#
    ))
}

/// The body of a short question, as many ask it.
pub fn short() -> Bytes {
    let system = r#"{"role":"system","content":"You answer in one sentence."}"#;
    let user = r#"{"role":"user","content":"What is to be said of the number 1009, and why do people who are asked so often say so?"}"#;
    Bytes::from(format!(
        r#"{{"model":"m","stream":false,"temperature":0.2,"messages":[{system},{user}]}}"#
    ))
}

/// A request of about `bytes` bytes before the stage that shares answers, which has not seen it yet.
///
/// # Panics
///
/// If the stage cannot be made.
pub fn shared(bytes: usize) -> (Dedup, Cx, Box<Request>) {
    before_dedup(body(bytes))
}

/// A short request before that stage.
///
/// # Panics
///
/// If the stage cannot be made.
pub fn short_shared() -> (Dedup, Cx, Box<Request>) {
    before_dedup(short())
}

fn before_dedup(body: Bytes) -> (Dedup, Cx, Box<Request>) {
    let ledger = Ledger::generous();
    let metrics = orchestrator_dedup::Metrics::register(&Registry::new()).expect("a new registry");
    let dedup = Dedup::new(
        Live::fixed(Default::default()),
        ledger.clone(),
        metrics,
        Blocking::new(1),
    );
    let (writer, client) = answer(Instant::now() + Duration::from_secs(60), Priority::Normal, ledger);
    // The client stays, or nobody would want the work.
    std::mem::forget(client);
    let cx = Cx::new(RequestId::mint(0, [0; 10]), writer);
    (dedup, cx, Box::new(chat(body)))
}

/// What a worker sends of an answer of 32 tokens, in one burst.
pub fn events() -> Vec<u8> {
    let mut events = event(r#"{"role":"assistant","content":""}"#, "null");
    (0..32).for_each(|nth| events.extend(token(nth)));
    events.extend(event("{}", r#""stop""#));
    events.extend(b"data: [DONE]\n\n");
    events
}

fn token(nth: usize) -> Vec<u8> {
    event(&format!(r#"{{"content":"tok{nth} "}}"#), "null")
}

fn event(delta: &str, finish: &str) -> Vec<u8> {
    let event = format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\",\
         \"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    );
    event.into_bytes()
}

/// An answer in its middle: what a token passes on its way from a worker's bytes to those for its client, but for the stages
/// and the sockets.
#[derive(Debug)]
pub struct Midway {
    reader: Reader,
    log: AnswerWriter,
    listener: Answer,
    writer: EventWriter,
    head: Head,
    out: BytesMut,
    /// The worker's bytes of the next token.
    next: Vec<u8>,
}

impl Midway {
    /// An answer of which three tokens have passed.
    pub fn new() -> Self {
        let (log, listener) = answer(
            Instant::now() + Duration::from_secs(60),
            Priority::Normal,
            Ledger::generous(),
        );
        let (writer, head, _) = chunks();
        let mut midway = Midway {
            reader: Reader::new(Protocol::Chat),
            log,
            listener,
            writer,
            head,
            out: BytesMut::new(),
            next: Vec::new(),
        };
        for nth in 0..3 {
            midway.next = token(nth);
            drop(midway.pass());
        }
        midway.next = token(3);
        midway
    }

    /// Takes the next token from the worker's bytes into the log, and from there to bytes for the client.
    pub fn pass(&mut self) -> Bytes {
        let mut read = Vec::with_capacity(2);
        let told = self.reader.feed(&self.next, &mut read);
        told.expect("good events");
        self.log.push(read);
        let heard = self.listener.next().now_or_never().flatten();
        for chunk in heard.and_then(Result::ok).unwrap_or_default() {
            self.writer
                .write(&self.head, &chunk, &mut |event| sse::data(&mut self.out, event));
        }
        self.out.split().freeze()
    }
}

impl Default for Midway {
    fn default() -> Self {
        Midway::new()
    }
}

/// The same answer as one body.
pub fn whole() -> Bytes {
    let text: String = (0..32).map(|nth| format!("tok{nth} ")).collect();
    let choice = format!(
        r#"{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}"#
    );
    let details = r#""prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}"#;
    let usage = format!(r#"{{"prompt_tokens":7,"completion_tokens":32,"total_tokens":39,{details}}}"#);
    Bytes::from(format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[{choice}],"usage":{usage}}}"#
    ))
}

/// The chunks of the burst, and who writes them for a client.
///
/// # Panics
///
/// If the events cannot be read.
pub fn chunks() -> (EventWriter, Head, Vec<Chunk>) {
    let mut chunks = Vec::new();
    Reader::new(Protocol::Chat)
        .feed(&events(), &mut chunks)
        .expect("good events");
    let head = Head {
        worker: "w".into(),
        tier: Tier::Primary,
        degraded: None,
        id: "chatcmpl-1".into(),
        model: "m".into(),
        created: 1_700_000_000,
        attempts: 1,
        grounding: Vec::new(),
        waited: Duration::ZERO,
    };
    let writer = EventWriter::new(RequestId::mint(0, [0; 10]), 1_700_000_000, false);
    (writer, head, chunks)
}

#[cfg(test)]
mod tests;
