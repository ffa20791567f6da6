//! Frames that ask for nothing we can do: most are answered, some end the session with the code that RFC 6455 has for it.

use crate::{
    Config,
    fixtures::{Client, Doors, text_of},
};
use orchestrator_testkit::scripted::{Call as Script, Model};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

/// The socket still serves.
async fn still_serves(client: &mut Client) {
    client.submit("after", "x").await;
    assert_eq!(text_of(&client.hear_all().await), "fine");
}

#[tokio::test(start_paused = true)]
async fn frames_that_cannot_be_read_are_refused_and_the_socket_goes_on() {
    let table = [
        ("nonsense", None, None),
        ("", None, None),
        ("[]", None, None),
        ("{", None, None),
        ("{}", Some("type"), None),
        (r#"{"type":"sing","id":"c"}"#, Some("type"), Some("c")),
        (r#"{"type":"submit","id":"c"}"#, Some("request"), Some("c")),
        (r#"{"type":"submit","request":{}}"#, Some("id"), None),
        (r#"{"type":"submit","id":"","request":{}}"#, Some("id"), None),
        (r#"{"type":"submit","id":7,"request":{}}"#, Some("id"), None),
        (r#"{"type":"submit","id":"c","request":[]}"#, Some("request"), Some("c")),
        (
            r#"{"type":"submit","id":"c","request":{},"priority":"urgent"}"#,
            Some("priority"),
            Some("c"),
        ),
        (r#"{"type":"submit","id":"c","requests":{}}"#, None, Some("c")),
        (r#"{"type":"cancel"}"#, Some("id"), None),
        (r#"{"type":"resume","id":"c"}"#, Some("request_id"), Some("c")),
        (
            r#"{"type":"resume","id":"c","request_id":"x"}"#,
            Some("request_id"),
            Some("c"),
        ),
    ];
    let doors = Doors::before(Model::saying(["fine"]));
    let mut client = Client::connect(&doors).await;
    for (frame, field, id) in table {
        client.send(Message::text(frame)).await;
        let reply = client.hear().await;
        let expected = (&json!("error"), &json!("invalid_request"), id);
        assert_eq!(
            (&reply["type"], &reply["error"]["code"], reply["id"].as_str()),
            expected,
            "{frame}"
        );
        let message = reply["error"]["message"].as_str().unwrap();
        assert!(
            field.is_none_or(|field| message.contains(&format!("`{field}`"))),
            "{frame}: {message}"
        );
    }
    assert_eq!(doors.lines.model.calls(), 0);
    still_serves(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn bodies_that_are_no_chat_are_refused_by_name() {
    let doors = Doors::before(Model::saying(["fine"]));
    let mut client = Client::connect(&doors).await;
    let bodies = [
        json!({}),
        json!({ "model": "test" }),
        json!({ "model": "test", "messages": [] }),
        json!({ "model": "test", "messages": [{ "role": "robot", "content": "x" }] }),
        json!({ "model": 7, "messages": [{ "role": "user", "content": "x" }] }),
    ];
    for body in bodies {
        client
            .say(json!({ "type": "submit", "id": "c", "request": body }))
            .await;
        assert_eq!(
            client.refused().await,
            ("invalid_request".to_owned(), json!("c")),
            "{body}"
        );
    }
    still_serves(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn names_that_nothing_runs_under_cannot_be_cancelled() {
    let doors = Doors::before(Model::saying(["fine"]));
    let mut client = Client::connect(&doors).await;
    for id in ["never", "after"] {
        client.cancel(id).await;
        assert_eq!(client.refused().await, ("invalid_request".to_owned(), json!(id)));
        still_serves(&mut client).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_submission_says_of_streaming_does_not_matter() {
    let doors = Doors::before(Model::saying(["fine"]));
    let mut client = Client::connect(&doors).await;
    for stream in [Value::Null, json!(true), json!(false)] {
        let messages = json!([{ "role": "user", "content": "x" }]);
        let request = json!({ "model": "test", "messages": messages, "stream": stream });
        client
            .say(json!({ "type": "submit", "id": "c", "request": request }))
            .await;
        assert_eq!(text_of(&client.hear_all().await), "fine");
        assert!(doors.lines.last_asked().stream);
    }
}

#[tokio::test(start_paused = true)]
async fn who_names_no_model_means_the_first_that_is_listed() {
    let doors = Doors::before(Model::saying(["fine"]));
    let mut client = Client::connect(&doors).await;
    let messages = json!([{ "role": "user", "content": "x" }]);
    for (request, model) in [
        (json!({ "messages": messages }), "test"),
        (json!({ "messages": messages, "model": "org/other" }), "org/other"),
    ] {
        client
            .say(json!({ "type": "submit", "id": "c", "request": request }))
            .await;
        assert_eq!(text_of(&client.hear_all().await), "fine");
        assert_eq!(&*doors.lines.last_asked().model, model);
    }
}

#[tokio::test(start_paused = true)]
async fn frames_that_break_the_protocol_end_the_session_with_their_code() {
    const TEXT: u8 = 0x81;
    const MASKED: u8 = 0x80;
    let table: [(&str, &[u8], CloseCode, &str); 8] = [
        (
            "binary",
            &[0x82, MASKED, 0, 0, 0, 0],
            CloseCode::Unsupported,
            "text_frames_only",
        ),
        (
            "no UTF-8",
            &[TEXT, MASKED | 2, 0, 0, 0, 0, 0xc3, 0x28],
            CloseCode::Invalid,
            "invalid_utf8",
        ),
        ("not masked", &[TEXT, 1, b'{'], CloseCode::Protocol, "protocol_error"),
        (
            "unknown opcode",
            &[0x83, MASKED, 0, 0, 0, 0],
            CloseCode::Protocol,
            "protocol_error",
        ),
        (
            "reserved bits",
            &[0xf1, MASKED, 0, 0, 0, 0],
            CloseCode::Protocol,
            "protocol_error",
        ),
        (
            "a ping in pieces",
            &[0x09, MASKED, 0, 0, 0, 0],
            CloseCode::Protocol,
            "protocol_error",
        ),
        (
            "more of nothing",
            &[0x80, MASKED, 0, 0, 0, 0],
            CloseCode::Protocol,
            "protocol_error",
        ),
        (
            "an endless one",
            &[TEXT, MASKED | 127, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
            CloseCode::Size,
            "message_too_big",
        ),
    ];
    for (what, bytes, code, reason) in table {
        let doors = Doors::before(Model::following([Script::new().text("a").hang()]));
        let mut client = Client::connect(&doors).await;
        client.submit("c", "x").await;
        while client.hear().await["type"] != "token" {}
        client.send_bytes(bytes).await;
        let closed = client.closed().await.unwrap();
        assert_eq!((closed.code, closed.reason.as_str()), (code, reason), "{what}");
        doors.running(0).await;
        assert_eq!(doors.metric("orchestrator_ws_connections"), 0.0, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_may_be_as_large_as_a_body_and_no_larger() {
    let small = Config {
        max_body_bytes: 2048,
        ..Config::default()
    };
    let doors = Doors::with(small, Model::saying(["fine"]));
    let mut client = Client::connect(&doors).await;
    client.submit("c", &"x".repeat(1800)).await;
    assert_eq!(text_of(&client.hear_all().await), "fine");
    client.submit("c", &"x".repeat(2048)).await;
    let closed = client.closed().await.unwrap();
    assert_eq!(
        (closed.code, closed.reason.as_str()),
        (CloseCode::Size, "message_too_big")
    );
    assert_eq!(doors.lines.model.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_may_come_in_pieces_with_pings_between_them() {
    let doors = Doors::before(Model::saying(["fine"]));
    let mut client = Client::connect(&doors).await;
    let command = r#"{"type":"cancel","id":"nobody"}"#.as_bytes();
    let piece = |opcode: u8, bytes: &[u8]| [&[opcode, 0x80 | bytes.len() as u8, 0, 0, 0, 0], bytes].concat();
    let (one, other) = command.split_at(9);
    for bytes in [piece(0x01, one), piece(0x89, b"hi"), piece(0x80, other)] {
        client.send_bytes(&bytes).await;
    }
    assert!(matches!(client.next().await, Some(Message::Pong(echo)) if &*echo == b"hi"));
    assert_eq!(client.refused().await.1, json!("nobody"));
}
