use super::*;
use crate::{
    Protocol,
    fixtures::{USAGE, call, chat_stream, chunk, collect, end, head, id, read_good},
    whole,
};
use expect_test::{Expect, expect};
use orchestrator_core::FinishReason::{ContentFilter, Length, Stop, ToolCalls};

fn check(body: &Value, expected: Expect) {
    expected.assert_eq(&serde_json::to_string_pretty(body).unwrap());
}

fn text(choice: u32, text: &'static str) -> Delta {
    Delta {
        choice,
        kind: Kind::Text(text.into()),
    }
}

fn finish(choice: u32, reason: FinishReason) -> Delta {
    Delta {
        choice,
        kind: Kind::Finish(reason),
    }
}

const WHOLE: &str = r#" {"id":"c1","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop","x":1.10}]} "#;

#[test]
fn a_whole_answer_of_the_same_dialect_passes_byte_for_byte() {
    let (_, chunk) = whole::read(Protocol::Chat, &Bytes::from(WHOLE)).unwrap();
    let mut collector = Collector::new(id(), 0);
    collector.push(&chunk.into());
    assert_eq!(collector.finish(&head("c1"), &end(Stop, None)), WHOLE);
}

#[test]
fn a_whole_answer_that_is_not_alone_is_put_together() {
    let (_, answer) = whole::read(Protocol::Chat, &Bytes::from(WHOLE)).unwrap();
    let after = [answer.clone(), chunk([text(0, "!")])];
    assert_eq!(
        collect(&head("c1"), &after, end(Stop, None))["choices"][0]["message"]["content"],
        "Hi!"
    );
    let before = [chunk([text(0, "!")]), answer];
    assert_eq!(
        collect(&head("c1"), &before, end(Stop, None))["choices"][0]["message"]["content"],
        "!Hi"
    );
}

#[test]
fn a_stream_becomes_one_body() {
    let stream = chat_stream(&[
        r#"{"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"reasoning_content":"h"}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"reasoning_content":"m"}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"content":"Hel"}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{"content":"lo"}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#,
    ]);
    let chunks = read_good(Protocol::Chat, &stream);
    check(
        &collect(&head("c1"), &chunks, end(Length, Some(USAGE))),
        expect![[r#"
            {
              "id": "c1",
              "object": "chat.completion",
              "created": 1700000000,
              "model": "m-1",
              "choices": [
                {
                  "index": 0,
                  "message": {
                    "role": "assistant",
                    "content": "Hello",
                    "refusal": null,
                    "reasoning_content": "hm"
                  },
                  "logprobs": null,
                  "finish_reason": "length"
                }
              ],
              "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "total_tokens": 13,
                "prompt_tokens_details": {
                  "cached_tokens": 3
                },
                "completion_tokens_details": {
                  "reasoning_tokens": 1
                }
              }
            }"#]],
    );
}

#[test]
fn tool_calls_are_put_together_by_their_indexes() {
    let tool = |kind| chunk([Delta::first(kind)]);
    let chunks = [
        tool(call(1, Some("b"), Some("g"), "{\"x\"")),
        tool(call(0, Some("a"), Some("f"), "")),
        tool(call(1, None, None, ":1}")),
        // Some servers repeat what they have said.
        tool(call(0, Some("a"), Some("f"), "{}")),
        chunk([finish(0, ToolCalls)]),
    ];
    check(
        &collect(&head("c1"), &chunks, end(ToolCalls, None)),
        expect![[r#"
        {
          "id": "c1",
          "object": "chat.completion",
          "created": 1700000000,
          "model": "m-1",
          "choices": [
            {
              "index": 0,
              "message": {
                "role": "assistant",
                "content": null,
                "refusal": null,
                "tool_calls": [
                  {
                    "id": "a",
                    "type": "function",
                    "function": {
                      "name": "f",
                      "arguments": "{}"
                    }
                  },
                  {
                    "id": "b",
                    "type": "function",
                    "function": {
                      "name": "g",
                      "arguments": "{\"x\":1}"
                    }
                  }
                ]
              },
              "logprobs": null,
              "finish_reason": "tool_calls"
            }
          ]
        }"#]],
    );
}

#[test]
fn choices_stand_in_order_with_their_own_finish() {
    let chunks = [
        chunk([text(2, "c"), text(0, "a")]),
        chunk([text(1, "b"), finish(2, ContentFilter)]),
        chunk([finish(0, Stop), text(1, "B")]),
    ];
    let body = collect(&head("c1"), &chunks, end(Length, None));
    let choices: Vec<(u64, &str, &str)> = body["choices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|choice| {
            let text = choice["message"]["content"].as_str().unwrap();
            (
                choice["index"].as_u64().unwrap(),
                text,
                choice["finish_reason"].as_str().unwrap(),
            )
        })
        .collect();
    // The second was cut off, so that it ends as the answer did.
    assert_eq!(
        choices,
        [(0, "a", "stop"), (1, "bB", "length"), (2, "c", "content_filter")]
    );
}

#[test]
fn content_is_null_only_beside_something_else() {
    let content = |kind: Kind| {
        collect(&head("c1"), &[chunk([Delta::first(kind)])], end(Stop, None))["choices"][0]["message"]["content"]
            .clone()
    };
    assert_eq!(content(Kind::Finish(Stop)), "");
    assert_eq!(content(Kind::Reasoning("hm".into())), "");
    assert_eq!(content(Kind::Refusal("no".into())), Value::Null);
    assert_eq!(content(call(0, Some("a"), Some("f"), "{}")), Value::Null);
}

#[test]
fn an_answer_without_chunks_is_still_a_completion() {
    let mut none = head("");
    none.created = 0;
    check(
        &collect(&none, &[], end(Stop, None)),
        expect![[r#"
        {
          "id": "chatcmpl-0190b0c7a1f27c3d8e4f5a6b7c8d9e0f",
          "object": "chat.completion",
          "created": 1600000000,
          "model": "m-1",
          "choices": [
            {
              "index": 0,
              "message": {
                "role": "assistant",
                "content": "",
                "refusal": null
              },
              "logprobs": null,
              "finish_reason": "stop"
            }
          ]
        }"#]],
    );
}

#[test]
fn the_usage_of_the_end_counts_before_that_of_the_chunks() {
    let told = Usage {
        prompt_tokens: 1,
        ..Usage::default()
    };
    let chunks = [chunk([text(0, "a"), Delta::first(Kind::Usage(told))])];
    assert_eq!(
        collect(&head("c"), &chunks, end(Stop, Some(USAGE)))["usage"]["prompt_tokens"],
        9
    );
    assert_eq!(
        collect(&head("c"), &chunks, end(Stop, None))["usage"]["prompt_tokens"],
        1
    );
    assert_eq!(collect(&head("c"), &chunks[..0], end(Stop, None)).get("usage"), None);
}

#[test]
fn a_foreign_whole_answer_is_put_into_our_words() {
    let body = r#"{"id":"msg_1","type":"message","model":"claude","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}"#;
    let (_, chunk) = whole::read(Protocol::Messages, &Bytes::from(body)).unwrap();
    let body = collect(&head("msg_1"), &[chunk], end(Stop, None));
    assert_eq!(body["id"], "chatcmpl-msg_1");
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"]["content"], "Hi");
}
