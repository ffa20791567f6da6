use super::*;
use crate::fixtures::{prompt, tell};
use expect_test::{Expect, expect};
use serde_json::Value;

fn ask(body: &str) -> Result<Value, Failure> {
    let target = Target {
        model: Some("claude"),
        ..Target::default()
    };
    render(&prompt(body), &target).map(|body| serde_json::from_slice(&body).unwrap())
}

/// A request with these messages.
fn of(messages: &str) -> String {
    format!(r#"{{"model":"m","messages":{messages}}}"#)
}

/// A good request with some more fields.
fn with(fields: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{fields}}}"#)
}

fn check(body: &str, expected: Expect) {
    expected.assert_eq(&serde_json::to_string_pretty(&ask(body).unwrap()).unwrap());
}

#[test]
fn a_conversation_is_said_in_anthropics_words() {
    let body = of(r#"[
        {"role":"system","content":"Be brief."},
        {"role":"developer","content":[{"type":"text","text":"And"},{"type":"text","text":"kind."}]},
        {"role":"user","content":"What is this?"},
        {"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}},{"type":"image_url","image_url":{"url":"https://x/y.jpg"}}]},
        {"role":"assistant","content":"Let me look.","tool_calls":[
            {"id":"c1","type":"function","function":{"name":"look","arguments":"{\"at\":12345678901234567890123}"}},
            {"id":"c2","type":"function","function":{"name":"smell","arguments":""}}]},
        {"role":"tool","tool_call_id":"c1","content":"a cat"},
        {"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"a cat, too"}]},
        {"role":"user","content":"So?"},
        {"role":"assistant","content":"A cat."},
        {"role":"assistant","content":""},
        {"role":"user","content":"Thanks."}
    ]"#);
    check(
        &body,
        expect![[r#"
        {
          "model": "claude",
          "max_tokens": 4096,
          "system": "Be brief.\n\nAnd\nkind.",
          "messages": [
            {
              "role": "user",
              "content": [
                {
                  "type": "text",
                  "text": "What is this?"
                },
                {
                  "type": "image",
                  "source": {
                    "type": "base64",
                    "media_type": "image/png",
                    "data": "iVBO"
                  }
                },
                {
                  "type": "image",
                  "source": {
                    "type": "url",
                    "url": "https://x/y.jpg"
                  }
                }
              ]
            },
            {
              "role": "assistant",
              "content": [
                {
                  "type": "text",
                  "text": "Let me look."
                },
                {
                  "type": "tool_use",
                  "id": "c1",
                  "name": "look",
                  "input": {
                    "at": 1.2345678901234568e+22
                  }
                },
                {
                  "type": "tool_use",
                  "id": "c2",
                  "name": "smell",
                  "input": {}
                }
              ]
            },
            {
              "role": "user",
              "content": [
                {
                  "type": "tool_result",
                  "tool_use_id": "c1",
                  "content": [
                    {
                      "type": "text",
                      "text": "a cat"
                    }
                  ]
                },
                {
                  "type": "tool_result",
                  "tool_use_id": "c2",
                  "content": [
                    {
                      "type": "text",
                      "text": "a cat, too"
                    }
                  ]
                },
                {
                  "type": "text",
                  "text": "So?"
                }
              ]
            },
            {
              "role": "assistant",
              "content": [
                {
                  "type": "text",
                  "text": "A cat."
                }
              ]
            },
            {
              "role": "user",
              "content": [
                {
                  "type": "text",
                  "text": "Thanks."
                }
              ]
            }
          ],
          "stream": false
        }"#]],
    );
}

#[test]
fn parameters_are_said_in_anthropics_words() {
    check(
        &with(
            r#""max_completion_tokens":77,"temperature":1.7,"top_p":0.90,"top_k":40,"stop":["a","b\n"],"reasoning_effort":"minimal",
            "tools":[{"type":"function","function":{"name":"f","description":"does \"f\"","parameters":{"type":"object","properties":{"x":{"minimum":1.10}}},"strict":true}},
                     {"type":"function","function":{"name":"g"}}],
            "tool_choice":"required","parallel_tool_calls":false,
            "response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object"}}},
            "user":"u","metadata":{"a":"b"},"store":true,"n":1,"presence_penalty":0"#,
        ),
        expect![[r#"
            {
              "model": "claude",
              "max_tokens": 77,
              "messages": [
                {
                  "role": "user",
                  "content": [
                    {
                      "type": "text",
                      "text": "hi"
                    }
                  ]
                }
              ],
              "stream": false,
              "temperature": 1.0,
              "top_p": 0.9,
              "top_k": 40,
              "stop_sequences": [
                "a",
                "b\n"
              ],
              "tools": [
                {
                  "name": "f",
                  "description": "does \"f\"",
                  "input_schema": {
                    "type": "object",
                    "properties": {
                      "x": {
                        "minimum": 1.1
                      }
                    }
                  }
                },
                {
                  "name": "g",
                  "input_schema": {
                    "type": "object"
                  }
                }
              ],
              "tool_choice": {
                "type": "any",
                "disable_parallel_tool_use": true
              },
              "output_config": {
                "effort": "low",
                "format": {
                  "type": "json_schema",
                  "schema": {
                    "type": "object"
                  }
                }
              }
            }"#]],
    );
}

#[test]
fn numbers_keep_their_spelling() {
    let target = Target::default();
    let body =
        with(r#""top_p":0.90,"tools":[{"type":"function","function":{"name":"f","parameters":{"minimum":1.10}}}]"#);
    let body = render(&prompt(&body), &target).unwrap();
    let body = std::str::from_utf8(&body).unwrap();
    assert!(
        body.contains(r#""top_p":0.90"#) && body.contains(r#""minimum":1.10"#),
        "{body}"
    );
}

#[test]
fn a_limit_is_always_said() {
    let asked = |body: &str, max_tokens| {
        let target = Target {
            max_tokens,
            ..Target::default()
        };
        let body: Value = serde_json::from_slice(&render(&prompt(body), &target).unwrap()).unwrap();
        body["max_tokens"].as_u64().unwrap()
    };
    assert_eq!(asked(&with(r#""seed":1"#), None), 4096);
    assert_eq!(asked(&with(r#""seed":1"#), Some(9)), 9);
    assert_eq!(asked(&with(r#""max_tokens":5"#), Some(9)), 5);
}

#[test]
fn the_temperature_is_capped_at_anthropics_most() {
    for (said, expected) in [("0", 0.0), ("0.5", 0.5), ("1", 1.0), ("2", 1.0)] {
        assert_eq!(
            ask(&with(&format!(r#""temperature":{said}"#))).unwrap()["temperature"],
            expected
        );
    }
    assert_eq!(ask(&with(r#""temperature":null"#)).unwrap().get("temperature"), None);
}

#[test]
fn a_choice_of_tools_is_translated() {
    let table = [
        (r#""tool_choice":"auto""#, "null"),
        (r#""tool_choice":"none""#, r#"{"type":"none"}"#),
        (r#""tool_choice":"required""#, r#"{"type":"any"}"#),
        (
            r#""tool_choice":{"type":"function","function":{"name":"f"}}"#,
            r#"{"name":"f","type":"tool"}"#,
        ),
        (r#""parallel_tool_calls":true"#, "null"),
        (
            r#""parallel_tool_calls":false"#,
            r#"{"disable_parallel_tool_use":true,"type":"auto"}"#,
        ),
        (
            r#""parallel_tool_calls":false,"tool_choice":"none""#,
            r#"{"type":"none"}"#,
        ),
        (
            r#""parallel_tool_calls":false,"tool_choice":{"type":"function","function":{"name":"f"}}"#,
            r#"{"disable_parallel_tool_use":true,"name":"f","type":"tool"}"#,
        ),
    ];
    for (fields, expected) in table {
        let body = with(&format!(
            r#""tools":[{{"type":"function","function":{{"name":"f"}}}}],{fields}"#
        ));
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(ask(&body).unwrap()["tool_choice"], expected, "{fields}");
    }
    // Without tools there is nothing to do one at a time.
    assert_eq!(
        ask(&with(r#""parallel_tool_calls":false"#)).unwrap().get("tool_choice"),
        None
    );
}

#[test]
fn the_steps_of_effort_are_translated() {
    let table = [
        ("low", "low"),
        ("minimal", "low"),
        ("medium", "medium"),
        ("high", "high"),
        ("xhigh", "max"),
    ];
    for (said, expected) in table {
        let asked = ask(&with(&format!(r#""reasoning_effort":"{said}""#))).unwrap();
        assert_eq!(asked["output_config"]["effort"], expected);
    }
    assert_eq!(
        ask(&with(r#""reasoning_effort":"none""#)).unwrap().get("output_config"),
        None
    );
}

#[test]
fn what_cannot_be_said_is_refused_with_its_place() {
    let table = [
        of(r#"[{"role":"system","content":"alone"}]"#),
        of(r#"[{"role":"user","content":""}]"#),
        of(r#"[{"role":"tool","content":"a"}]"#),
        of(r#"[{"role":"user","content":[{"type":"input_audio"}]}]"#),
        with(r#""tools":[{"type":"custom","custom":{"name":"f"}}]"#),
        with(r#""tools":{}"#),
        with(r#""tool_choice":{"type":"allowed_tools"}"#),
        with(r#""tool_choice":"sometimes""#),
        with(r#""stop":7"#),
        with(r#""reasoning_effort":"lots""#),
        with(r#""response_format":{"type":"json_object"}"#),
        with(r#""n":2"#),
        with(r#""logit_bias":{"1":1}"#),
    ];
    let told: Vec<String> = table.iter().map(|body| tell(&ask(body).unwrap_err()) + "\n").collect();
    expect![[r#"
        invalid_request at messages: `messages` must hold a turn that is no system message.
        invalid_request at messages: `messages` must hold a turn that is no system message.
        invalid_request at messages[0].tool_call_id: `messages[0].tool_call_id` is missing: it must name the call that is answered.
        invalid_request at messages[0].content[0]: `messages[0].content[0]` cannot be told to the worker that serves this model.
        invalid_request at tools: The worker that serves this model cannot be told `tools` as the request has it (functions only).
        invalid_request at tools: The worker that serves this model cannot be told `tools` as the request has it (functions only).
        invalid_request at tool_choice: The worker that serves this model cannot be told `tool_choice` as the request has it (Ollama: `none` takes the tools away, any other is refused).
        invalid_request at tool_choice: The worker that serves this model cannot be told `tool_choice` as the request has it (Ollama: `none` takes the tools away, any other is refused).
        invalid_request at stop: The worker that serves this model cannot be told `stop` as the request has it (Messages: `stop_sequences`; Ollama: `options.stop`).
        invalid_request at reasoning_effort: The worker that serves this model cannot be told `reasoning_effort` as the request has it (Messages: `output_config.effort`; Ollama: `think`).
        invalid_request at response_format: The worker that serves this model cannot be told `response_format` as the request has it (Messages: schemas only, in `output_config`; Ollama: `format`).
        invalid_request at n: The worker that serves this model cannot be told `n` as the request has it.
        invalid_request at logit_bias: The worker that serves this model cannot be told `logit_bias` as the request has it.
    "#]].assert_eq(&told.concat());
}

#[test]
fn adjacent_turns_of_a_side_become_one() {
    let turns = |roles: &[&str]| {
        let messages: Vec<String> = roles
            .iter()
            .map(|role| format!(r#"{{"role":"{role}","content":"a","tool_call_id":"c"}}"#))
            .collect();
        let asked = ask(&of(&format!("[{}]", messages.join(",")))).unwrap();
        let turns = asked["messages"].as_array().unwrap().iter();
        turns
            .map(|turn| {
                format!(
                    "{}{}",
                    turn["role"].as_str().unwrap(),
                    turn["content"].as_array().unwrap().len()
                )
            })
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(turns(&["user", "user", "assistant", "user"]), "user2 assistant1 user1");
    assert_eq!(turns(&["user", "system", "user"]), "user2");
    assert_eq!(
        turns(&["user", "assistant", "tool", "tool", "user"]),
        "user1 assistant1 user3"
    );
    assert_eq!(turns(&["assistant", "assistant", "user"]), "assistant2 user1");
}
