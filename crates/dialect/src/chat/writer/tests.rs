use super::*;
use crate::{
    Protocol,
    fixtures::{USAGE, call, chat_stream, chunk, end, head, read_good, write},
    whole,
};
use bytes::Bytes;
use expect_test::{Expect, expect};
use orchestrator_core::FinishReason::{Length, Stop, ToolCalls};
use serde_json::Value;

const ROLE: &str = r#"{"id":"c1","created":5,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null}"#;
const TEXT: &str = r#"{ "id":"c1","choices":[{"index":0,"delta":{"content":"Hi"},"x":1.10}],"usage":null }"#;
const FINISH: &str = r#"{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#;
const TELLS: &str = r#"{"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}"#;

fn text(text: &'static str) -> Delta {
    Delta::first(Kind::Text(text.into()))
}

fn finish(reason: FinishReason) -> Delta {
    Delta::first(Kind::Finish(reason))
}

/// What the events of a writer say, without what is the same in all.
fn check(events: &[String], expected: Expect) {
    let line = |event: &String| {
        let event: Value = serde_json::from_str(event).unwrap();
        assert_eq!(event["object"], "chat.completion.chunk");
        assert_eq!(event["model"], "m-1");
        let usage = event
            .get("usage")
            .map(|usage| format!(" usage {usage}"))
            .unwrap_or_default();
        let choices: Vec<String> = event["choices"].as_array().unwrap().iter().map(tell).collect();
        format!(
            "{} {}[{}]{usage}\n",
            event["id"].as_str().unwrap(),
            event["created"],
            choices.join(", ")
        )
    };
    expected.assert_eq(&events.iter().map(line).collect::<String>());
}

fn tell(choice: &Value) -> String {
    format!("{} {} {}", choice["index"], choice["delta"], choice["finish_reason"])
}

#[test]
fn events_of_the_same_dialect_pass_byte_for_byte() {
    let chunks = read_good(Protocol::Chat, &chat_stream(&[ROLE, TEXT, FINISH, TELLS]));
    let written = write(&head("c1"), &chunks, Some(end(Stop, Some(USAGE))), true);
    assert_eq!(written, [ROLE, TEXT, FINISH, TELLS]);
}

#[test]
fn usage_that_nobody_asked_for_is_held_back() {
    let chunks = read_good(Protocol::Chat, &chat_stream(&[ROLE, TEXT, FINISH, TELLS]));
    let written = write(&head("c1"), &chunks, Some(end(Stop, Some(USAGE))), false);
    assert_eq!(written, [ROLE, TEXT, FINISH]);
}

#[test]
fn an_event_of_usage_with_choices_passes() {
    // vLLM's continuous usage beside a mere role, and a finish that tells the usage too.
    let role =
        r#"{"choices":[{"index":0,"delta":{"role":"assistant"}}],"usage":{"prompt_tokens":9,"completion_tokens":0}}"#;
    let finish = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4}}"#;
    let chunks = read_good(Protocol::Chat, &chat_stream(&[role, finish]));
    assert_eq!(
        write(&head("c1"), &chunks, Some(end(Stop, Some(USAGE))), false),
        [role, finish]
    );
}

#[test]
fn usage_that_came_with_the_finish_is_told_again_to_who_asked() {
    let last = r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4}}"#;
    let chunks = read_good(Protocol::Chat, &chat_stream(&[last]));
    let written = write(&head("c1"), &chunks, Some(end(Stop, Some(USAGE))), true);
    assert_eq!(written[0], last);
    check(
        &written[1..],
        expect![[r#"
        c1 1700000000[] usage {"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":1}}
    "#]],
    );
}

#[test]
fn an_event_without_a_choice_is_for_those_who_asked_for_the_usage() {
    let filter = r#"{"choices":[],"prompt_filter_results":[{}]}"#;
    let chunks = read_good(Protocol::Chat, &chat_stream(&[filter, TEXT, FINISH]));
    let written = write(&head("c1"), &chunks, Some(end(Stop, None)), false);
    assert_eq!(written, [TEXT, FINISH]);
}

#[test]
fn what_sdks_cannot_read_is_written_so_that_they_can() {
    let call = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}}]}"#;
    let finish = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"eos"}]}"#;
    let usage = r#"{"usage":{"prompt_tokens":9,"completion_tokens":4}}"#;
    let chunks = read_good(Protocol::Chat, &chat_stream(&[call, finish, usage]));
    check(
        &write(&head("c1"), &chunks, Some(end(Stop, Some(USAGE))), true),
        expect![[r#"
        c1 1700000000[0 {"role":"assistant","tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]} null] usage null
        c1 1700000000[0 {} "stop"] usage null
        c1 1700000000[] usage {"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":1}}
    "#]],
    );
}

#[test]
fn a_chunk_without_its_event_is_rendered_as_part_of_the_same_answer() {
    let mut chunks = read_good(Protocol::Chat, &chat_stream(&[ROLE, TEXT, FINISH]));
    chunks[1] = chunk([text("Ho")]);
    let written = write(&head("c1"), &chunks, Some(end(Stop, None)), false);
    assert_eq!((&*written[0], &*written[2]), (ROLE, FINISH));
    assert_eq!(
        written[1],
        r#"{"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"m-1","choices":[{"index":0,"delta":{"content":"Ho"},"logprobs":null,"finish_reason":null}]}"#
    );
}

#[test]
fn the_role_is_said_first_and_once_for_each_choice() {
    let second = |text: &'static str| Delta {
        choice: 1,
        kind: Kind::Text(text.into()),
    };
    let chunks = [
        chunk([text("a"), second("b")]),
        chunk([text("c")]),
        chunk([second("d")]),
        chunk([finish(Stop)]),
        chunk([Delta {
            choice: 1,
            kind: Kind::Finish(Length),
        }]),
    ];
    check(
        &write(&head("c1"), &chunks, Some(end(Stop, None)), false),
        expect![[r#"
            c1 1700000000[0 {"role":"assistant","content":"a"} null]
            c1 1700000000[1 {"role":"assistant","content":"b"} null]
            c1 1700000000[0 {"content":"c"} null]
            c1 1700000000[1 {"content":"d"} null]
            c1 1700000000[0 {} "stop"]
            c1 1700000000[1 {} "length"]
        "#]],
    );
}

#[test]
fn a_whole_answer_is_one_event_of_content_and_one_of_its_finish() {
    let body = r#"{"id":"c1","model":"m-1","created":1700000000,"choices":[{"index":0,"message":{"role":"assistant","content":"Hello.","reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":9,"completion_tokens":4}}"#;
    let (_, whole) = whole::read(Protocol::Chat, &Bytes::from(body)).unwrap();
    let written = write(&head("c1"), &[whole], Some(end(ToolCalls, Some(USAGE))), true);
    check(
        &written,
        expect![[r#"
        c1 1700000000[0 {"role":"assistant","reasoning_content":"hm","content":"Hello.","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]} null] usage null
        c1 1700000000[0 {} "tool_calls"] usage null
        c1 1700000000[] usage {"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":1}}
    "#]],
    );
}

#[test]
fn tool_calls_are_rendered_with_their_indexes() {
    let chunks = [
        chunk([Delta::first(call(0, Some("c0"), Some("f"), ""))]),
        chunk([Delta::first(call(0, None, None, "{}"))]),
        chunk([Delta::first(call(1, Some("c1"), Some("g"), "{}"))]),
        chunk([finish(ToolCalls)]),
    ];
    check(
        &write(&head(""), &chunks, Some(end(ToolCalls, None)), false),
        expect![[r#"
            chatcmpl-0190b0c7a1f27c3d8e4f5a6b7c8d9e0f 1700000000[0 {"role":"assistant","tool_calls":[{"index":0,"id":"c0","type":"function","function":{"name":"f","arguments":""}}]} null]
            chatcmpl-0190b0c7a1f27c3d8e4f5a6b7c8d9e0f 1700000000[0 {"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]} null]
            chatcmpl-0190b0c7a1f27c3d8e4f5a6b7c8d9e0f 1700000000[0 {"tool_calls":[{"index":1,"id":"c1","type":"function","function":{"name":"g","arguments":"{}"}}]} null]
            chatcmpl-0190b0c7a1f27c3d8e4f5a6b7c8d9e0f 1700000000[0 {} "tool_calls"]
        "#]],
    );
}

#[test]
fn an_answer_that_says_nothing_still_begins_and_ends() {
    check(
        &write(&head("c1"), &[chunk([finish(Stop)])], Some(end(Stop, None)), false),
        expect![[r#"
            c1 1700000000[0 {"role":"assistant","content":""} null]
            c1 1700000000[0 {} "stop"]
        "#]],
    );
    check(
        &write(&head("c1"), &[], Some(end(Stop, None)), false),
        expect![[r#"
        c1 1700000000[0 {"role":"assistant","content":""} null]
        c1 1700000000[0 {} "stop"]
    "#]],
    );
}

#[test]
fn an_answer_that_was_cut_by_a_limit_gets_its_finish() {
    let chunks = read_good(Protocol::Chat, &chat_stream(&[ROLE, TEXT, FINISH]));
    let written = write(&head("c1"), &chunks[..2], Some(end(Length, Some(USAGE))), true);
    assert_eq!(written[..2], [ROLE, TEXT]);
    check(
        &written[2..],
        expect![[r#"
        c1 1700000000[0 {} "length"] usage null
        c1 1700000000[] usage {"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":1}}
    "#]],
    );
}

#[test]
fn each_unfinished_choice_of_a_cut_answer_gets_its_finish() {
    let second = Delta {
        choice: 1,
        kind: Kind::Text("b".into()),
    };
    let chunks = [chunk([text("a"), second]), chunk([finish(Stop)])];
    let written = write(&head("c1"), &chunks, Some(end(Length, None)), false);
    check(
        &written[2..],
        expect![[r#"
        c1 1700000000[0 {} "stop"]
        c1 1700000000[1 {} "length"]
    "#]],
    );
}

#[test]
fn ids_and_times_stand_in_where_the_worker_gives_none() {
    let mut own = head("");
    own.created = 0;
    check(
        &write(&own, &[chunk([text("a")])], None, false),
        expect![[r#"
        chatcmpl-0190b0c7a1f27c3d8e4f5a6b7c8d9e0f 1600000000[0 {"role":"assistant","content":"a"} null]
    "#]],
    );
    check(
        &write(&head("msg_01"), &[chunk([text("a")])], None, false),
        expect![[r#"
            chatcmpl-msg_01 1700000000[0 {"role":"assistant","content":"a"} null]
        "#]],
    );
    check(
        &write(&head("gen-7"), &[chunk([text("a")])], None, false),
        expect![[r#"
            gen-7 1700000000[0 {"role":"assistant","content":"a"} null]
        "#]],
    );
}

#[test]
fn no_usage_is_invented() {
    let written = write(
        &head("c1"),
        &[chunk([text("a"), finish(Stop)])],
        Some(end(Stop, None)),
        true,
    );
    check(
        &written,
        expect![[r#"
        c1 1700000000[0 {"role":"assistant","content":"a"} null] usage null
        c1 1700000000[0 {} "stop"] usage null
    "#]],
    );
}

#[test]
fn events_of_another_dialect_that_say_nothing_make_none() {
    let start = "{\"type\":\"message_start\",\"message\":{}}";
    let stop = "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}";
    let chunks = read_good(Protocol::Messages, &crate::fixtures::sse(&[start, stop]));
    let mut written = Vec::new();
    EventWriter::new(crate::fixtures::id(), 0, false).write(&head("msg_1"), &chunks[0], &mut |event: &[u8]| {
        written.push(event.to_vec());
    });
    assert!(written.is_empty());
}
