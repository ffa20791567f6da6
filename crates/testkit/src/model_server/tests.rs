use super::*;
use expect_test::expect;
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// Sends a call on a connection of its own and reads until the server closes it.
fn ask(server: &ModelServer, path: &str, body: &str) -> String {
    let mut stream = send(server, path, body);
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn send(server: &ModelServer, path: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    let len = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len}\r\n\r\n");
    stream.write_all((head + body).as_bytes()).unwrap();
    stream
}

fn chat(server: &ModelServer, said: &str, stream: bool) -> String {
    let said = serde_json::to_string(said).unwrap();
    let body = format!(r#"{{"model":"m","stream":{stream},"messages":[{{"role":"user","content":{said}}}]}}"#);
    ask(server, "/v1/chat/completions", &body)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

/// The data of a chunked body.
fn dechunked(answer: &str) -> String {
    let (mut rest, mut data) = (body(answer), String::new());
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        data.push_str(&more[..size]);
        rest = &more[size + 2..];
    }
    data
}

fn two_words() -> Script {
    Script {
        pieces: vec!["Hi".into(), " you".into()],
        ..Script::default()
    }
}

#[test]
fn a_chat_is_answered_as_json_and_as_events() {
    let server = ModelServer::following(two_words());
    expect![[r#"{"id":"chatcmpl-scripted","object":"chat.completion","created":1767225600,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi you","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#]]
        .assert_eq(body(&chat(&server, "x", false)));
    expect![[r#"
        data: {"id":"chatcmpl-scripted","object":"chat.completion.chunk","created":1767225600,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

        data: {"id":"chatcmpl-scripted","object":"chat.completion.chunk","created":1767225600,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}

        data: {"id":"chatcmpl-scripted","object":"chat.completion.chunk","created":1767225600,"model":"m","choices":[{"index":0,"delta":{"content":" you"},"finish_reason":null}]}

        data: {"id":"chatcmpl-scripted","object":"chat.completion.chunk","created":1767225600,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

        data: [DONE]

    "#]]
    .assert_eq(&dechunked(&chat(&server, "x", true)));
}

#[test]
fn anthropics_messages_come_as_named_events() {
    let server = ModelServer::following(two_words());
    let body = r#"{"model":"c","stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}"#;
    expect![[r#"
        event: message_start
        data: {"type":"message_start","message":{"id":"chatcmpl-scripted","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":1}}}

        event: content_block_start
        data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

        event: ping
        data: {"type":"ping"}

        event: content_block_delta
        data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" you"}}

        event: content_block_stop
        data: {"type":"content_block_stop","index":0}

        event: message_delta
        data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}

        event: message_stop
        data: {"type":"message_stop"}

    "#]]
    .assert_eq(&dechunked(&ask(&server, "/v1/messages", body)));
    assert_eq!(server.counts("x").served, 1);
}

#[test]
fn ollama_streams_lines_unless_told_not_to() {
    let server = ModelServer::following(two_words());
    let body = r#"{"model":"o","messages":[{"role":"user","content":"x"}]}"#;
    expect![[r#"
        {"model":"o","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Hi"},"done":false}
        {"model":"o","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":" you"},"done":false}
        {"model":"o","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":5000000,"load_duration":1000000,"prompt_eval_count":7,"prompt_eval_duration":1000000,"eval_count":2,"eval_duration":3000000}
    "#]]
    .assert_eq(&dechunked(&ask(&server, "/api/chat", body)));
}

#[test]
fn usage_is_told_only_to_who_asks() {
    let server = ModelServer::start();
    let body = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
    let events = dechunked(&ask(&server, "/v1/chat/completions", body));
    assert!(
        events.contains(r#""choices":[],"usage":{"prompt_tokens":7,"completion_tokens":4"#),
        "{events}"
    );
    assert!(!chat(&server, "x", true).contains("usage"));
}

#[test]
fn the_script_comes_from_the_marker_the_models_name_or_the_server() {
    let server = ModelServer::start();
    let answer = chat(&server, &format!("count me {}", Script::failing(503).marker()), false);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(server.counts("count me").calls, 1);
    let named = r#"{"model":"script:{\"status\":418}","messages":[{"role":"user","content":"x"}]}"#;
    assert!(ask(&server, "/v1/chat/completions", named).starts_with("HTTP/1.1 418 "));
    server.script_for("m", Script::failing(404));
    assert!(chat(&server, "x", false).starts_with("HTTP/1.1 404 "));
    server.script(Script::failing(500));
    assert!(chat(&server, "x", false).starts_with("HTTP/1.1 404 "));
    let wrong = chat(&server, r#"[[script {"tokns":1}]]"#, false);
    assert!(
        wrong.starts_with("HTTP/1.1 400 ") && wrong.contains("unknown field `tokns`"),
        "{wrong}"
    );
}

#[test]
fn the_first_calls_of_a_tag_may_fail() {
    let busy = Script::failing(429).header("Retry-After", "2");
    let server = ModelServer::following(busy.then(2, Script::default()));
    let statuses = |tag: &str| [(); 3].map(|()| chat(&server, tag, false)[9..12].to_owned());
    assert_eq!(statuses("a"), ["429", "429", "200"]);
    assert_eq!(statuses("b"), ["429", "429", "200"]);
    assert!(chat(&server, "c", false).contains("\r\nRetry-After: 2\r\n"));
}

#[test]
fn a_cut_ends_the_body_after_so_many_bytes() {
    let cut = Script {
        cut_after: Some(10),
        ..two_words()
    };
    let server = ModelServer::following(cut.clone());
    assert_eq!(body(&chat(&server, "x", true)), "a\r\ndata: {\"id\r\n");
    assert_eq!(body(&chat(&server, "x", false)), "{\"id\":\"cha");
    server.script(Script { reset: true, ..cut });
    let mut stream = send(&server, "/v1/chat/completions", r#"{"stream":true,"messages":[]}"#);
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(server.stats().total.aborted, 0);
}

#[test]
fn bodies_and_responses_may_be_given_word_for_word() {
    let server = ModelServer::start();
    let hex = Script {
        body_hex: Some("ff00 0a".into()),
        framing: Some(Framing::Close),
        ..Script::default()
    };
    server.script(hex);
    let mut bytes = Vec::new();
    send(&server, "/v1/chat/completions", "{}")
        .read_to_end(&mut bytes)
        .unwrap();
    assert!(bytes.ends_with(b"\r\n\r\n\xff\x00\n"));
    server.script(Script {
        body: Some("not HTTP".into()),
        raw: true,
        ..Script::default()
    });
    assert_eq!(chat(&server, "x", true), "not HTTP");
    server.script(Script {
        body: Some("HTTP/1.1 200 OK".into()),
        raw: true,
        cut_after: Some(4),
        ..Script::default()
    });
    assert_eq!(chat(&server, "x", true), "HTTP");
}

#[test]
fn a_split_body_holds_the_same_bytes() {
    let server = ModelServer::following(two_words());
    let whole = dechunked(&chat(&server, "x", true));
    for split in [1, 7, 64] {
        server.script(Script { split, ..two_words() });
        assert_eq!(dechunked(&chat(&server, "x", true)), whole);
    }
}

#[test]
fn pieces_may_name_the_tag_and_the_call() {
    let script = Script {
        tokens: 2,
        piece: "{tag}/{call}/{i};".into(),
        ..Script::default()
    };
    let server = ModelServer::following(script);
    assert!(chat(&server, "a", false).contains("a/1/0;a/1/1;"));
    assert!(chat(&server, "b", false).contains("b/2/0;b/2/1;"));
}

#[tokio::test]
async fn a_client_that_leaves_counts_as_aborted_and_one_that_stays_as_served() {
    let server = ModelServer::following(Script::paced(3, 60_000));
    let paced = send(
        &server,
        "/v1/chat/completions",
        r#"{"stream":true,"messages":[{"content":"a"}]}"#,
    );
    server.script(Script::silent());
    let silent = send(&server, "/v1/chat/completions", r#"{"messages":[{"content":"b"}]}"#);
    let stats = server.until(|stats| stats.total.running == 2).await;
    assert_eq!((stats.peak, stats.connections), (2, 2));
    drop((paced, silent));
    let stats = server.until(|stats| stats.connections == 0).await;
    let aborted = Counts {
        calls: 1,
        aborted: 1,
        ..Counts::default()
    };
    assert_eq!((stats.tags["a"], stats.tags["b"]), (aborted, aborted));
    assert_eq!((stats.total.calls, stats.total.running, stats.total.served), (2, 0, 0));
}

#[test]
fn a_connection_serves_many_calls_and_keeps_what_came_ahead() {
    let server = ModelServer::start();
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    let body = r#"{"messages":[]}"#;
    let call = format!(
        "POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {}\r\nX-Key: k\r\n\r\n{body}",
        body.len()
    );
    let last = "GET /v1/models HTTP/1.1\r\nconnection: close\r\n\r\n";
    stream.write_all((call.repeat(2) + last).as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 3);
    assert_eq!((server.stats().total.served, server.stats().accepted), (2, 1));
    let received = server.received();
    assert_eq!(
        (received.len(), received[0].header("x-key"), &*received[1].body),
        (2, Some("k"), body.as_bytes())
    );
}

#[test]
fn it_is_ruled_from_outside() {
    let server = ModelServer::start();
    assert!(ask(&server, "/__script?model=m", r#"{"status":418}"#).starts_with("HTTP/1.1 200 "));
    assert!(chat(&server, "x", false).starts_with("HTTP/1.1 418 "));
    assert!(ask(&server, "/__script", r#"{"nope":1}"#).starts_with("HTTP/1.1 400 "));
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream
        .write_all(b"GET /__stats HTTP/1.1\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let stats: Stats = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!((stats.total.served, stats.tags["x"].calls), (1, 1));
    ask(&server, "/__reset", "");
    assert_eq!(server.stats().total, Counts::default());
    assert!(chat(&server, "x", false).starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_json_answer_takes_as_long_as_its_tokens_would() {
    let asked = |stream| play::Asked {
        format: render::Format::Chat,
        model: "m".into(),
        stream,
        include_usage: false,
    };
    let script = Script {
        head_ms: 1000,
        first_ms: 100,
        gap_ms: 10,
        tokens: 3,
        ..Script::default()
    };
    let pauses = |stream| {
        let play = play::Cache::default().play(asked(stream), &script, "", 1);
        let pauses = play.writes.iter().map(|write| write.after.as_millis());
        pauses.collect::<Vec<_>>()
    };
    // Head and role, three tokens, the last with what follows it; then head, body.
    assert_eq!(pauses(true), [1000, 100, 10, 10]);
    assert_eq!(pauses(false), [1000, 120]);
}

#[test]
fn a_burst_is_one_write() {
    let script = Script::paced(32, 0);
    let asked = play::Asked {
        format: render::Format::Messages,
        model: "m".into(),
        stream: true,
        include_usage: false,
    };
    assert_eq!(play::Cache::default().play(asked, &script, "", 1).writes.len(), 1);
}

#[test]
fn a_script_says_only_what_differs() {
    let script = Script::parse(r#"{"tokens":32,"gap_ms":5}"#).unwrap();
    assert_eq!((script.tokens, script.gap_ms, script.status), (32, 5, 200));
    assert_eq!(Script::parse(&script.json()), Ok(script));
}
