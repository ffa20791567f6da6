use super::*;
use crate::fixtures::{chat_stream, read, read_bad, read_good, show, sse, tell};
use expect_test::expect;
use orchestrator_core::Dialect;

/// A stream as vLLM and OpenAI send it, with two choices, a tool call and the usage.
const TRANSCRIPT: &str = r#": OPENROUTER PROCESSING

data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4-0613","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4-0613","choices":[{"index":0,"delta":{"reasoning":"Hm"},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4-0613","choices":[{"index":0,"delta":{"content":"Grüße"},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4-0613","choices":[{"index":1,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"get_weather","arguments":""}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4-0613","choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":\"Köln\"}"}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4-0613","choices":[{"index":1,"delta":{},"finish_reason":"tool_calls"}],"usage":null}

data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4-0613","choices":[{"index":0,"delta":{},"finish_reason":"stop","stop_reason":128009}],"usage":null}

data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4-0613","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":10,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":4}}}

data: [DONE]

"#;

const TEXT: &str = r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#;
const FINISH: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

#[test]
fn a_stream_is_read_as_openai_sends_it() {
    expect![[r#"
        -
        reasoning "Hm"
        text "Grüße"
        #1 call[0] call_1 get_weather ""
        #1 call[0] - - "{\"city\":\"Köln\"}"
        #1 finish tool_calls
        finish stop
        usage 8+10 cached 4 reasoning 0
    "#]]
    .assert_eq(&show(&read_good(Protocol::Chat, TRANSCRIPT)));
}

#[test]
fn the_worker_says_who_it_is() {
    let mut reader = Reader::new(Protocol::Chat);
    assert_eq!(reader.meta(), &Meta::default());
    reader.feed(TRANSCRIPT.as_bytes(), &mut Vec::new()).unwrap();
    let meta = reader.meta();
    assert_eq!(
        (&*meta.id, &*meta.model, meta.created),
        ("chatcmpl-7", "gpt-4-0613", 1_700_000_000)
    );
    assert!(reader.is_over());
}

#[test]
fn the_same_chunks_come_whatever_ends_the_lines() {
    let expected = read_good(Protocol::Chat, TRANSCRIPT);
    for stream in [
        TRANSCRIPT.replace('\n', "\r\n"),
        TRANSCRIPT.replace('\n', "\r"),
        TRANSCRIPT.replace("data: ", "data:"),
        format!("\u{feff}{TRANSCRIPT}"),
        TRANSCRIPT.replace("data: {", "event: message\nid: 3\ndata: {"),
        TRANSCRIPT.replace("\n\n", "\n: ping\n\n\n"),
    ] {
        assert_eq!(read_good(Protocol::Chat, &stream), expected);
    }
}

#[test]
fn an_event_of_many_lines_is_read() {
    let stream = "data: {\"choices\":\ndata: [{\"index\":0,\"delta\":{\"content\":\"a\"},\ndata: \"finish_reason\":\"stop\"}]}\n\n";
    assert_eq!(show(&read_good(Protocol::Chat, stream)), "text \"a\" | finish stop\n");
}

#[test]
fn a_stream_cut_at_every_byte_gives_the_same_chunks() {
    let bytes = TRANSCRIPT.as_bytes();
    let expected = read_good(Protocol::Chat, TRANSCRIPT);
    for at in 0..bytes.len() {
        let (first, second) = bytes.split_at(at);
        let (chunks, ended) = read(Protocol::Chat, [first, second]);
        ended.unwrap();
        assert_eq!(chunks, expected, "cut at {at}");
    }
    let (chunks, ended) = read(Protocol::Chat, bytes.chunks(1));
    ended.unwrap();
    assert_eq!(chunks, expected);
}

#[test]
fn a_stream_that_breaks_off_at_any_byte_is_never_a_good_end() {
    // The last finish is complete with the blank line behind it; from there on only the usage and the end can be missing.
    let whole = TRANSCRIPT.find("\n\ndata: {\"id\":\"chatcmpl-7\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"gpt-4-0613\",\"choices\":[],").unwrap() + 2;
    for at in 0..TRANSCRIPT.len() {
        let (_, ended) = read(Protocol::Chat, [&TRANSCRIPT.as_bytes()[..at]]);
        assert_eq!(ended.is_ok(), at >= whole, "broken off at {at}");
        if let Err(failure) = ended {
            assert_eq!(failure.code(), Code::UpstreamTruncated);
        }
    }
}

#[test]
fn chunks_that_arrive_together_come_together() {
    let mut reader = Reader::new(Protocol::Chat);
    let mut chunks = Vec::new();
    let burst = sse(&[TEXT; 32]);
    reader.feed(burst.as_bytes(), &mut chunks).unwrap();
    assert_eq!(chunks.len(), 32);
    let data: Vec<_> = chunks
        .iter()
        .map(|chunk| chunk.event.as_ref().unwrap().data.as_ptr())
        .collect();
    assert!(
        data.windows(2)
            .all(|pair| pair[0].wrapping_add(TEXT.len() + 8) == pair[1]),
        "out of one buffer"
    );
}

#[test]
fn the_end_may_lack_its_mark_but_not_its_finish() {
    assert_eq!(
        show(&read_good(Protocol::Chat, &sse(&[TEXT, FINISH]))),
        "text \"a\"\nfinish stop\n"
    );
    let table = [
        (
            String::new(),
            "upstream_truncated at -: The worker's stream ended without an answer.",
        ),
        (
            ": ping\n\n".to_owned(),
            "upstream_truncated at -: The worker's stream ended without an answer.",
        ),
        (
            "hello\n\n".to_owned(),
            "upstream_truncated at -: The worker's stream ended without an answer.",
        ),
        (
            sse(&[TEXT]),
            "upstream_truncated at -: The worker's answer ended before it was finished.",
        ),
        (
            chat_stream(&[TEXT]),
            "upstream_truncated at -: The worker's answer ended before it was finished.",
        ),
        (
            chat_stream(&[]),
            "upstream_truncated at -: The worker's answer ended before it was finished.",
        ),
        (
            sse(&[TEXT, FINISH]).trim_end().to_owned(),
            "upstream_truncated at -: The worker's answer ended before it was finished.",
        ),
    ];
    for (stream, expected) in table {
        assert_eq!(tell(&read_bad(Protocol::Chat, &stream)), expected, "{stream:?}");
    }
}

#[test]
fn every_choice_needs_its_finish() {
    let other = r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#;
    let its_finish = r#"{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}"#;
    let truncated = Code::UpstreamTruncated;
    assert_eq!(
        read_bad(Protocol::Chat, &chat_stream(&[TEXT, other, FINISH])).code(),
        truncated
    );
    assert_eq!(
        read_bad(Protocol::Chat, &chat_stream(&[TEXT, other, its_finish])).code(),
        truncated
    );
    read_good(Protocol::Chat, &chat_stream(&[TEXT, other, its_finish, FINISH]));
}

#[test]
fn what_comes_after_the_end_is_ignored() {
    let mut reader = Reader::new(Protocol::Chat);
    let mut chunks = Vec::new();
    let stream = chat_stream(&[TEXT, FINISH]) + "data: {broken\n\ndata: [DONE]\n\n";
    reader.feed(stream.as_bytes(), &mut chunks).unwrap();
    assert!(reader.is_over());
    reader.feed(b"\xff<html>", &mut chunks).unwrap();
    reader.end().unwrap();
    assert_eq!(chunks.len(), 2);
}

#[test]
fn what_is_no_stream_is_a_typed_failure() {
    let table = [
        (
            "data: {broken\n\n",
            "upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 2).",
        ),
        (
            "<!doctype html>\n<h1>502</h1>\n",
            "upstream_protocol at -: The worker sent a page in place of an event stream.",
        ),
        (
            "{\"error\":{\"message\":\"loading\",\"code\":503}}\n",
            "upstream_error at -: The worker reports an error: loading",
        ),
        (
            "data: {\"error\":{\"message\":\"boom\"}}\n\n",
            "upstream_error at -: The worker reports an error: boom",
        ),
        (
            "event: error\ndata: {\"message\":\"boom\"}\n\n",
            "upstream_error at -: The worker reports an error: boom",
        ),
        (
            "error: {\"message\":\"boom\",\"code\":500}\n\n",
            "upstream_error at -: The worker reports an error: boom",
        ),
        (
            "data: {\"choices\":[{\"index\":128,\"delta\":{\"content\":\"a\"}}]}\n\n",
            "upstream_protocol at -: The worker sent more than 128 choices.",
        ),
    ];
    for (stream, expected) in table {
        assert_eq!(tell(&read_bad(Protocol::Chat, stream)), expected, "{stream}");
    }
    let (_, ended) = read(Protocol::Chat, [&b"data: \"\xff\"\n\n"[..]]);
    assert_eq!(
        tell(&ended.unwrap_err()),
        "upstream_protocol at -: The worker sent an event that is not valid UTF-8."
    );
}

#[test]
fn chunks_before_a_failure_are_good() {
    let stream = sse(&[TEXT, TEXT]) + "data: {\"error\":\"boom\"}\n\n" + &sse(&[TEXT]);
    let (chunks, ended) = read(Protocol::Chat, [stream.as_bytes()]);
    assert_eq!(show(&chunks), "text \"a\"\ntext \"a\"\n");
    assert_eq!(ended.unwrap_err().code(), Code::UpstreamError);
}

#[test]
fn a_line_without_an_end_is_bounded() {
    let mut reader = Reader::new(Protocol::Chat);
    let piece = [b'x'; 1 << 16];
    let fed = (0..1000).try_for_each(|_| reader.feed(&piece, &mut Vec::new()));
    assert_eq!(fed.unwrap_err().code(), Code::UpstreamProtocol);
}

#[test]
fn the_highest_choice_that_a_request_may_ask_for_is_read() {
    let stream = sse(&[
        r#"{"choices":[{"index":127,"delta":{"content":"z"}}]}"#,
        r#"{"choices":[{"index":127,"delta":{},"finish_reason":"stop"},{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    ]);
    assert_eq!(
        show(&read_good(Protocol::Chat, &stream)),
        "#127 text \"z\"\n#127 finish stop | finish stop\n"
    );
}

#[test]
fn each_chunk_carries_its_event() {
    let chunks = read_good(Protocol::Chat, TRANSCRIPT);
    let events: Vec<_> = chunks.into_iter().map(|chunk| chunk.event.unwrap()).collect();
    assert!(
        events
            .iter()
            .all(|event| event.dialect == Dialect::Chat && !event.whole)
    );
    let expected: Vec<&str> = TRANSCRIPT
        .lines()
        .filter_map(|line| line.strip_prefix("data: ").filter(|data| data.starts_with('{')))
        .collect();
    assert_eq!(
        events.iter().map(|event| event.data.clone()).collect::<Vec<_>>(),
        expected
    );
}
