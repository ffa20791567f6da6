use super::*;
use expect_test::{Expect, expect};
use orchestrator_core::{Code, Degraded, Tier};
use proptest::prelude::*;
use serde_json::Value;

fn chunk(choice: u32, kind: Kind) -> Arc<Chunk> {
    Arc::new(Delta { choice, kind }.into())
}

fn text(choice: u32, text: &str) -> Arc<Chunk> {
    chunk(choice, Kind::Text(text.to_owned().into()))
}

fn reasoning(text: &str) -> Arc<Chunk> {
    chunk(0, Kind::Reasoning(text.to_owned().into()))
}

fn call(name: Option<&'static str>, arguments: &'static str) -> Arc<Chunk> {
    let call = Kind::ToolCall {
        index: 2,
        id: name.map(|_| "call_1".into()),
        name: name.map(Into::into),
        arguments: arguments.into(),
    };
    chunk(0, call)
}

/// The whole frame, for one who named the request so.
fn token(id: &str, seq: usize, chunks: &[Arc<Chunk>]) -> Option<String> {
    let rest = token_rest(seq, chunks);
    let frame = [&token_head(id), &*rest].concat();
    (!rest.is_empty()).then(|| String::from_utf8(frame).unwrap())
}

fn said(chunks: &[Arc<Chunk>]) -> Option<String> {
    token("c1", 17, chunks)
}

#[track_caller]
fn check_token(chunks: &[Arc<Chunk>], expected: Expect) {
    expected.assert_eq(said(chunks).as_deref().unwrap_or("nothing"));
}

#[track_caller]
fn check(frame: Frame<'_>, expected: Expect) {
    let mut out = Vec::new();
    frame.write(&mut out);
    expected.assert_eq(&String::from_utf8(out).unwrap());
}

fn head() -> Head {
    Head {
        worker: "fast".into(),
        tier: Tier::Secondary,
        degraded: None,
        id: "chatcmpl-1".into(),
        model: "m".into(),
        created: 7,
        attempts: 1,
        grounding: Vec::new(),
        waited: std::time::Duration::ZERO,
    }
}

#[test]
fn the_text_of_all_chunks_is_one_string() {
    check_token(
        &[text(0, "He"), text(0, "l\"l"), text(0, "\u{1}o é\n")],
        expect![[r#"{"type":"token","id":"c1","seq":17,"text":"Hel\"l\u0001o é\n"}"#]],
    );
    check_token(
        &[text(0, "one")],
        expect![[r#"{"type":"token","id":"c1","seq":17,"text":"one"}"#]],
    );
}

#[test]
fn an_id_is_escaped() {
    let frame = token("a\"b", 0, &[text(0, "x")]);
    assert_eq!(frame.unwrap(), r#"{"type":"token","id":"a\"b","seq":0,"text":"x"}"#);
}

#[test]
fn chunks_without_news_are_skipped() {
    let role = Arc::new(Chunk::default());
    let usage = chunk(0, Kind::Usage(Usage::default()));
    let finish = chunk(0, Kind::Finish(FinishReason::Stop));
    for chunks in [
        vec![],
        vec![role.clone()],
        vec![usage],
        vec![finish],
        vec![text(0, ""), text(1, ""), reasoning("")],
    ] {
        assert_eq!(said(&chunks), None, "{chunks:?}");
    }
    check_token(
        &[role, text(0, "x")],
        expect![[r#"{"type":"token","id":"c1","seq":17,"text":"x"}"#]],
    );
}

#[test]
fn reasoning_comes_beside_the_text() {
    check_token(
        &[reasoning("let me "), reasoning("see"), text(0, "Yes")],
        expect![[
            r#"{"type":"token","id":"c1","seq":17,"text":"Yes","delta":[{"choice":0,"reasoning":"let me see"}]}"#
        ]],
    );
}

#[test]
fn a_tool_call_comes_piece_by_piece() {
    check_token(
        &[call(Some("find"), ""), call(None, "{\"q\":"), call(None, "1}")],
        expect![[
            r#"{"type":"token","id":"c1","seq":17,"text":"","delta":[{"choice":0,"tool_call":{"index":2,"id":"call_1","name":"find","arguments":""}},{"choice":0,"tool_call":{"index":2,"arguments":"{\"q\":"}},{"choice":0,"tool_call":{"index":2,"arguments":"1}"}}]}"#
        ]],
    );
}

#[test]
fn other_choices_come_beside_the_first_with_their_finish() {
    let refusal = chunk(2, Kind::Refusal("no".into()));
    let finish = chunk(1, Kind::Finish(FinishReason::ContentFilter));
    check_token(
        &[
            text(1, "a"),
            text(1, "b"),
            text(2, "c"),
            text(0, "main"),
            text(1, "d"),
            refusal,
            finish,
        ],
        expect![[
            r#"{"type":"token","id":"c1","seq":17,"text":"main","delta":[{"choice":1,"text":"ab"},{"choice":2,"text":"c"},{"choice":1,"text":"d"},{"choice":2,"refusal":"no"},{"choice":1,"finish_reason":"content_filter"}]}"#
        ]],
    );
}

#[test]
fn all_who_hear_a_chunk_share_the_rest_of_its_frame() {
    let rest = token_rest(3, &[text(0, "x")]);
    assert_eq!(rest, r#""seq":3,"text":"x"}"#.as_bytes());
    for id in ["c", "another \" one"] {
        let frame: Value = serde_json::from_slice(&[&token_head(id), &*rest].concat()).unwrap();
        assert_eq!(
            frame,
            serde_json::json!({ "type": "token", "id": id, "seq": 3, "text": "x" })
        );
    }
}

#[test]
fn a_frame_follows_another_in_the_same_buffer() {
    let mut out = b"before ".to_vec();
    let failure = Failure::new(Code::Overloaded, "Busy.");
    Frame::Error {
        id: None,
        failure: &failure,
    }
    .write(&mut out);
    assert!(out.starts_with(b"before {\"type\""));
}

#[test]
fn accepted_names_the_request_and_its_source() {
    let frame = |cache| Frame::Accepted {
        id: "c1",
        request_id: RequestId::parse("req_018f3d5b7c6a70008000000000000001").unwrap(),
        cache,
    };
    check(
        frame(Cache::Miss),
        expect![[
            r#"{"type":"accepted","id":"c1","request_id":"req_018f3d5b7c6a70008000000000000001","cache":"MISS"}"#
        ]],
    );
    check(
        frame(Cache::Coalesced),
        expect![[
            r#"{"type":"accepted","id":"c1","request_id":"req_018f3d5b7c6a70008000000000000001","cache":"COALESCED"}"#
        ]],
    );
}

#[test]
fn done_tells_how_it_ended_and_who_answered() {
    let usage = Usage {
        prompt_tokens: 3,
        completion_tokens: 4,
        cached_tokens: 1,
        reasoning_tokens: 1,
    };
    let (head, mut end) = (
        head(),
        End {
            finish: FinishReason::Stop,
            usage: Some(usage),
            cut: false,
        },
    );
    check(
        Frame::Done {
            id: "c1",
            end: &end,
            head: Some(&head),
            ttft: Some(Duration::from_micros(12_900)),
        },
        expect![[
            r#"{"type":"done","id":"c1","finish_reason":"stop","usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7},"worker":"fast","tier":"secondary","ttft_ms":12}"#
        ]],
    );
    end.usage = None;
    let degraded = Head {
        degraded: Some(Degraded::Reduced),
        ..head
    };
    check(
        Frame::Done {
            id: "c1",
            end: &end,
            head: Some(&degraded),
            ttft: None,
        },
        expect![[
            r#"{"type":"done","id":"c1","finish_reason":"stop","usage":null,"worker":"fast","tier":null,"degraded":"reduced","ttft_ms":null}"#
        ]],
    );
    check(
        Frame::Done {
            id: "c1",
            end: &end,
            head: None,
            ttft: None,
        },
        expect![[
            r#"{"type":"done","id":"c1","finish_reason":"stop","usage":null,"worker":null,"tier":null,"ttft_ms":null}"#
        ]],
    );
}

#[test]
fn an_error_says_when_to_try_again_if_that_is_known() {
    let failure = Failure::new(Code::Overloaded, "Busy.").with_retry_after(Duration::from_millis(1500));
    check(
        Frame::Error {
            id: Some("c1"),
            failure: &failure,
        },
        expect![[
            r#"{"type":"error","id":"c1","error":{"code":"server_is_overloaded","message":"Busy.","retry_after_ms":1500}}"#
        ]],
    );
    let failure = Failure::invalid("id", "The field `id` is missing.").with_source(std::io::Error::other("secret"));
    check(
        Frame::Error {
            id: None,
            failure: &failure,
        },
        expect![[r#"{"type":"error","error":{"code":"invalid_request","message":"The field `id` is missing."}}"#]],
    );
}

fn any_kind() -> impl Strategy<Value = Kind> {
    let words = "[a-c\"\\\\\n\u{0}é]{0,4}";
    prop_oneof![
        4 => words.prop_map(|text| Kind::Text(text.into())),
        2 => words.prop_map(|text| Kind::Reasoning(text.into())),
        1 => words.prop_map(|text| Kind::Refusal(text.into())),
        1 => words.prop_map(|text| Kind::ToolCall { index: 0, id: None, name: None, arguments: text.into() }),
        1 => Just(Kind::Finish(FinishReason::Stop)),
        1 => Just(Kind::Usage(Usage::default())),
    ]
}

/// All that choice `choice` says in its field `field`, over all frames.
fn heard(frames: &[Value], choice: u64, field: &str) -> String {
    let mut all = String::new();
    for frame in frames {
        if (choice, field) == (0, "text") {
            all.push_str(frame["text"].as_str().unwrap());
        }
        for part in frame["delta"].as_array().into_iter().flatten() {
            let text = if field == "arguments" {
                &part["tool_call"][field]
            } else {
                &part[field]
            };
            if part["choice"] == choice {
                all.push_str(text.as_str().unwrap_or_default());
            }
        }
    }
    all
}

fn written(deltas: &[(u32, Kind)], choice: u32, field: &str) -> String {
    let texts = deltas
        .iter()
        .filter(|delta| delta.0 == choice)
        .map(|(_, kind)| match (kind, field) {
            (Kind::Text(text), "text") | (Kind::Reasoning(text), "reasoning") | (Kind::Refusal(text), "refusal") => {
                &**text
            }
            (Kind::ToolCall { arguments, .. }, "arguments") => arguments,
            _ => "",
        });
    texts.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However a listener falls behind, so however chunks are put into frames, it hears the same.
    #[test]
    fn what_a_client_hears_does_not_depend_on_the_frames(
        deltas in prop::collection::vec((0..3_u32, any_kind()), 0..30),
        size in 1..10_usize,
    ) {
        let chunks: Vec<_> = deltas.iter().map(|(choice, kind)| chunk(*choice, kind.clone())).collect();
        let frames: Vec<Value> = chunks
            .chunks(size)
            .filter_map(said)
            .map(|frame| serde_json::from_str(&frame).expect("each frame is JSON"))
            .collect();
        for choice in 0..3 {
            for field in ["text", "reasoning", "refusal", "arguments"] {
                prop_assert_eq!(heard(&frames, u64::from(choice), field), written(&deltas, choice, field));
            }
        }
    }
}
