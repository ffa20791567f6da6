//! What holds for all streams: how they were cut does not matter, nothing is lost between equal dialects, an answer says the
//! same streamed and whole, and no bytes make a reader panic.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a fault in here shall end the test"
)]

use bytes::Bytes;
use orchestrator_core::{Chunk, Delta, End, Failure, FinishReason, Head, Kind, RequestId, Tier};
use orchestrator_dialect::{
    Protocol,
    chat::{Collector, EventWriter},
    reader::Reader,
    whole,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What a worker says, in the order in which it says it.
#[derive(Clone, Debug)]
enum Said {
    Text(String),
    Reasoning(String),
    /// Of the call with this index; one that is new begins it.
    Call(u32, String),
}

/// How a stream is written: what may stand between events without meaning anything.
#[derive(Clone, Debug)]
struct Manner {
    line_end: &'static str,
    space: &'static str,
    noise: Vec<&'static str>,
    marked: bool,
    cuts: Vec<usize>,
}

const ALL: [Protocol; 3] = [Protocol::Chat, Protocol::Messages, Protocol::Ollama];

fn said() -> impl Strategy<Value = Vec<Said>> {
    let one = prop_oneof![
        4 => "[a-zü\"\\\\\n😀 ]{1,8}".prop_map(Said::Text),
        2 => "[a-zü ]{1,8}".prop_map(Said::Reasoning),
        1 => (0_u32..3, "[a-z]{0,5}").prop_map(|(index, arguments)| Said::Call(index, arguments)),
    ];
    proptest::collection::vec(one, 0..12)
}

fn manner() -> impl Strategy<Value = Manner> {
    let noise = prop_oneof![
        Just(""),
        Just(": ping\n\n"),
        Just("event: message\n"),
        Just("id: 7\n"),
        Just("retry: 3\n\n"),
        Just("\n"),
    ];
    (
        prop_oneof![Just("\n"), Just("\r"), Just("\r\n")],
        prop_oneof![Just(""), Just(" ")],
        proptest::collection::vec(noise, 1..6),
        any::<bool>(),
        proptest::collection::vec(0_usize..4000, 0..12),
    )
        .prop_map(|(line_end, space, noise, marked, cuts)| Manner {
            line_end,
            space,
            noise,
            marked,
            cuts,
        })
}

/// The events of a Chat stream.
fn chat_events(said: &[Said]) -> Vec<String> {
    let event = |delta: Value, finish: Value| {
        json!({"id": "c1", "created": 5, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
            .to_string()
    };
    let mut begun = Vec::new();
    let mut events = vec![event(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend(said.iter().map(|said| {
        let delta = match said {
            Said::Text(text) => json!({ "content": text }),
            Said::Reasoning(text) => json!({ "reasoning_content": text }),
            Said::Call(index, arguments) if begun.contains(index) => {
                json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]})
            }
            Said::Call(index, arguments) => {
                begun.push(*index);
                let function = json!({"name": format!("f{index}"), "arguments": arguments});
                json!({"tool_calls": [{"index": index, "id": format!("c{index}"), "type": "function", "function": function}]})
            }
        };
        event(delta, Value::Null)
    }));
    events.push(event(json!({}), json!("stop")));
    events.push(
        json!({"id": "c1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
            .to_string(),
    );
    events
}

/// The same answer as one body.
fn chat_whole(said: &[Said]) -> Value {
    let (mut content, mut reasoning) = (String::new(), String::new());
    let mut calls: Vec<(u32, String)> = Vec::new();
    for said in said {
        match said {
            Said::Text(text) => content.push_str(text),
            Said::Reasoning(text) => reasoning.push_str(text),
            Said::Call(index, arguments) => match calls.iter_mut().find(|(known, _)| known == index) {
                Some((_, all)) => all.push_str(arguments),
                None => calls.push((*index, arguments.clone())),
            },
        }
    }
    calls.sort();
    let calls: Vec<Value> = calls
        .into_iter()
        .map(|(index, arguments)| {
            json!({"id": format!("c{index}"), "type": "function", "function": {"name": format!("f{index}"), "arguments": arguments}})
        })
        .collect();
    let mut message = json!({"role": "assistant", "content": content, "refusal": null});
    if content.is_empty() && !calls.is_empty() {
        message["content"] = Value::Null;
    }
    if !reasoning.is_empty() {
        message["reasoning_content"] = reasoning.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    json!({
        "id": "c1", "object": "chat.completion", "created": 5, "model": "m",
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"}],
    })
}

/// The events of a Messages stream that says the texts.
fn messages_events(said: &[Said]) -> Vec<String> {
    let mut events = vec![json!({"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 3}}})];
    for said in said {
        let delta = match said {
            Said::Text(text) => json!({"type": "text_delta", "text": text}),
            Said::Reasoning(text) => json!({"type": "thinking_delta", "thinking": text}),
            Said::Call(..) => json!({"type": "signature_delta", "signature": "x"}),
        };
        events.push(json!({"type": "content_block_delta", "index": 0, "delta": delta}));
        events.push(json!({"type": "ping"}));
    }
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}}));
    events.push(json!({"type": "message_stop"}));
    events.iter().map(Value::to_string).collect()
}

/// The lines of an Ollama stream.
fn ollama_lines(said: &[Said]) -> Vec<String> {
    let mut lines: Vec<Value> = said
        .iter()
        .map(|said| match said {
            Said::Text(text) => json!({"message": {"content": text}, "done": false}),
            Said::Reasoning(text) => json!({"message": {"content": "", "thinking": text}, "done": false}),
            Said::Call(index, _) => {
                json!({"message": {"tool_calls": [{"function": {"name": format!("f{index}"), "arguments": {"i": index}}}]}, "done": false})
            }
        })
        .collect();
    lines.push(json!({"model": "q", "done": true, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 4}));
    lines.iter().map(Value::to_string).collect()
}

/// A stream as bytes, in some manner that must not matter.
fn stream(protocol: Protocol, said: &[Said], manner: &Manner) -> Vec<u8> {
    let mut noise = manner.noise.iter().cycle();
    let mut stream = String::new();
    match protocol {
        Protocol::Ollama => ollama_lines(said).iter().for_each(|line| stream.extend([line, "\n"])),
        Protocol::Chat | Protocol::Messages => {
            let events = match protocol {
                Protocol::Messages => messages_events(said),
                _ => chat_events(said),
            };
            for event in events {
                stream.extend([*noise.next().unwrap(), "data:", manner.space, &event, "\n\n"]);
            }
            stream.push_str(if protocol == Protocol::Chat {
                "data: [DONE]\n\n"
            } else {
                ""
            });
        }
    }
    let mark = if manner.marked { "\u{feff}" } else { "" };
    format!("{mark}{}", stream.replace('\n', manner.line_end)).into_bytes()
}

fn cut<'a>(bytes: &'a [u8], manner: &Manner) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = manner.cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn read(protocol: Protocol, pieces: &[&[u8]]) -> (Vec<Chunk>, Result<(), Failure>) {
    let mut reader = Reader::new(protocol);
    let mut chunks = Vec::new();
    let fed = pieces.iter().try_for_each(|piece| reader.feed(piece, &mut chunks));
    (chunks, fed.and_then(|()| reader.end()))
}

fn head() -> Head {
    Head {
        worker: "w".into(),
        tier: Tier::Primary,
        degraded: None,
        id: "c1".into(),
        model: "m".into(),
        created: 5,
        attempts: 1,
        grounding: Vec::new(),
        waited: std::time::Duration::ZERO,
    }
}

fn id() -> RequestId {
    RequestId::parse("req_0190b0c7a1f27c3d8e4f5a6b7c8d9e0f").unwrap()
}

/// How an answer ended, as the line finds it out.
fn end(chunks: &[Chunk]) -> End {
    let deltas = || chunks.iter().flat_map(|chunk| &chunk.deltas);
    let usage = deltas().filter_map(|delta| match delta.kind {
        Kind::Usage(usage) => Some(usage),
        _ => None,
    });
    End {
        finish: FinishReason::Stop,
        usage: usage.last(),
        cut: false,
    }
}

fn write(chunks: &[Chunk], include_usage: bool) -> Vec<String> {
    let mut writer = EventWriter::new(id(), 0, include_usage);
    let mut events = Vec::new();
    let mut emit = |event: &[u8]| events.push(String::from_utf8(event.to_vec()).unwrap());
    chunks.iter().for_each(|chunk| writer.write(&head(), chunk, &mut emit));
    writer.end(&head(), &end(chunks), &mut emit);
    events
}

fn collect(chunks: &[Chunk]) -> Value {
    let mut collector = Collector::new(id(), 0);
    chunks.iter().cloned().for_each(|chunk| collector.push(&chunk.into()));
    serde_json::from_slice(&collector.finish(&head(), &end(chunks))).unwrap()
}

/// The chunks without the events that they came in, as a filter leaves them.
fn bare(chunks: &[Chunk]) -> Vec<Chunk> {
    let bare = |chunk: &Chunk| Chunk {
        event: None,
        deltas: chunk.deltas.clone(),
    };
    chunks.iter().map(bare).collect()
}

fn without_usage(mut body: Value) -> Value {
    body.as_object_mut().unwrap().remove("usage");
    body
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn how_a_stream_was_cut_and_written_does_not_matter(said in said(), manner in manner()) {
        let plain = Manner { line_end: "\n", space: " ", noise: vec![""], marked: false, cuts: Vec::new() };
        for protocol in ALL {
            let (expected, ended) = read(protocol, &[&stream(protocol, &said, &plain)]);
            prop_assert_eq!(ended, Ok(()));
            let bytes = stream(protocol, &said, &manner);
            let (chunks, ended) = read(protocol, &cut(&bytes, &manner));
            prop_assert_eq!(ended, Ok(()));
            prop_assert_eq!(chunks, expected);
        }
    }

    #[test]
    fn between_equal_dialects_every_event_passes_byte_for_byte(said in said(), manner in manner()) {
        let bytes = stream(Protocol::Chat, &said, &manner);
        let (chunks, ended) = read(Protocol::Chat, &cut(&bytes, &manner));
        prop_assert_eq!(ended, Ok(()));
        let mut expected = chat_events(&said);
        prop_assert_eq!(&write(&chunks, true), &expected);
        expected.pop();
        prop_assert_eq!(&write(&chunks, false), &expected);
    }

    #[test]
    fn a_collected_stream_says_what_the_whole_answer_says(said in said(), manner in manner()) {
        let bytes = stream(Protocol::Chat, &said, &manner);
        let (chunks, _) = read(Protocol::Chat, &cut(&bytes, &manner));
        prop_assert_eq!(without_usage(collect(&chunks)), chat_whole(&said));
        let whole = Bytes::from(chat_whole(&said).to_string());
        let (_, chunk) = whole::read(Protocol::Chat, &whole).unwrap();
        prop_assert_eq!(collect(std::slice::from_ref(&chunk)), chat_whole(&said));
        prop_assert_eq!(collect(&bare(&[chunk])), chat_whole(&said));
    }

    /// What is rendered must be read back as what was said, by a reader of the same dialect.
    #[test]
    fn rendered_events_say_what_the_deltas_say(said in said(), manner in manner(), include_usage in any::<bool>()) {
        for protocol in ALL {
            let (chunks, _) = read(protocol, &cut(&stream(protocol, &said, &manner), &manner));
            let events = write(&bare(&chunks), include_usage);
            let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
            let (read_back, ended) = read(Protocol::Chat, &[stream.as_bytes()]);
            prop_assert_eq!(ended, Ok(()));
            prop_assert_eq!(without_usage(collect(&read_back)), without_usage(collect(&bare(&chunks))));
            prop_assert_eq!(end(&read_back).usage.is_some(), include_usage);
        }
    }

    #[test]
    fn rendered_events_keep_what_clients_rely_on(said in said(), manner in manner(), include_usage in any::<bool>()) {
        for protocol in ALL {
            let (chunks, _) = read(protocol, &cut(&stream(protocol, &said, &manner), &manner));
            let events: Vec<Value> = write(&bare(&chunks), include_usage).iter().map(|event| serde_json::from_str(event).unwrap()).collect();
            for event in &events {
                prop_assert_eq!(&event["object"], "chat.completion.chunk");
                prop_assert_eq!((&event["id"], &event["model"], &event["created"]), (&json!("c1"), &json!("m"), &json!(5)));
                prop_assert_eq!(event.get("usage").is_some(), include_usage);
                for call in event["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
                    prop_assert!(call["index"].is_u64());
                }
            }
            let with_choices = events.iter().filter(|event| event["choices"] != json!([]));
            let roles: Vec<bool> = with_choices.clone().map(|event| event["choices"][0]["delta"].get("role").is_some()).collect();
            prop_assert!(roles[0] && roles[1..].iter().all(|role| !role), "{:?}", roles);
            let finishes: Vec<&Value> = with_choices.map(|event| &event["choices"][0]).filter(|choice| !choice["finish_reason"].is_null()).collect();
            prop_assert_eq!(finishes.len(), 1);
            prop_assert_eq!(&finishes[0]["delta"], &json!({}));
            prop_assert_eq!(events.last().unwrap()["choices"] == json!([]), include_usage);
        }
    }

    #[test]
    fn a_stream_that_breaks_off_before_its_finish_is_no_good_end(said in said(), manner in manner(), at in any::<prop::sample::Index>()) {
        for protocol in ALL {
            let bytes = stream(protocol, &said, &manner);
            let at = at.index(bytes.len());
            let (chunks, ended) = read(protocol, &[&bytes[..at]]);
            let finished = chunks.iter().flat_map(|chunk| &chunk.deltas).any(|delta: &Delta| matches!(delta.kind, Kind::Finish(_)));
            prop_assert_eq!(ended.is_ok(), finished);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        said in said(),
        manner in manner(),
        breaks in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for protocol in ALL {
            let mut broken = stream(protocol, &said, &manner);
            for (at, with) in &breaks {
                let at = at.index(broken.len());
                broken[at] = *with;
            }
            for bytes in [&bytes, &broken] {
                let (chunks, ended) = read(protocol, &cut(bytes, &manner));
                // Whatever came of it can be written.
                let _ = (write(&chunks, true), collect(&chunks), ended.is_ok());
            }
        }
    }
}
