use super::*;
use crate::fixtures::{show, tell};
use expect_test::expect;

fn event(json: &str) -> Result<Chunk, Failure> {
    read_event(&Text::from(json), &mut Meta::default())
}

/// What an event says, in words.
fn says(json: &str) -> String {
    show(&[event(json).unwrap()]).trim_end().to_owned()
}

fn choice(fields: &str) -> String {
    format!(r#"{{"choices":[{{{fields}}}]}}"#)
}

#[test]
fn each_kind_of_delta_is_read() {
    let table = [
        (
            r#""index":0,"delta":{"content":"Hi"},"finish_reason":null"#,
            r#"text "Hi""#,
        ),
        (r#""index":0,"delta":{"role":"assistant","content":""}"#, "-"),
        (r#""index":0,"delta":{"role":"assistant","content":null}"#, "-"),
        (r#""index":0,"delta":{}"#, "-"),
        (r#""index":0,"delta":null"#, "-"),
        (r#""index":1,"delta":{"content":"Hi"}"#, r#"#1 text "Hi""#),
        (r#""index":0,"delta":{"reasoning_content":"hm"}"#, r#"reasoning "hm""#),
        (r#""index":0,"delta":{"reasoning":"hm"}"#, r#"reasoning "hm""#),
        (
            r#""index":0,"delta":{"reasoning_content":"a","reasoning":"a"}"#,
            r#"reasoning "a""#,
        ),
        (
            r#""index":0,"delta":{"reasoning_content":"","reasoning":"a","content":"b"}"#,
            r#"reasoning "a" | text "b""#,
        ),
        (r#""index":0,"delta":{"refusal":"no"}"#, r#"refusal "no""#),
        (r#""index":0,"delta":{"content":"a\"\u00fc\n"}"#, r#"text "a\"ü\n""#),
        (r#""index":0,"delta":{"content":"\u0000"}"#, r#"text "\0""#),
        (r#""index":0,"delta":{},"finish_reason":"length""#, "finish length"),
        (
            r#""index":0,"delta":{"content":"."},"finish_reason":"stop""#,
            r#"text "." | finish stop"#,
        ),
    ];
    for (fields, expected) in table {
        assert_eq!(says(&choice(fields)), expected, "{fields}");
    }
}

#[test]
fn tool_calls_are_read_and_a_missing_index_is_the_position() {
    let table = [
        (
            r#"[{"index":2,"id":"c","type":"function","function":{"name":"f","arguments":""}}]"#,
            r#"call[2] c f """#,
        ),
        (
            r#"[{"index":0,"function":{"arguments":"{\"a\":"}}]"#,
            r#"call[0] - - "{\"a\":""#,
        ),
        (
            r#"[{"id":"a","function":{"name":"f"}},{"id":"b","function":{"name":"g"}}]"#,
            r#"call[0] a f "" | call[1] b g """#,
        ),
        (
            r#"[{"index":null,"id":"","function":{"name":null,"arguments":null}}]"#,
            r#"call[0] - - """#,
        ),
        (r#"[{"index":-1,"id":"a"}]"#, r#"call[0] a - """#),
        (r#"[{"index":9223372036854775808,"id":"a"}]"#, r#"call[0] a - """#),
        (r#"[]"#, "-"),
        (r#"null"#, "-"),
    ];
    for (calls, expected) in table {
        assert_eq!(
            says(&choice(&format!(r#""delta":{{"tool_calls":{calls}}}"#))),
            expected,
            "{calls}"
        );
    }
    assert_eq!(
        says(&choice(r#""delta":{"function_call":{"name":"f","arguments":"{}"}}"#)),
        r#"call[0] - f "{}""#
    );
}

#[test]
fn choices_without_an_index_are_counted() {
    let event =
        r#"{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}},{"index":7,"delta":{"content":"c"}}]}"#;
    assert_eq!(says(event), r#"text "a" | #1 text "b" | #7 text "c""#);
}

#[test]
fn a_finish_is_one_of_four_or_a_failure() {
    let table = [
        ("stop", "finish stop"),
        ("length", "finish length"),
        ("max_tokens", "finish length"),
        ("tool_calls", "finish tool_calls"),
        ("function_call", "finish tool_calls"),
        ("content_filter", "finish content_filter"),
        ("eos_token", "finish stop"),
        ("", "-"),
    ];
    for (word, expected) in table {
        assert_eq!(
            says(&choice(&format!(r#""delta":{{}},"finish_reason":"{word}""#))),
            expected,
            "{word}"
        );
    }
    for (word, expected) in [
        ("abort", "upstream_truncated at -: The worker gave its answer up."),
        ("error", "upstream_error at -: The worker's answer ended in an error."),
    ] {
        let failure = event(&choice(&format!(r#""finish_reason":"{word}""#))).unwrap_err();
        assert_eq!(tell(&failure), expected);
    }
}

#[test]
fn usage_is_read_and_counts_that_cannot_be_are_ignored() {
    let table = [
        (
            r#"{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}"#,
            "usage 9+4 cached 0 reasoning 0",
        ),
        (
            r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":1}}"#,
            "usage 9+4 cached 3 reasoning 1",
        ),
        (
            r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":null}"#,
            "usage 9+4 cached 0 reasoning 0",
        ),
        (
            r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":-1}}"#,
            "usage 9+4 cached 0 reasoning 0",
        ),
        (r#"{"prompt_tokens":-1,"completion_tokens":4}"#, "-"),
        (r#"{"prompt_tokens":9,"completion_tokens":9223372036854775808}"#, "-"),
        (r#"{"prompt_tokens":9}"#, "-"),
        (r#"{}"#, "-"),
        (r#"null"#, "-"),
        (r#"[1]"#, "-"),
        (r#""much""#, "-"),
    ];
    for (usage, expected) in table {
        assert_eq!(
            says(&format!(r#"{{"choices":[],"usage":{usage}}}"#)),
            expected,
            "{usage}"
        );
    }
}

#[test]
fn events_that_say_nothing_we_know_are_passed_on() {
    for json in [
        r#"{"choices":[],"prompt_filter_results":[{}]}"#,
        r#"{"error":null,"choices":[]}"#,
        r#"{"choices":[{"index":0,"delta":{"odd":1}}]}"#,
    ] {
        let chunk = event(json).unwrap();
        assert!(chunk.deltas.is_empty());
        assert_eq!(chunk.event.unwrap().data, json);
    }
}

/// SDKs raise a TypeError or an IndexError at each of them.
#[test]
fn events_that_sdks_cannot_read_go_on_by_what_they_say() {
    let call = r#"{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}"#;
    let table = [
        ("{}".to_owned(), "-"),
        (r#"{"choices":null}"#.to_owned(), "-"),
        (r#"{"choices":[{"delta":{"content":"a"}}]}"#.to_owned(), r#"text "a""#),
        (choice(r#""index":0,"delta":{},"finish_reason":"eos""#), "finish stop"),
        (
            choice(r#""index":0,"delta":{},"finish_reason":"max_tokens""#),
            "finish length",
        ),
        (
            choice(&format!(r#""index":0,"delta":{{"tool_calls":[{call}]}}"#)),
            r#"call[0] c f "{}""#,
        ),
        (
            r#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#.to_owned(),
            "usage 1+2 cached 0 reasoning 0",
        ),
    ];
    for (json, expected) in table {
        let chunk = event(&json).unwrap();
        assert_eq!(chunk.event, None, "{json}");
        assert_eq!(show(&[chunk]).trim_end(), expected, "{json}");
    }
}

#[test]
fn an_error_in_the_place_of_an_event_is_a_failure() {
    let table = [
        (
            r#"{"error":{"message":"boom","code":500}}"#,
            "upstream_error at -: The worker reports an error: boom",
        ),
        (
            r#"{"error":"boom"}"#,
            "upstream_error at -: The worker reports an error: boom",
        ),
        (
            r#"{"error":{"type":"rate_limit_error","message":"slow"}}"#,
            "rate_limit_exceeded at -: The worker reports an error: slow",
        ),
        (
            r#"{"object":"error","message":"boom","code":400}"#,
            "upstream_rejected at -: The worker reports an error: boom",
        ),
        (
            r#"{"id":"x","choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"message":"boom"}}"#,
            "upstream_error at -: The worker reports an error: boom",
        ),
    ];
    for (json, expected) in table {
        assert_eq!(tell(&event(json).unwrap_err()), expected, "{json}");
    }
}

#[test]
fn what_is_no_chat_event_is_a_failure_that_quotes_nothing() {
    let table = [
        "{",
        "[1]",
        "hello",
        r#"{"choices":[{"delta":{"content":"my secr"#,
        r#"{"choices":[{"delta":{"content":["secret"]}}]}"#,
        r#"{"choices":{"delta":1}}"#,
        r#"{"choices":[{"delta":{"content":"\ud800"}}]}"#,
        r#"{"choices":[{"delta":{"content":"a","content":"b"}}]}"#,
    ];
    let told: Vec<String> = table
        .into_iter()
        .map(|json| tell(&event(json).unwrap_err()) + "\n")
        .collect();
    expect![[r#"
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 1).
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 2).
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 1).
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 40).
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 33).
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 11).
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 40).
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 45).
    "#]]
    .assert_eq(&told.concat());
}

#[test]
fn the_first_event_that_says_who_answers_counts() {
    let mut meta = Meta::default();
    let long = "x".repeat(257);
    for json in [
        r#"{"id":"","model":"","created":0,"choices":[]}"#,
        &*format!(r#"{{"id":"{long}","model":"{long}","choices":[]}}"#),
        r#"{"id":"a","model":"m","created":7,"choices":[]}"#,
        r#"{"id":"b","model":"n","created":8,"choices":[]}"#,
        r#"{"id":null,"model":null,"created":null,"choices":[]}"#,
    ] {
        read_event(&Text::from(json), &mut meta).unwrap();
    }
    let expected = Meta {
        id: "a".into(),
        model: "m".into(),
        created: 7,
    };
    assert_eq!(meta, expected);
}

#[test]
fn a_delta_without_escapes_is_a_slice_of_its_event() {
    let data = Text::from(choice(r#""index":0,"delta":{"content":"Hello","reasoning":"a\nb"}"#));
    let chunk = read_event(&data, &mut Meta::default()).unwrap();
    let event = chunk.event.unwrap();
    assert_eq!(event.data.as_ptr(), data.as_ptr());
    let range = event.data.as_ptr_range();
    for delta in &chunk.deltas {
        match &delta.kind {
            Kind::Text(text) => assert!(range.contains(&text.as_ptr())),
            Kind::Reasoning(text) => assert!(!range.contains(&text.as_ptr())),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_choices_that_an_event_names_are_found() {
    let table: [(&str, &[u32]); 6] = [
        (r#"{"choices":[]}"#, &[]),
        (r#"{"usage":{}}"#, &[]),
        (r#"{"choices":[{"index":0,"delta":{"role":"assistant"}}]}"#, &[0]),
        (r#"{"choices":[{"delta":{}},{"delta":{}}]}"#, &[0, 1]),
        (r#"{"choices":[{"index":3,"delta":{}}]}"#, &[3]),
        ("broken", &[]),
    ];
    for (json, expected) in table {
        assert_eq!(choices_of(json.as_bytes()).as_slice(), expected, "{json}");
    }
}
