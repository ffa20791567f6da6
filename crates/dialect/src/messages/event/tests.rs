use super::*;
use crate::{
    fixtures::{read, read_bad, read_good, show, sse, tell},
    reader::Reader,
    whole,
};
use bytes::Bytes;
use expect_test::expect;
use orchestrator_core::{Code, Dialect};

/// A stream as Anthropic sends it: thinking, text, two tools of which one takes nothing, pings between.
const TRANSCRIPT: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":10,"cache_read_input_tokens":100,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"They want\nweather."}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Let me "}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"look: \u2600"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"city\": \"Ber"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"lin\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_2","name":"now","input":{}}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}

event: message_stop
data: {"type":"message_stop"}

"#;

#[test]
fn a_stream_is_read_as_anthropic_sends_it() {
    expect![[r#"
        -
        -
        reasoning "They want\nweather."
        -
        -
        -
        text "Let me "
        text "look: ☀"
        -
        call[0] toolu_1 get_weather ""
        -
        call[0] - - "{\"city\": \"Ber"
        call[0] - - "lin\"}"
        -
        call[1] toolu_2 now ""
        call[1] - - "{}"
        finish tool_calls | usage 135+89 cached 100 reasoning 0
        -
    "#]]
    .assert_eq(&show(&read_good(Protocol::Messages, TRANSCRIPT)));
}

#[test]
fn a_stream_is_over_at_its_last_event() {
    let mut reader = Reader::new(Protocol::Messages);
    let mut chunks = Vec::new();
    reader.feed(TRANSCRIPT.as_bytes(), &mut chunks).unwrap();
    assert!(reader.is_over());
    assert_eq!(
        (&*reader.meta().id, &*reader.meta().model, reader.meta().created),
        ("msg_01", "claude-x", 0)
    );
    let before = chunks.len();
    reader.feed(b"data: {\"type\":\"nonsense", &mut chunks).unwrap();
    assert_eq!(chunks.len(), before);
}

#[test]
fn events_are_kept_as_they_came_but_pings_are_not() {
    let chunks = read_good(Protocol::Messages, TRANSCRIPT);
    let events: Vec<_> = chunks.iter().map(|chunk| chunk.event.clone().unwrap()).collect();
    assert!(
        events
            .iter()
            .all(|event| event.dialect == Dialect::Messages && !event.whole)
    );
    let expected: Vec<&str> = TRANSCRIPT
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| !data.contains("ping"))
        .collect();
    assert_eq!(
        events.iter().map(|event| event.data.clone()).collect::<Vec<_>>(),
        expected
    );
}

/// The smallest stream that ends for `reason`.
fn ending(reason: &str) -> String {
    sse(&[
        r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":1,"output_tokens":0}}}"#,
        &format!(r#"{{"type":"message_delta","delta":{{"stop_reason":{reason}}},"usage":{{"output_tokens":2}}}}"#),
    ])
}

#[test]
fn each_stop_reason_has_its_finish() {
    let table = [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("something_new", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
    ];
    for (reason, expected) in table {
        let chunks = read_good(Protocol::Messages, &ending(&format!("\"{reason}\"")));
        assert_eq!(
            show(&chunks),
            format!("-\nfinish {expected} | usage 1+2 cached 0 reasoning 0\n")
        );
    }
}

#[test]
fn a_stream_without_a_stop_reason_is_cut_off() {
    let truncated = Code::UpstreamTruncated;
    assert_eq!(read_bad(Protocol::Messages, &ending("null")).code(), truncated);
    assert_eq!(read_bad(Protocol::Messages, "").code(), truncated);
    let stopped = ending("null") + &sse(&[r#"{"type":"message_stop"}"#]);
    assert_eq!(read_bad(Protocol::Messages, &stopped).code(), truncated);
    for cut in [400, 900, 2000] {
        let (chunks, ended) = read(Protocol::Messages, [&TRANSCRIPT.as_bytes()[..cut]]);
        assert!(!chunks.is_empty());
        assert_eq!(ended.unwrap_err().code(), truncated);
    }
}

#[test]
fn an_error_in_the_stream_is_a_failure_of_its_kind() {
    let table = [
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            "upstream_error at -: The worker reports an error: Overloaded",
        ),
        (
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#,
            "rate_limit_exceeded at -: The worker reports an error: slow",
        ),
        (
            r#"{"type":"error","error":{"type":"authentication_error","message":"key"}}"#,
            "upstream_credentials at -: The worker refused the server's credentials.",
        ),
        (
            r#"{"type":"error"}"#,
            "upstream_error at -: The worker reports an error without a text.",
        ),
    ];
    for (error, expected) in table {
        assert_eq!(tell(&read_bad(Protocol::Messages, &sse(&[error]))), expected);
        let named = format!("event: error\ndata: {error}\n\n");
        assert_eq!(tell(&read_bad(Protocol::Messages, &named)), expected);
    }
}

#[test]
fn the_parts_of_a_prompts_tokens_are_added_up() {
    let usage = |start: &str, end: &str| {
        let stream = sse(&[
            &format!(r#"{{"type":"message_start","message":{{"usage":{start}}}}}"#),
            &format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{end}}}"#),
        ]);
        show(&read_good(Protocol::Messages, &stream))
            .replace("-\nfinish stop", "")
            .trim_end()
            .to_owned()
    };
    let table = [
        (
            r#"{"input_tokens":5}"#,
            r#"{"output_tokens":7}"#,
            " | usage 5+7 cached 0 reasoning 0",
        ),
        (
            r#"{"input_tokens":5,"cache_read_input_tokens":10,"cache_creation_input_tokens":20}"#,
            r#"{"output_tokens":7}"#,
            " | usage 35+7 cached 10 reasoning 0",
        ),
        (
            r#"{"input_tokens":5,"output_tokens":1}"#,
            r#"{"input_tokens":6,"output_tokens":7}"#,
            " | usage 6+7 cached 0 reasoning 0",
        ),
        (r#"{"input_tokens":-1}"#, r#"{"output_tokens":7}"#, ""),
        (r#"{"input_tokens":5}"#, r#"{"output_tokens":9223372036854775808}"#, ""),
        (
            r#"{"input_tokens":5,"cache_read_input_tokens":-3}"#,
            r#"{"output_tokens":7}"#,
            " | usage 5+7 cached 0 reasoning 0",
        ),
        ("null", "null", ""),
    ];
    for (start, end, expected) in table {
        assert_eq!(usage(start, end), expected, "{start} {end}");
    }
}

#[test]
fn blocks_that_have_no_words_here_say_nothing() {
    let chunks = read_good(
        Protocol::Messages,
        &(sse(&[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"x"}}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":"Hi"}}"#,
            r#"{"type":"something_new","x":1}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{}}}"#,
            r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a": 1.10}}}"#,
            r#"{"type":"content_block_stop","index":3}"#,
            "{}",
        ]) + &ending("\"tool_use\"")),
    );
    expect![[r#"
        -
        -
        -
        text "Hi"
        -
        -
        call[0] t f "{\"a\": 1.10}"
        -
        -
        -
        finish tool_calls | usage 1+2 cached 0 reasoning 0
    "#]]
    .assert_eq(&show(&chunks));
}

#[test]
fn what_is_no_event_is_a_failure() {
    for json in ["{", "7", r#"{"type":"content_block_delta","delta":{"text":7}}"#] {
        assert_eq!(
            read_bad(Protocol::Messages, &sse(&[json])).code(),
            Code::UpstreamProtocol,
            "{json}"
        );
    }
}

const WHOLE: &str = r#"{"id":"msg_2","type":"message","role":"assistant","model":"claude-x","content":[
    {"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"Hel"},{"type":"text","text":"lo"},
    {"type":"tool_use","id":"t1","name":"f","input":{"a": 1.10}},{"type":"tool_use","id":"t2","name":"g","input":{}}],
    "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":5}}"#;

#[test]
fn a_whole_answer_is_one_chunk() {
    let (meta, chunk) = whole::read(Protocol::Messages, &Bytes::from(WHOLE)).unwrap();
    assert_eq!((&*meta.id, &*meta.model, meta.created), ("msg_2", "claude-x", 0));
    let event = chunk.event.clone().unwrap();
    assert!(event.whole && event.dialect == Dialect::Messages && event.data == WHOLE);
    expect![[r#"
        reasoning "hm" | text "Hel" | text "lo" | call[0] t1 f "{\"a\": 1.10}" | call[1] t2 g "" | call[1] - - "{}" | finish tool_calls | usage 7+5 cached 4 reasoning 0
    "#]].assert_eq(&show(&[chunk]));
}

#[test]
fn an_error_in_the_place_of_a_whole_answer_is_a_failure() {
    let body = r#"{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}"#;
    let failure = whole::read(Protocol::Messages, &Bytes::from(body)).unwrap_err();
    assert_eq!(
        tell(&failure),
        "upstream_rejected at -: The worker reports an error: bad"
    );
}
