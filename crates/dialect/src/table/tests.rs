use super::*;
use crate::{
    fixtures::prompt,
    request::{Target, render},
};
use expect_test::expect;
use orchestrator_core::Code;
use std::collections::BTreeSet;

const FOREIGN: [Protocol; 2] = [Protocol::Messages, Protocol::Ollama];

const TOOLS: &str = r#"[{"type":"function","function":{"name":"f"}}]"#;

/// A value for each field that is no neutral one, and that every worker that the field is carried to can be told.
fn example(field: &str) -> &'static str {
    match field {
        "model" => "\"other\"",
        "messages" => r#"[{"role":"user","content":"other"}]"#,
        "stream" | "logprobs" | "store" => "true",
        "max_tokens" | "max_completion_tokens" | "seed" | "top_k" | "n" | "top_logprobs" => "7",
        "temperature" | "top_p" | "min_p" | "frequency_penalty" | "presence_penalty" => "0.5",
        "stop" => "[\"END\"]",
        "tools" => r#"[{"type":"function","function":{"name":"g"}}]"#,
        "tool_choice" => "\"none\"",
        "parallel_tool_calls" => "false",
        "response_format" => r#"{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}}"#,
        "reasoning_effort" => "\"high\"",
        "logit_bias" => r#"{"50256":-100}"#,
        "functions" => r#"[{"name":"f"}]"#,
        "function_call" => r#"{"name":"f"}"#,
        "modalities" => r#"["text","audio"]"#,
        "stream_options" => r#"{"include_usage":true}"#,
        "verbosity" => "\"low\"",
        "audio" | "web_search_options" | "metadata" | "prediction" => r#"{"a":"b"}"#,
        _ => "\"x\"",
    }
}

/// A request with tools, in which one field is set.
fn with(field: &str, value: &str) -> String {
    let fields = [
        ("model", "\"m\""),
        ("messages", r#"[{"role":"user","content":"a"}]"#),
        ("tools", TOOLS),
    ];
    let mut fields: Vec<_> = fields.into_iter().filter(|(name, _)| *name != field).collect();
    fields.push((field, value));
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// What a worker is asked, with its fields in the order of their names.
fn asked(protocol: Protocol, body: &str) -> Result<serde_json::Value, Failure> {
    let prompt = prompt(body);
    let target = Target {
        stream: prompt.request.stream,
        ..Target::default()
    };
    render(protocol, &prompt, &target).map(|body| serde_json::from_slice(&body).unwrap())
}

#[test]
fn the_code_does_what_the_table_says() {
    for protocol in FOREIGN {
        let without = asked(protocol, &with("user", "null")).unwrap();
        for row in TABLE {
            let asked = asked(protocol, &with(row.field, example(row.field)));
            let field = row.field;
            match fate(protocol, field) {
                Fate::Carried => assert_ne!(asked.unwrap(), without, "{protocol:?} is not told {field}"),
                Fate::Dropped => assert_eq!(asked.unwrap(), without, "{protocol:?} is told {field}"),
                Fate::Refused => {
                    let failure = asked.unwrap_err();
                    assert_eq!(failure.code(), Code::InvalidRequest);
                    assert_eq!(failure.param(), Some(field), "{protocol:?}");
                }
            }
        }
    }
}

#[test]
fn a_neutral_value_asks_for_nothing() {
    for protocol in FOREIGN {
        for row in TABLE
            .iter()
            .filter(|row| !matches!(row.field, "messages" | "tools" | "model"))
        {
            let without = asked(protocol, &with("user", "null")).unwrap();
            for value in row.neutral.iter().chain(&["null"]) {
                let asked = asked(protocol, &with(row.field, value));
                assert_eq!(asked.unwrap(), without, "{protocol:?} {} {value}", row.field);
            }
        }
    }
}

#[test]
fn white_space_does_not_make_a_value_less_neutral() {
    assert!(is_neutral("response_format", "{ \"type\" : \"text\"\n}"));
    assert!(!is_neutral("response_format", "{\"type\":\"json_object\"}"));
    assert!(is_neutral("whatever", "null"));
    assert!(!is_neutral("whatever", "1"));
}

#[test]
fn a_field_that_nobody_knows_is_refused_by_its_name() {
    for protocol in FOREIGN {
        let failure = asked(protocol, &with("chat_template_kwargs", "{}")).unwrap_err();
        assert_eq!(failure.param(), Some("chat_template_kwargs"));
    }
    let long = "x".repeat(200);
    let failure = asked(Protocol::Ollama, &with(&long, "1")).unwrap_err();
    assert_eq!(failure.param().map(str::len), Some(43));
}

#[test]
fn a_refusal_says_what_holds() {
    let told: Vec<String> = [
        (Protocol::Messages, "n", "2"),
        (Protocol::Messages, "presence_penalty", "1"),
        (Protocol::Ollama, "tool_choice", "\"required\""),
        (Protocol::Messages, "response_format", r#"{"type":"json_object"}"#),
        (Protocol::Ollama, "functions", "[1]"),
    ]
    .into_iter()
    .map(|(protocol, field, value)| format!("{}\n", asked(protocol, &with(field, value)).unwrap_err()))
    .collect();
    expect![[r#"
        The worker that serves this model cannot be told `n` as the request has it.
        The worker that serves this model cannot be told `presence_penalty` as the request has it (Ollama: in `options`).
        The worker that serves this model cannot be told `tool_choice` as the request has it (Ollama: `none` takes the tools away, any other is refused).
        The worker that serves this model cannot be told `response_format` as the request has it (Messages: schemas only, in `output_config`; Ollama: `format`).
        The worker that serves this model cannot be told `functions` as the request has it (say `tools`).
    "#]].assert_eq(&told.concat());
}

#[test]
fn no_field_stands_twice_in_the_table() {
    let names: BTreeSet<&str> = TABLE.iter().map(|row| row.field).collect();
    assert_eq!(names.len(), TABLE.len());
}

#[test]
fn equal_dialects_carry_everything() {
    assert_eq!(fate(Protocol::Chat, "n"), Fate::Carried);
    assert_eq!(fate(Protocol::Chat, "chat_template_kwargs"), Fate::Carried);
}
