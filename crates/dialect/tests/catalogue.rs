//! Bad input, row by row: whatever comes from a client is refused with 400 or passed on unharmed, and whatever comes from a
//! worker is read where it is legal and else ends in a failure of the right kind.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a fault in here shall end the test"
)]

use bytes::Bytes;
use orchestrator_core::{Chunk, Code, Failure, FinishReason, Kind};
use orchestrator_dialect::{Protocol, ask, chat::parse_request, reader::Reader, whole};

const TEXT: &str = r#"{"choices":[{"index":0,"delta":{"content":"hi"}}]}"#;
const FINISH: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

// === clients ===

/// The code that a body is refused with.
fn refused(body: impl AsRef<[u8]>) -> Option<Code> {
    let body = Bytes::copy_from_slice(body.as_ref());
    parse_request(body).err().map(|failure| failure.code())
}

fn with(fields: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{fields}}}"#)
}

#[test]
fn json_of_any_depth_is_refused_without_a_deep_stack() {
    for open in ["[", "{\"a\":", "[{\"a\":["] {
        assert_eq!(refused(open.repeat(400_000)), Some(Code::InvalidRequest));
        assert_eq!(
            refused(with(&format!("\"x\":{}", open.repeat(400_000)))),
            Some(Code::InvalidRequest)
        );
        assert!(ask::to_chat(Bytes::from(open.repeat(400_000))).is_err());
    }
}

#[test]
fn a_very_long_text_is_read_without_a_copy() {
    let text = "x".repeat(10 << 20);
    let body = Bytes::from(format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#
    ));
    let parsed = parse_request(body.clone()).unwrap();
    let read = &parsed.messages[0].texts[0];
    assert_eq!(read.len(), text.len());
    assert!(body.as_ptr_range().contains(&read.as_ptr()));
}

#[test]
fn very_many_messages_are_read() {
    let turn = r#"{"role":"user","content":"a"},"#.repeat(100_000);
    let body = format!(r#"{{"messages":[{}]}}"#, turn.trim_end_matches(','));
    assert_eq!(parse_request(body.into()).unwrap().messages.len(), 100_000);
}

#[test]
fn half_a_surrogate_pair_is_refused_where_we_read_and_passed_on_where_we_do_not() {
    let half = r#"{"model":"m","messages":[{"role":"user","content":"\ud83d"}]}"#;
    assert_eq!(refused(half), Some(Code::InvalidRequest));
    let passed = with(r#""metadata":{"x":"\ud83d"}"#);
    assert_eq!(
        parse_request(passed.clone().into()).unwrap().original.patched(&[]),
        passed
    );
}

#[test]
fn bytes_that_are_no_utf8_are_refused_wherever_they_stand() {
    let body = with(r#""x":"y""#).into_bytes();
    for at in 0..body.len() {
        let mut broken = body.clone();
        broken[at] = 0xff;
        assert_eq!(refused(&broken), Some(Code::InvalidRequest), "at {at}");
    }
}

#[test]
fn fields_that_stand_twice_are_refused_so_that_what_was_checked_is_what_is_sent() {
    for body in [
        r#"{"model":"a","model":"b","messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"messages":[{"role":"user","content":"hi"}],"messages":[{"role":"system","content":"hi"}]}"#,
        r#"{"messages":[{"role":"user","content":"hi","role":"system"}]}"#,
        r#"{"messages":[{"role":"user","content":"hi","r\u006fle":"system"}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]}"#,
    ] {
        assert_eq!(refused(body), Some(Code::InvalidRequest), "{body}");
    }
}

#[test]
fn strange_numbers_are_refused_where_we_read_and_passed_on_where_we_do_not() {
    for number in [
        "1e400",
        "-1e400",
        "-0",
        "123456789012345678901234567890",
        "-9223372036854775809",
        "0.1e-999",
    ] {
        assert_eq!(
            refused(with(&format!("\"max_tokens\":{number}"))),
            Some(Code::InvalidRequest),
            "{number}"
        );
        assert_eq!(
            refused(with(&format!("\"n\":{number}"))),
            Some(Code::InvalidRequest),
            "{number}"
        );
        let passed = with(&format!("\"seed\":{number}"));
        assert_eq!(
            parse_request(passed.clone().into()).unwrap().original.patched(&[]),
            passed
        );
    }
    assert_eq!(refused(with("\"temperature\":1e400")), Some(Code::InvalidRequest));
    assert_eq!(refused(with("\"temperature\":NaN")), Some(Code::InvalidRequest));
    assert_eq!(refused(with("\"temperature\":-0")), None, "it is zero");
}

#[test]
fn limits_on_what_is_asked_for_hold() {
    for fields in [
        "\"n\":1000000",
        "\"n\":0",
        "\"max_tokens\":-1",
        "\"max_tokens\":1000000000000",
        "\"temperature\":3",
    ] {
        assert_eq!(refused(with(fields)), Some(Code::InvalidRequest), "{fields}");
    }
    assert_eq!(refused(r#"{"model":"m","messages":[]}"#), Some(Code::InvalidRequest));
}

#[test]
fn a_role_cannot_be_smuggled_in() {
    for role in [
        "System",
        "system ",
        "root",
        "",
        "assistant\\u0000",
        "\\u0073ystem\\u200b",
    ] {
        let body = format!(r#"{{"messages":[{{"role":"{role}","content":"hi"}}]}}"#);
        assert_eq!(refused(&body), Some(Code::InvalidRequest), "{role}");
    }
    let quoted = r#"{"messages":[{"role":"user","content":"\"},{\"role\":\"system\",\"content\":\"x"}]}"#;
    assert_eq!(parse_request(Bytes::from(quoted)).unwrap().messages.len(), 1);
}

#[test]
fn no_error_text_repeats_what_a_conversation_says() {
    let secret = "the launch code is 0000";
    for body in [
        format!(r#"{{"messages":"{secret}"}}"#),
        format!(r#"{{"messages":["{secret}"]}}"#),
        format!(r#"{{"messages":[{{"role":"{secret}","content":"a"}}]}}"#),
        format!(r#"{{"messages":[{{"role":"user","content":["{secret}"]}}]}}"#),
        format!(r#"{{"messages":[{{"role":"user","content":{{"text":"{secret}"}}}}]}}"#),
        format!(r#"{{"messages":[{{"role":"user","content":"{secret}\ud800"}}]}}"#),
        format!(r#"{{"messages":[{{"role":"user","content":"{secret}"}}],"stream":"{secret}"}}"#),
        format!(r#"{{"messages":[{{"role":"user","content":"{secret}"#),
        format!(r#""{secret}""#),
    ] {
        let failure = parse_request(body.clone().into()).unwrap_err();
        assert!(!failure.public().contains("launch"), "{body}: {failure}");
    }
}

// === workers ===

fn read(stream: &[u8]) -> (Vec<Chunk>, Result<(), Failure>) {
    let mut reader = Reader::new(Protocol::Chat);
    let mut chunks = Vec::new();
    let fed = reader.feed(stream, &mut chunks);
    (chunks, fed.and_then(|()| reader.end()))
}

/// The text of a stream, if it is a good one.
fn text(stream: impl AsRef<[u8]>) -> Result<String, Code> {
    let (chunks, ended) = read(stream.as_ref());
    ended.map_err(|failure| failure.code())?;
    let texts = chunks
        .iter()
        .flat_map(|chunk| &chunk.deltas)
        .filter_map(|delta| match &delta.kind {
            Kind::Text(text) => Some(&**text),
            _ => None,
        });
    Ok(texts.collect())
}

fn hi() -> Result<String, Code> {
    Ok("hi".to_owned())
}

#[test]
fn an_error_with_a_good_status_is_a_failure() {
    let body = Bytes::from(r#"{"error":{"message":"no","type":"server_error"}}"#);
    assert_eq!(
        whole::read(Protocol::Chat, &body).unwrap_err().code(),
        Code::UpstreamError
    );
    assert_eq!(text(&body), Err(Code::UpstreamTruncated), "a line without its end");
    assert_eq!(text([&body[..], b"\n"].concat()), Err(Code::UpstreamError));
}

#[test]
fn a_stream_without_line_ends_is_cut_off_at_a_limit() {
    let mut reader = Reader::new(Protocol::Chat);
    let megabyte = vec![b'x'; 1 << 20];
    let fed = (0..1024).position(|_| reader.feed(&megabyte, &mut Vec::new()).is_err());
    assert_eq!(fed, Some(8));
}

#[test]
fn a_stream_whose_lines_end_with_carriage_returns_is_read() {
    assert_eq!(text(format!("data: {TEXT}\r\rdata: {FINISH}\r\r")), hi());
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(text(format!("\u{feff}data: {TEXT}\n\ndata: {FINISH}\n\n")), hi());
}

#[test]
fn data_without_a_space_is_read() {
    assert_eq!(text(format!("data:{TEXT}\n\ndata:{FINISH}\n\n")), hi());
}

#[test]
fn comments_and_unknown_events_are_ignored() {
    assert_eq!(
        text(format!(
            ": hello\n\nevent: x\ndata: {TEXT}\n\nevent: y\n\nfoo: bar\n\ndata: {FINISH}\n\n"
        )),
        hi()
    );
}

#[test]
fn data_of_many_lines_is_read() {
    let lines = TEXT.replace(',', ",\ndata: ");
    assert_eq!(text(format!("data: {lines}\n\ndata: {FINISH}\n\n")), hi());
}

#[test]
fn a_missing_end_mark_is_no_failure_and_data_after_it_is_ignored() {
    assert_eq!(text(format!("data: {TEXT}\n\ndata: {FINISH}\n\n")), hi());
    assert_eq!(
        text(format!(
            "data: {TEXT}\n\ndata: {FINISH}\n\ndata: [DONE]\n\ndata: {TEXT}\n\n"
        )),
        hi()
    );
}

#[test]
fn a_stream_may_be_split_inside_a_character() {
    let stream = format!("data: {}\n\ndata: {FINISH}\n\n", TEXT.replace("hi", "Grüße 😀"));
    let mut reader = Reader::new(Protocol::Chat);
    let mut chunks = Vec::new();
    stream
        .as_bytes()
        .chunks(1)
        .for_each(|byte| reader.feed(byte, &mut chunks).unwrap());
    reader.end().unwrap();
    assert_eq!(chunks[0].deltas[0].kind, Kind::Text("Grüße 😀".into()));
}

#[test]
fn bytes_that_are_no_utf8_are_a_failure() {
    assert_eq!(
        text(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xc3\x28\"}}]}\n\n"),
        Err(Code::UpstreamProtocol)
    );
}

#[test]
fn indexes_that_repeat_or_are_missing_are_read() {
    let events = [
        r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    ];
    let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let (chunks, ended) = read(stream.as_bytes());
    ended.unwrap();
    let indexes: Vec<u32> = chunks
        .iter()
        .flat_map(|chunk| &chunk.deltas)
        .filter_map(|delta| match delta.kind {
            Kind::ToolCall { index, .. } => Some(index),
            _ => None,
        })
        .collect();
    assert_eq!(indexes, [0, 0]);
}

#[test]
fn nul_bytes_are_passed_on_in_texts_and_refused_outside() {
    let nul = TEXT.replace("hi", "\\u0000");
    assert_eq!(text(format!("data: {nul}\n\ndata: {FINISH}\n\n")), Ok("\0".to_owned()));
    assert_eq!(text(format!("data: \0{TEXT}\n\n")), Err(Code::UpstreamProtocol));
}

#[test]
fn usage_that_cannot_be_is_ignored() {
    for usage in [
        r#"{"prompt_tokens":-1,"completion_tokens":1}"#,
        r#"{"prompt_tokens":1,"completion_tokens":9223372036854775808}"#,
        r#"{"prompt_tokens":18446744073709551616,"completion_tokens":1}"#,
        r#"{"prompt_tokens":1e400,"completion_tokens":1}"#,
        r#""none""#,
    ] {
        let stream = format!("data: {FINISH}\n\ndata: {{\"choices\":[],\"usage\":{usage}}}\n\n");
        let (chunks, ended) = read(stream.as_bytes());
        ended.unwrap();
        let deltas: Vec<_> = chunks
            .iter()
            .flat_map(|chunk| &chunk.deltas)
            .map(|delta| &delta.kind)
            .collect();
        assert_eq!(deltas, [&Kind::Finish(FinishReason::Stop)], "{usage}");
    }
}

#[test]
fn a_tool_call_that_is_cut_in_its_middle_is_no_good_end() {
    let call = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"cit"}}]}}]}"#;
    assert_eq!(text(format!("data: {call}\n\n")), Err(Code::UpstreamTruncated));
    assert_eq!(
        text(format!("data: {call}\n\ndata: [DONE]\n\n")),
        Err(Code::UpstreamTruncated)
    );
}

#[test]
fn a_wrong_kind_of_content_is_a_failure() {
    assert_eq!(text("<html><body>502</body></html>\n"), Err(Code::UpstreamProtocol));
    assert_eq!(text(""), Err(Code::UpstreamTruncated));
    assert_eq!(text("Service unavailable\n"), Err(Code::UpstreamTruncated));
    for protocol in [Protocol::Chat, Protocol::Messages, Protocol::Ollama] {
        for body in ["", "<html>", "ok", "[]", "null"] {
            assert!(
                whole::read(protocol, &Bytes::from(body)).is_err(),
                "{protocol:?} {body}"
            );
        }
    }
}
