use super::*;
use crate::{
    fixtures::{read_bad, read_good, show, tell},
    reader::Reader,
    whole,
};
use bytes::Bytes;
use expect_test::expect;
use orchestrator_core::{Code, Dialect};

/// A stream as Ollama sends it.
const TRANSCRIPT: &str = r#"{"model":"llama3.2","created_at":"2026-08-04T08:52:19.385Z","message":{"role":"assistant","content":"","thinking":"They ask."},"done":false}
{"model":"llama3.2","created_at":"2026-08-04T08:52:19.4Z","message":{"role":"assistant","content":"The"},"done":false}
{"model":"llama3.2","created_at":"2026-08-04T08:52:19.5Z","message":{"role":"assistant","content":" sky \u2600"},"done":false}
{"model":"llama3.2","created_at":"2026-08-04T08:52:19.6Z","message":{"role":"assistant","content":""},"done":false}
{"model":"llama3.2","created_at":"2026-08-04T08:52:19.7Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":4883583458,"load_duration":1334875,"prompt_eval_count":26,"prompt_eval_duration":342546000,"eval_count":282,"eval_duration":4535599000}
"#;

const TOOLS: &str = r#"{"model":"q","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"city":"Berlin","n": 1.10}}},{"id":"x7","function":{"name":"g"}}]},"done":false}
{"model":"q","message":{"role":"assistant","content":"","tool_calls":[{"function":{"index":0,"name":"h","arguments":{}}}]},"done":false}
{"model":"q","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":2}
"#;

fn line(json: &str) -> String {
    format!("{json}\n")
}

#[test]
fn a_stream_is_read_as_ollama_sends_it() {
    expect![[r#"
        reasoning "They ask."
        text "The"
        text " sky ☀"
        -
        finish stop | usage 26+282 cached 0 reasoning 0
    "#]]
    .assert_eq(&show(&read_good(Protocol::Ollama, TRANSCRIPT)));
}

#[test]
fn tool_calls_are_counted_over_lines_and_get_ids() {
    expect![[r#"
        call[0] call_0 f "{\"city\":\"Berlin\",\"n\": 1.10}" | call[1] x7 g "{}"
        call[2] call_2 h "{}"
        finish tool_calls | usage 1+2 cached 0 reasoning 0
    "#]]
    .assert_eq(&show(&read_good(Protocol::Ollama, TOOLS)));
}

#[test]
fn lines_are_kept_as_they_came() {
    let chunks = read_good(Protocol::Ollama, &TRANSCRIPT.replace('\n', "\r\n\n"));
    let events: Vec<_> = chunks.into_iter().map(|chunk| chunk.event.unwrap()).collect();
    assert!(
        events
            .iter()
            .all(|event| event.dialect == Dialect::Ollama && !event.whole)
    );
    let lines: Vec<&str> = TRANSCRIPT.lines().collect();
    assert_eq!(events.iter().map(|event| event.data.clone()).collect::<Vec<_>>(), lines);
}

#[test]
fn a_stream_is_over_at_the_line_that_is_done() {
    let mut reader = Reader::new(Protocol::Ollama);
    let mut chunks = Vec::new();
    reader.feed(TRANSCRIPT.as_bytes(), &mut chunks).unwrap();
    assert!(reader.is_over());
    assert_eq!(
        (&*reader.meta().id, &*reader.meta().model, reader.meta().created),
        ("", "llama3.2", 0)
    );
    reader.feed(b"nonsense\n", &mut chunks).unwrap();
    assert_eq!(chunks.len(), 5);
}

#[test]
fn each_reason_has_its_finish() {
    let table = [
        (r#""done_reason":"stop""#, "finish stop\n"),
        (r#""done_reason":"length""#, "finish length\n"),
        (r#""done_reason":"load""#, "finish stop\n"),
        (r#""done_reason":null"#, "finish stop\n"),
        (r#""x":1"#, "finish stop\n"),
    ];
    for (reason, expected) in table {
        let stream = line(&format!(r#"{{"model":"q","done":true,{reason}}}"#));
        assert_eq!(show(&read_good(Protocol::Ollama, &stream)), expected);
    }
}

#[test]
fn a_stream_that_is_not_done_is_cut_off() {
    let lines: Vec<&str> = TRANSCRIPT.lines().collect();
    let cut = lines[..4].join("\n") + "\n";
    assert_eq!(read_bad(Protocol::Ollama, &cut).code(), Code::UpstreamTruncated);
    assert_eq!(read_bad(Protocol::Ollama, "").code(), Code::UpstreamTruncated);
    // A last line without its end may be cut anywhere, so that it does not count.
    assert_eq!(
        read_bad(Protocol::Ollama, TRANSCRIPT.trim_end()).code(),
        Code::UpstreamTruncated
    );
}

#[test]
fn a_line_with_an_error_is_a_failure() {
    let stream =
        TRANSCRIPT.lines().next().unwrap().to_owned() + "\n" + &line(r#"{"error":"model runner has stopped"}"#);
    assert_eq!(
        tell(&read_bad(Protocol::Ollama, &stream)),
        "upstream_error at -: The worker reports an error: model runner has stopped"
    );
}

#[test]
fn what_is_no_line_of_ollama_is_a_failure() {
    for json in [
        "<html>",
        "{",
        "7",
        r#"{"message":7}"#,
        r#"{"done":"yes"}"#,
        r#"{"message":{"tool_calls":[{}]}}"#,
    ] {
        assert_eq!(
            read_bad(Protocol::Ollama, &line(json)).code(),
            Code::UpstreamProtocol,
            "{json}"
        );
    }
}

#[test]
fn counts_that_cannot_be_are_ignored() {
    let table = [
        (
            r#""prompt_eval_count":3,"eval_count":4"#,
            "finish stop | usage 3+4 cached 0 reasoning 0\n",
        ),
        (r#""eval_count":4"#, "finish stop | usage 0+4 cached 0 reasoning 0\n"),
        (
            r#""prompt_eval_count":-1,"eval_count":4"#,
            "finish stop | usage 0+4 cached 0 reasoning 0\n",
        ),
        (
            r#""prompt_eval_count":3,"eval_count":9223372036854775808"#,
            "finish stop\n",
        ),
        (r#""prompt_eval_count":3"#, "finish stop\n"),
    ];
    for (counts, expected) in table {
        let stream = line(&format!(r#"{{"done":true,{counts}}}"#));
        assert_eq!(show(&read_good(Protocol::Ollama, &stream)), expected, "{counts}");
    }
}

#[test]
fn a_whole_answer_is_one_chunk() {
    let body = r#"{"model":"q","created_at":"x","message":{"role":"assistant","content":"Hi","thinking":"hm","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":2}"#;
    let (meta, chunk) = whole::read(Protocol::Ollama, &Bytes::from(body)).unwrap();
    assert_eq!(meta.model, "q");
    let event = chunk.event.clone().unwrap();
    assert!(event.whole && event.dialect == Dialect::Ollama && event.data == body);
    expect![[r#"
        reasoning "hm" | text "Hi" | call[0] call_0 f "{\"a\":1}" | finish tool_calls | usage 1+2 cached 0 reasoning 0
    "#]]
    .assert_eq(&show(&[chunk]));
}

#[test]
fn a_whole_answer_that_is_not_done_is_cut_off() {
    let body = Bytes::from(r#"{"model":"q","message":{"content":"Hi"},"done":false}"#);
    let failure = whole::read(Protocol::Ollama, &body).unwrap_err();
    assert_eq!(failure.code(), Code::UpstreamTruncated);
}
