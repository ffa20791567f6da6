//! Our WebSocket, with a real client.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a fault in here shall end the test"
)]

use futures_util::{SinkExt, StreamExt};
use orchestrator_e2e::{Program, get};
use orchestrator_testkit::{ModelServer, Script};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(program: &Program) -> Self {
        Client(
            connect_async(format!("ws://{}/v1/stream", program.address))
                .await
                .unwrap()
                .0,
        )
    }

    async fn say(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn submit(&mut self, id: &str, text: &str) {
        let request = json!({ "model": "test", "messages": [{ "role": "user", "content": text }] });
        self.say(json!({ "type": "submit", "id": id, "request": request }))
            .await;
    }

    async fn hear(&mut self) -> Value {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until an answer has begun.
    async fn first_token(&mut self) {
        assert_eq!(self.hear().await["type"], "accepted");
        assert_eq!(self.hear().await["type"], "token");
    }

    /// All of one answer: what was accepted, the text, and the last frame.
    async fn answer(&mut self) -> (Value, String, Value) {
        let accepted = self.hear().await;
        let mut text = String::new();
        loop {
            let frame = self.hear().await;
            match frame["type"].as_str() {
                Some("token") => text.push_str(frame["text"].as_str().unwrap()),
                _ => return (accepted, text, frame),
            }
        }
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

#[test]
fn an_answer_is_accepted_told_and_done() {
    let program = Program::start("");
    run(async {
        let mut client = Client::connect(&program).await;
        client.submit("c1", "one two three").await;
        let (accepted, text, done) = client.answer().await;
        assert_eq!(
            (&accepted["type"], &accepted["id"], &accepted["cache"]),
            (&json!("accepted"), &json!("c1"), &json!("MISS"))
        );
        assert!(accepted["request_id"].as_str().unwrap().starts_with("req_"));
        assert_eq!(text, "one two three");
        assert_eq!(
            (&done["type"], &done["finish_reason"], &done["worker"]),
            (&json!("done"), &json!("stop"), &json!("echo"))
        );
        assert_eq!(done["usage"]["total_tokens"], 6);
    });
}

#[test]
fn many_requests_share_a_socket_without_mixing() {
    let server = ModelServer::following(Script {
        piece: "{tag}-{i} ".to_owned(),
        tokens: 20,
        gap_ms: 2,
        ..Script::default()
    });
    let program = Program::before(&server.url(), "");
    run(async {
        let mut client = Client::connect(&program).await;
        for number in 0..20 {
            client.submit(&format!("c{number}"), &format!("t{number}")).await;
        }
        let mut texts = std::collections::BTreeMap::<String, String>::new();
        let mut done = 0;
        while done < 20 {
            let frame = client.hear().await;
            let id = frame["id"].as_str().unwrap().to_owned();
            match frame["type"].as_str().unwrap() {
                "token" => texts.entry(id).or_default().push_str(frame["text"].as_str().unwrap()),
                "done" => done += 1,
                "accepted" => {}
                other => panic!("{other}"),
            }
        }
        for number in 0..20 {
            let expected: String = (0..20).map(|piece| format!("t{number}-{piece} ")).collect();
            assert_eq!(texts[&format!("c{number}")], expected);
        }
    });
}

#[test]
fn a_cancelled_request_ends_as_cancelled_and_stops_upstream() {
    let server = ModelServer::following(Script::paced(10_000, 5));
    let program = Program::before(&server.url(), "");
    run(async {
        let mut client = Client::connect(&program).await;
        client.submit("c1", "endless").await;
        client.first_token().await;
        client.submit("c1", "again").await;
        let mut frame = client.hear().await;
        while frame["type"] == "token" {
            frame = client.hear().await;
        }
        assert_eq!(frame["error"]["code"], "id_in_use");
        client.say(json!({ "type": "cancel", "id": "c1" })).await;
        let mut frame = client.hear().await;
        while frame["type"] == "token" {
            frame = client.hear().await;
        }
        assert_eq!(
            (&frame["id"], &frame["error"]["code"]),
            (&json!("c1"), &json!("cancelled"))
        );
        let stats = server.until(|stats| stats.total.running == 0).await;
        assert_eq!(stats.total.aborted, 1);
    });
}

#[test]
fn a_client_that_comes_back_hears_the_rest() {
    let server = ModelServer::following(Script::paced(60, 10));
    let program = Program::before(&server.url(), "");
    run(async {
        let mut client = Client::connect(&program).await;
        client.submit("c1", "resume me").await;
        let accepted = client.hear().await;
        let mut text = String::new();
        let mut seq = 0;
        for _ in 0..5 {
            let frame = client.hear().await;
            text.push_str(frame["text"].as_str().unwrap());
            seq = frame["seq"].as_u64().unwrap();
        }
        // The connection breaks off without a goodbye.
        drop(client);
        let mut client = Client::connect(&program).await;
        client
            .say(json!({ "type": "resume", "id": "again", "request_id": accepted["request_id"], "after": seq }))
            .await;
        let (_, rest, done) = client.answer().await;
        text.push_str(&rest);
        let expected: String = (0..60).map(|piece| format!("tok{piece} ")).collect();
        assert_eq!((text, &done["type"]), (expected, &json!("done")));
        assert_eq!(server.counts("resume me").calls, 1);
        client
            .say(json!({ "type": "resume", "id": "x", "request_id": "req_00000000000000000000000000000000" }))
            .await;
        assert_eq!(client.hear().await["error"]["code"], "resume_not_possible");
    });
}

#[test]
fn a_clean_goodbye_ends_the_call_at_once() {
    let server = ModelServer::following(Script::paced(10_000, 5));
    let program = Program::before(&server.url(), "");
    run(async {
        let mut client = Client::connect(&program).await;
        client.submit("c1", "endless").await;
        client.first_token().await;
        client.0.close(None).await.unwrap();
        let stats = server.until(|stats| stats.total.running == 0).await;
        assert_eq!(stats.total.aborted, 1);
    });
}

#[test]
fn five_hundred_listeners_hear_one_call() {
    let server = ModelServer::following(Script::paced(20, 10));
    let program = Program::before(&server.url(), "[pipeline.deduplication]\nwindow_s = 60\n");
    run(async {
        let mut clients = Vec::new();
        for _ in 0..500 {
            clients.push(Client::connect(&program).await);
        }
        let answers = clients.iter_mut().map(|client| async move {
            client.submit("c", "same").await;
            client.answer().await
        });
        let expected: String = (0..20).map(|piece| format!("tok{piece} ")).collect();
        for (_, text, done) in futures_util::future::join_all(answers).await {
            assert_eq!((text.as_str(), &done["type"]), (expected.as_str(), &json!("done")));
        }
        assert_eq!(server.counts("same").calls, 1);
    });
}

#[test]
fn frames_that_ask_for_nothing_are_answered_and_the_socket_lives() {
    let program = Program::start("");
    run(async {
        let mut client = Client::connect(&program).await;
        for bad in [
            "{",
            "[]",
            r#"{"type":"dance","id":"a"}"#,
            r#"{"type":"submit","id":"a"}"#,
            r#"{"type":"submit","id":"a","request":{"messages":[]}}"#,
        ] {
            client.0.send(Message::text(bad)).await.unwrap();
            let frame = client.hear().await;
            assert_eq!(
                (&frame["type"], &frame["error"]["code"]),
                (&json!("error"), &json!("invalid_request")),
                "{bad}"
            );
        }
        client.submit("c1", "still here").await;
        assert_eq!(client.answer().await.1, "still here");
    });
}

#[test]
fn a_plain_request_is_told_to_upgrade() {
    let program = Program::start("");
    let reply = get(program.address, "/v1/stream");
    assert_eq!((reply.status, reply.header("upgrade")), (426, Some("websocket")));
}

#[test]
fn going_down_closes_idle_sockets_as_going_away() {
    let program = Program::start("[shutdown]\npre_stop_ms = 10\ngrace_ms = 2000\n");
    run(async {
        let mut client = Client::connect(&program).await;
        program.signal("TERM");
        match client.0.next().await.unwrap().unwrap() {
            Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 1001),
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(program.wait().code, Some(0));
}
