use super::*;
use crate::fixtures::{prompt, tell};
use expect_test::{Expect, expect};
use serde_json::Value;

fn ask(body: &str) -> Result<Value, Failure> {
    let target = Target {
        model: Some("llama"),
        stream: true,
        ..Target::default()
    };
    render(&prompt(body), &target).map(|body| serde_json::from_slice(&body).unwrap())
}

fn of(messages: &str) -> String {
    format!(r#"{{"model":"m","messages":{messages}}}"#)
}

fn with(fields: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{fields}}}"#)
}

fn check(body: &str, expected: Expect) {
    expected.assert_eq(&serde_json::to_string_pretty(&ask(body).unwrap()).unwrap());
}

#[test]
fn a_conversation_is_said_in_ollamas_words() {
    let body = of(r#"[
        {"role":"developer","content":"Be brief."},
        {"role":"user","content":[{"type":"text","text":"What is"},{"type":"text","text":"this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}]},
        {"role":"assistant","content":null,"tool_calls":[
            {"id":"c1","type":"function","function":{"name":"look","arguments":"{\"at\":12345678901234567890123}"}},
            {"id":"c2","type":"function","function":{"name":"smell","arguments":""}}]},
        {"role":"tool","tool_call_id":"c2","content":"fishy"},
        {"role":"tool","tool_call_id":"c1","content":"a cat"},
        {"role":"tool","tool_call_id":"unknown","content":"?"},
        {"role":"assistant","content":"A cat."}
    ]"#);
    check(
        &body,
        expect![[r#"
        {
          "model": "llama",
          "messages": [
            {
              "role": "system",
              "content": "Be brief."
            },
            {
              "role": "user",
              "content": "What is\nthis?",
              "images": [
                "iVBO"
              ]
            },
            {
              "role": "assistant",
              "content": "",
              "tool_calls": [
                {
                  "function": {
                    "name": "look",
                    "arguments": {
                      "at": 1.2345678901234568e+22
                    }
                  }
                },
                {
                  "function": {
                    "name": "smell",
                    "arguments": {}
                  }
                }
              ]
            },
            {
              "role": "tool",
              "content": "fishy",
              "tool_name": "smell"
            },
            {
              "role": "tool",
              "content": "a cat",
              "tool_name": "look"
            },
            {
              "role": "tool",
              "content": "?"
            },
            {
              "role": "assistant",
              "content": "A cat."
            }
          ],
          "stream": true
        }"#]],
    );
}

#[test]
fn parameters_are_said_in_ollamas_words() {
    check(
        &with(
            r#""max_tokens":77,"temperature":1.7,"top_p":0.90,"top_k":40,"min_p":0.05,"seed":7,"frequency_penalty":0.1,"presence_penalty":-0.2,
            "stop":"END","reasoning_effort":"minimal","tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":"auto",
            "response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}},"user":"u","parallel_tool_calls":true"#,
        ),
        expect![[r#"
            {
              "model": "llama",
              "messages": [
                {
                  "role": "user",
                  "content": "hi"
                }
              ],
              "stream": true,
              "tools": [
                {
                  "type": "function",
                  "function": {
                    "name": "f",
                    "parameters": {}
                  }
                }
              ],
              "format": {
                "type": "object"
              },
              "think": "low",
              "options": {
                "num_predict": 77,
                "temperature": 1.7,
                "stop": [
                  "END"
                ],
                "frequency_penalty": 0.1,
                "min_p": 0.05,
                "presence_penalty": -0.2,
                "seed": 7,
                "top_k": 40,
                "top_p": 0.9
              }
            }"#]],
    );
}

#[test]
fn defaults_fill_what_the_request_leaves_open() {
    let target = Target {
        max_tokens: Some(64),
        temperature: Some(0.7),
        ..Target::default()
    };
    let body = render(&prompt(&with(r#""seed":1"#)), &target).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["options"]["num_predict"], 64);
    assert_eq!(body["options"]["temperature"], 0.7);
    assert_eq!(
        (&body["model"], &body["stream"]),
        (&Value::from("m"), &Value::from(false))
    );
}

#[test]
fn a_request_without_options_says_none() {
    let body = ask(&of(r#"[{"role":"user","content":"a"}]"#)).unwrap();
    assert_eq!(
        body.to_string(),
        r#"{"model":"llama","messages":[{"role":"user","content":"a"}],"stream":true}"#
    );
}

#[test]
fn thinking_is_asked_for_by_its_level() {
    let table = [
        ("none", Value::from(false)),
        ("minimal", Value::from("low")),
        ("low", Value::from("low")),
        ("medium", Value::from("medium")),
        ("high", Value::from("high")),
        ("xhigh", Value::from("high")),
    ];
    for (said, expected) in table {
        assert_eq!(
            ask(&with(&format!(r#""reasoning_effort":"{said}""#))).unwrap()["think"],
            expected
        );
    }
}

#[test]
fn a_format_is_json_or_a_schema() {
    let format = |said: &str| ask(&with(&format!(r#""response_format":{said}"#))).map(|body| body["format"].clone());
    assert_eq!(format(r#"{"type":"json_object"}"#).unwrap(), "json");
    let schema = r#"{"type":"json_schema","json_schema":{"schema":{"a":1}}}"#;
    assert_eq!(format(schema).unwrap(), serde_json::json!({"a": 1}));
    assert_eq!(format(r#"{"type":"text"}"#).unwrap(), Value::Null);
    assert!(format(r#"{"type":"grammar"}"#).is_err());
    assert!(format(r#"{"type":"json_schema"}"#).is_err());
}

#[test]
fn tools_can_be_taken_away_but_not_forced() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let asked = |choice: &str| ask(&with(&format!(r#"{tools},"tool_choice":{choice}"#)));
    assert!(asked("\"auto\"").unwrap().get("tools").is_some());
    assert_eq!(asked("\"none\"").unwrap().get("tools"), None);
    for forced in ["\"required\"", r#"{"type":"function","function":{"name":"f"}}"#] {
        assert_eq!(asked(forced).unwrap_err().param(), Some("tool_choice"));
    }
}

#[test]
fn what_cannot_be_said_is_refused_with_its_place() {
    let table = [
        of(
            r#"[{"role":"user","content":"a"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]"#,
        ),
        of(r#"[{"role":"user","content":[{"type":"file","file":{}}]}]"#),
        with(r#""parallel_tool_calls":false"#),
        with(r#""stop":[1]"#),
        with(r#""reasoning_effort":7"#),
        with(r#""n":2"#),
        with(r#""logprobs":true"#),
    ];
    let told: Vec<String> = table.iter().map(|body| tell(&ask(body).unwrap_err()) + "\n").collect();
    expect![[r#"
        invalid_request at messages[1].content[0].image_url.url: `messages[1].content[0].image_url.url` must be a data: URL in base64: this worker fetches nothing.
        invalid_request at messages[0].content[0]: `messages[0].content[0]` cannot be told to the worker that serves this model.
        invalid_request at parallel_tool_calls: The worker that serves this model cannot be told `parallel_tool_calls` as the request has it (Messages: `tool_choice.disable_parallel_tool_use`).
        invalid_request at stop: The worker that serves this model cannot be told `stop` as the request has it (Messages: `stop_sequences`; Ollama: `options.stop`).
        invalid_request at reasoning_effort: The worker that serves this model cannot be told `reasoning_effort` as the request has it (Messages: `output_config.effort`; Ollama: `think`).
        invalid_request at n: The worker that serves this model cannot be told `n` as the request has it.
        invalid_request at logprobs: The worker that serves this model cannot be told `logprobs` as the request has it.
    "#]].assert_eq(&told.concat());
}
