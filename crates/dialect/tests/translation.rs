//! A Chat client at workers that speak another dialect: a whole exchange of each, and what holds for any conversation.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a fault in here shall end the test"
)]

use bytes::Bytes;
use expect_test::{Expect, expect};
use orchestrator_core::{Chunk, End, FinishReason, Head, Kind, Priority, Prompt, Request, RequestId, Reuse, Tier};
use orchestrator_dialect::{
    Meta, Protocol,
    chat::{EventWriter, parse_request},
    reader::Reader,
    request::{Target, render},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::Instant;

const QUESTION: &str = r#"{"model":"best","stream":true,"stream_options":{"include_usage":true},"max_tokens":100,"temperature":0.2,
  "messages":[{"role":"system","content":"Use tools."},{"role":"user","content":"Weather in Köln?"}],
  "tools":[{"type":"function","function":{"name":"get_weather","description":"Tells the weather.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]}"#;

fn id() -> RequestId {
    RequestId::parse("req_0190b0c7a1f27c3d8e4f5a6b7c8d9e0f").unwrap()
}

fn prompt(body: &str) -> Prompt {
    let parsed = parse_request(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    let request = Request {
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
    };
    Prompt {
        request: Box::new(request),
        rewritten: false,
        grounding: Vec::new(),
        limit: None,
    }
}

fn ask(protocol: Protocol, body: &str, model: &str) -> String {
    let target = Target {
        model: Some(model),
        stream: true,
        ..Target::default()
    };
    String::from_utf8(render(protocol, &prompt(body), &target).unwrap().to_vec()).unwrap()
}

/// What the client hears of a worker's stream, an event a line.
fn hear(protocol: Protocol, stream: &str) -> String {
    let mut reader = Reader::new(protocol);
    let mut chunks: Vec<Chunk> = Vec::new();
    reader.feed(stream.as_bytes(), &mut chunks).unwrap();
    reader.end().unwrap();
    let Meta { id: answer, model, .. } = reader.meta().clone();
    let head = Head {
        worker: "w".into(),
        tier: Tier::Primary,
        degraded: None,
        id: answer,
        model,
        created: 0,
        attempts: 1,
        grounding: Vec::new(),
        waited: std::time::Duration::ZERO,
    };
    let mut end = End {
        finish: FinishReason::Stop,
        usage: None,
        cut: false,
    };
    let mut heard = String::new();
    let mut emit = |event: &[u8]| heard.extend([std::str::from_utf8(event).unwrap(), "\n"]);
    let mut writer = EventWriter::new(id(), 1_800_000_000, true);
    for chunk in &chunks {
        writer.write(&head, chunk, &mut emit);
        for delta in &chunk.deltas {
            match delta.kind {
                Kind::Finish(reason) => end.finish = reason,
                Kind::Usage(usage) => end.usage = Some(usage),
                _ => {}
            }
        }
    }
    writer.end(&head, &end, &mut emit);
    heard
}

fn check(said: &str, expected: Expect) {
    expected.assert_eq(said);
}

#[test]
fn a_client_of_chat_is_served_by_anthropic() {
    check(
        &ask(Protocol::Messages, QUESTION, "claude-x"),
        expect![[
            r#"{"model":"claude-x","max_tokens":100,"system":"Use tools.","messages":[{"role":"user","content":[{"type":"text","text":"Weather in Köln?"}]}],"stream":true,"temperature":0.2,"tools":[{"name":"get_weather","description":"Tells the weather.","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]}"#
        ]],
    );
    let answer = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_9","model":"claude-x-2026","usage":{"input_tokens":20,"cache_read_input_tokens":5,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I look."}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"city\":\"Köln\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":12}}

event: message_stop
data: {"type":"message_stop"}

"#;
    check(
        &hear(Protocol::Messages, answer),
        expect![[r#"
        {"id":"chatcmpl-msg_9","object":"chat.completion.chunk","created":1800000000,"model":"claude-x-2026","choices":[{"index":0,"delta":{"role":"assistant","content":"I look."},"logprobs":null,"finish_reason":null}],"usage":null}
        {"id":"chatcmpl-msg_9","object":"chat.completion.chunk","created":1800000000,"model":"claude-x-2026","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"toolu_1","type":"function","function":{"name":"get_weather","arguments":""}}]},"logprobs":null,"finish_reason":null}],"usage":null}
        {"id":"chatcmpl-msg_9","object":"chat.completion.chunk","created":1800000000,"model":"claude-x-2026","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":\"Köln\"}"}}]},"logprobs":null,"finish_reason":null}],"usage":null}
        {"id":"chatcmpl-msg_9","object":"chat.completion.chunk","created":1800000000,"model":"claude-x-2026","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}],"usage":null}
        {"id":"chatcmpl-msg_9","object":"chat.completion.chunk","created":1800000000,"model":"claude-x-2026","choices":[],"usage":{"prompt_tokens":25,"completion_tokens":12,"total_tokens":37,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":0}}}
    "#]],
    );
}

#[test]
fn a_client_of_chat_is_served_by_ollama() {
    check(
        &ask(Protocol::Ollama, QUESTION, "llama3.2"),
        expect![[
            r#"{"model":"llama3.2","messages":[{"role":"system","content":"Use tools."},{"role":"user","content":"Weather in Köln?"}],"stream":true,"tools":[{"type":"function","function":{"name":"get_weather","description":"Tells the weather.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}],"options":{"num_predict":100,"temperature":0.2}}"#
        ]],
    );
    let answer = r#"{"model":"llama3.2","message":{"role":"assistant","content":"","thinking":"Weather."},"done":false}
{"model":"llama3.2","message":{"role":"assistant","content":"I look."},"done":false}
{"model":"llama3.2","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"get_weather","arguments":{"city":"Köln"}}}]},"done":false}
{"model":"llama3.2","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":25,"eval_count":12}
"#;
    check(
        &hear(Protocol::Ollama, answer),
        expect![[r#"
        {"id":"chatcmpl-0190b0c7a1f27c3d8e4f5a6b7c8d9e0f","object":"chat.completion.chunk","created":1800000000,"model":"llama3.2","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"Weather."},"logprobs":null,"finish_reason":null}],"usage":null}
        {"id":"chatcmpl-0190b0c7a1f27c3d8e4f5a6b7c8d9e0f","object":"chat.completion.chunk","created":1800000000,"model":"llama3.2","choices":[{"index":0,"delta":{"content":"I look."},"logprobs":null,"finish_reason":null}],"usage":null}
        {"id":"chatcmpl-0190b0c7a1f27c3d8e4f5a6b7c8d9e0f","object":"chat.completion.chunk","created":1800000000,"model":"llama3.2","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_0","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Köln\"}"}}]},"logprobs":null,"finish_reason":null}],"usage":null}
        {"id":"chatcmpl-0190b0c7a1f27c3d8e4f5a6b7c8d9e0f","object":"chat.completion.chunk","created":1800000000,"model":"llama3.2","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}],"usage":null}
        {"id":"chatcmpl-0190b0c7a1f27c3d8e4f5a6b7c8d9e0f","object":"chat.completion.chunk","created":1800000000,"model":"llama3.2","choices":[],"usage":{"prompt_tokens":25,"completion_tokens":12,"total_tokens":37,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}
    "#]],
    );
}

#[test]
fn the_result_of_a_tool_finds_its_way_back() {
    let body = json!({"model": "best", "messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "I look.", "tool_calls": [
            {"id": "toolu_1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Köln\"}"}}]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"},
    ]})
    .to_string();
    check(
        &ask(Protocol::Messages, &body, "claude-x"),
        expect![[
            r#"{"model":"claude-x","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"Weather?"}]},{"role":"assistant","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{"city":"Köln"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"rain"}]}]}],"stream":true}"#
        ]],
    );
    check(
        &ask(Protocol::Ollama, &body, "llama3.2"),
        expect![[
            r#"{"model":"llama3.2","messages":[{"role":"user","content":"Weather?"},{"role":"assistant","content":"I look.","tool_calls":[{"function":{"name":"get_weather","arguments":{"city":"Köln"}}}]},{"role":"tool","content":"rain","tool_name":"get_weather"}],"stream":true}"#
        ]],
    );
}

/// A turn of a conversation, as JSON, with its role and its text.
fn turn() -> impl Strategy<Value = Value> {
    let text = "[a-zü\"\\\\\n ]{0,6}";
    let parts = proptest::collection::vec(text, 1..3).prop_map(|texts| {
        let parts: Vec<Value> = texts
            .into_iter()
            .map(|text| json!({"type": "text", "text": text}))
            .collect();
        Value::from(parts)
    });
    let content = prop_oneof![text.prop_map(Value::from), parts];
    let calls = proptest::collection::vec((0..9_u8, "[a-z]{1,4}"), 0..3).prop_map(|calls| {
        let call = |(id, name): (u8, String)| {
            json!({"id": format!("c{id}"), "type": "function", "function": {"name": name, "arguments": json!({"n": id}).to_string()}})
        };
        calls.into_iter().map(call).collect::<Vec<_>>()
    });
    prop_oneof![
        content
            .clone()
            .prop_map(|content| json!({"role": "system", "content": content})),
        content
            .clone()
            .prop_map(|content| json!({"role": "user", "content": content})),
        (content.clone(), calls)
            .prop_map(|(content, calls)| json!({"role": "assistant", "content": content, "tool_calls": calls})),
        (content, 0..9_u8)
            .prop_map(|(content, id)| json!({"role": "tool", "tool_call_id": format!("c{id}"), "content": content})),
    ]
}

/// The text pieces of a content in either dialect, without empty ones.
fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(text) => vec![text.clone()],
        Value::Array(parts) => parts
            .iter()
            .flat_map(|part| match part["type"].as_str() {
                Some("text") => vec![part["text"].as_str().unwrap().to_owned()],
                Some("tool_result") => texts(&part["content"]),
                _ => Vec::new(),
            })
            .collect(),
        _ => Vec::new(),
    }
    .into_iter()
    .filter(|text| !text.is_empty())
    .collect()
}

fn said(turns: &[Value], role: impl Fn(&str) -> bool) -> Vec<String> {
    let of_role = turns.iter().filter(|turn| role(turn["role"].as_str().unwrap()));
    of_role.flat_map(|turn| texts(&turn["content"])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn anthropic_hears_all_of_a_conversation_in_turns_that_alternate(turns in proptest::collection::vec(turn(), 0..8)) {
        let mut turns = turns;
        turns.push(json!({"role": "user", "content": "end"}));
        let body = json!({"model": "m", "messages": turns}).to_string();
        let asked: Value = serde_json::from_str(&ask(Protocol::Messages, &body, "c")).unwrap();
        let heard = asked["messages"].as_array().unwrap().clone();
        let roles: Vec<&str> = heard.iter().map(|turn| turn["role"].as_str().unwrap()).collect();
        prop_assert!(roles.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", roles);
        prop_assert!(heard.iter().all(|turn| turn["content"] != json!([])));
        prop_assert_eq!(said(&heard, |role| role == "assistant"), said(&turns, |role| role == "assistant"));
        prop_assert_eq!(said(&heard, |role| role == "user"), said(&turns, |role| role == "user" || role == "tool"));
        for text in said(&turns, |role| role == "system") {
            prop_assert!(asked["system"].as_str().unwrap().contains(&text));
        }
        let blocks = || heard.iter().flat_map(|turn| turn["content"].as_array().unwrap());
        prop_assert!(blocks().all(|block| block["text"] != ""), "Anthropic refuses empty texts");
        let calls: Vec<&Value> = turns.iter().flat_map(|turn| turn["tool_calls"].as_array().into_iter().flatten()).collect();
        let heard_calls: Vec<&Value> = blocks().filter(|block| block["type"] == "tool_use").collect();
        prop_assert_eq!(heard_calls.len(), calls.len());
        for (heard, call) in heard_calls.iter().zip(calls) {
            prop_assert_eq!(&heard["id"], &call["id"]);
            prop_assert_eq!(&heard["name"], &call["function"]["name"]);
            prop_assert_eq!(heard["input"].to_string(), call["function"]["arguments"].as_str().unwrap());
        }
    }

    #[test]
    fn ollama_hears_every_turn_of_a_conversation(turns in proptest::collection::vec(turn(), 1..8)) {
        let body = json!({"model": "m", "messages": turns}).to_string();
        let asked: Value = serde_json::from_str(&ask(Protocol::Ollama, &body, "l")).unwrap();
        let heard = asked["messages"].as_array().unwrap();
        prop_assert_eq!(heard.len(), turns.len());
        let mut called: Vec<(&Value, &Value)> = Vec::new();
        for (heard, turn) in heard.iter().zip(&turns) {
            prop_assert_eq!(&heard["role"], &turn["role"]);
            prop_assert_eq!(heard["content"].as_str().unwrap(), texts(&turn["content"]).join("\n"));
            let calls = turn["tool_calls"].as_array().into_iter().flatten();
            let heard_calls = heard["tool_calls"].as_array().into_iter().flatten();
            for (heard, call) in heard_calls.zip(calls.clone()) {
                prop_assert_eq!(&heard["function"]["name"], &call["function"]["name"]);
                prop_assert_eq!(heard["function"]["arguments"].to_string(), call["function"]["arguments"].as_str().unwrap());
            }
            called.extend(calls.map(|call| (&call["id"], &call["function"]["name"])));
            let name = called.iter().rev().find(|(id, _)| **id == turn["tool_call_id"]).map(|(_, name)| *name);
            prop_assert_eq!(heard.get("tool_name"), name);
        }
    }
}
