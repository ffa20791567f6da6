//! How sessions end: by their client, by silence, with the process.

use crate::{
    Config, Stage,
    fixtures::{Client, Doors, logged, post, text_of},
};
use expect_test::expect;
use futures_util::future::join_all;
use orchestrator_testkit::{
    Timeline,
    scripted::{Call as Script, Model},
};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

fn hanging() -> Model {
    Model::following([Script::new().text("a").hang()])
}

/// A client that has heard the first token of a request.
async fn mid_stream(doors: &Doors) -> Client {
    let mut client = Client::connect(doors).await;
    client.submit("c", "x").await;
    while client.hear().await["type"] != "token" {}
    client
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_goodbye_leaves_all_at_once() {
    let doors = Doors::before(hanging());
    let client = mid_stream(&doors).await;
    assert_eq!(doors.metric("orchestrator_ws_connections"), 1.0);
    let began = Instant::now();
    client.close().await;
    doors.running(0).await;
    assert!(
        began.elapsed() < Duration::from_millis(5),
        "there is no window for one who said goodbye"
    );
    assert_eq!(doors.metric("orchestrator_ws_connections"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_is_answered_with_its_own_code() {
    let doors = Doors::before(hanging());
    let mut client = Client::connect(&doors).await;
    client.send_bytes(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).await;
    assert_eq!(client.closed().await.unwrap().code, CloseCode::Normal);
    assert!(client.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_silent_but_there_is_kept() {
    let doors = Doors::before(hanging());
    let mut client = mid_stream(&doors).await;
    let mut pings = 0;
    let listening = async {
        loop {
            match client.next().await {
                Some(Message::Ping(_)) => pings += 1,
                other => panic!("{other:?}"),
            }
        }
    };
    assert!(timeout(Duration::from_secs(599), listening).await.is_err());
    assert_eq!((pings, doors.lines.model.running()), (29, 1), "every 20 s");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_no_ping_is_gone() {
    let doors = Doors::before(hanging());
    let client = mid_stream(&doors).await;
    let began = Instant::now();
    doors.running(0).await;
    assert_eq!(
        began.elapsed().as_secs(),
        65,
        "three pings, and the window for its return"
    );
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn any_frame_is_a_sign_of_life() {
    let doors = Doors::before(hanging());
    let mut client = mid_stream(&doors).await;
    for _ in 0..10 {
        sleep(Duration::from_secs(39)).await;
        client.cancel("nobody").await;
    }
    assert_eq!(doors.lines.model.running(), 1);
}

#[tokio::test(start_paused = true)]
async fn sockets_that_only_listen_are_told_when_we_go() {
    let doors = Doors::before(hanging());
    let (mut client, timeline) = (Client::connect(&doors).await, Timeline::begin());
    doors.director.enter(Stage::Leaving);
    let goes = async {
        sleep(Duration::from_secs(5)).await;
        doors.director.enter(Stage::Draining);
    };
    tokio::join!(client.note_all(&timeline), goes);
    expect![[r"
        5000   close 1001 server_draining
        5000   over
    "]]
    .assert_eq(&timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn what_runs_may_finish_while_we_drain_and_nothing_new_begins() {
    let doors = Doors::before(Model::following([Script::paced(2, 1_000)]));
    let (mut client, timeline) = (Client::connect(&doors).await, Timeline::begin());
    client.submit("runs", "x").await;
    sleep(Duration::from_millis(500)).await;
    doors.director.enter(Stage::Draining);
    client.submit("late", "x").await;
    client.note_all(&timeline).await;
    expect![[r#"
        500    runs accepted MISS
        500    late error server_draining
        1000   runs token 0 "t0 "
        2000   runs token 2 "t1 "
        2000   runs done stop 1000
        2000   close 1001 server_draining
        2000   over
    "#]]
    .assert_eq(&timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn what_still_runs_when_the_time_is_up_ends_with_a_clear_failure() {
    let doors = Doors::before(hanging());
    let mut client = mid_stream(&doors).await;
    doors.director.enter(Stage::Draining);
    sleep(Duration::from_secs(20)).await;
    doors.director.enter(Stage::Over);
    assert_eq!(client.refused().await, ("server_draining".to_owned(), json!("c")));
    assert_eq!(client.closed().await.unwrap().code, CloseCode::Away);
    doors.running(0).await;
}

#[tokio::test(start_paused = true)]
async fn while_we_leave_the_next_request_is_still_served() {
    let doors = Doors::before(Model::saying(["fine"]));
    let mut client = Client::connect(&doors).await;
    doors.director.enter(Stage::Leaving);
    client.submit("c", "x").await;
    assert_eq!(text_of(&client.hear_all().await), "fine");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_while_we_drain_is_refused() {
    let doors = Doors::before(hanging());
    let mut wire = doors.connect();
    doors.director.enter(Stage::Draining);
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    wire.say(post("/v1/stream", upgrade, "").replacen("POST", "GET", 1))
        .await;
    let answer = wire.rest().await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("server_draining"),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_ends_alone() {
    let doors = Doors::before(Model::following([Script::new().hang(), Script::saying(["fine"])]));
    let mut client = Client::connect_wishing(&doors, &[("x-orchestrator-timeout-ms", "250")]).await;
    let began = Instant::now();
    client.submit("c", "x").await;
    client.accepted().await;
    assert_eq!(client.refused().await, ("deadline_exceeded".to_owned(), json!("c")));
    assert_eq!(began.elapsed().as_millis(), 250);
    client.submit("c", "x").await;
    assert_eq!(text_of(&client.hear_all().await), "fine");
}

#[tokio::test(start_paused = true)]
async fn each_of_a_crowd_ends_at_its_own_deadline() {
    let doors = Doors::before(Model::following([Script::paced(5, 40)]));
    let patient = |patience| [("x-orchestrator-timeout-ms", patience)];
    let timeline = Timeline::begin();
    let mut asks = Client::connect(&doors).await;
    asks.submit("asks", "x").await;
    let request_id = asks.accepted().await;
    // Between two tokens, at one, and never.
    let mut crowd = vec![asks];
    for (id, patience) in [("between", "100"), ("at", "120"), ("never", "500")] {
        let mut client = Client::connect_wishing(&doors, &patient(patience)).await;
        client.resume(id, &request_id, None).await;
        crowd.push(client);
    }
    let listening = crowd
        .iter_mut()
        .map(|client| timeout(Duration::from_secs(1), client.note_all(&timeline)));
    join_all(listening).await;
    expect![[r#"
        0      between accepted MISS
        0      at accepted MISS
        0      never accepted MISS
        40     asks token 0 "t0 "
        40     between token 0 "t0 "
        40     at token 0 "t0 "
        40     never token 0 "t0 "
        80     asks token 1 "t1 "
        80     between token 1 "t1 "
        80     at token 1 "t1 "
        80     never token 1 "t1 "
        100    between error deadline_exceeded
        120    asks token 2 "t2 "
        120    at error deadline_exceeded
        120    never token 2 "t2 "
        160    asks token 3 "t3 "
        160    never token 3 "t3 "
        200    asks token 5 "t4 "
        200    asks done stop 40
        200    never token 5 "t4 "
        200    never done stop 40
    "#]]
    .assert_eq(&timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_heard_of_beside_another_request_and_alone_again() {
    let doors = Doors::before(Model::responding(|_, _| Script::paced(20, 40)));
    let mut client = Client::connect_wishing(&doors, &[("x-orchestrator-timeout-ms", "250")]).await;
    let timeline = Timeline::begin();
    client.submit("first", "x").await;
    drop(timeout(Duration::from_millis(90), client.note_all(&timeline)).await);
    client.submit("second", "y").await;
    drop(timeout(Duration::from_secs(1), client.note_all(&timeline)).await);
    expect![[r#"
        0      first accepted MISS
        40     first token 0 "t0 "
        80     first token 1 "t1 "
        90     second accepted MISS
        120    first token 2 "t2 "
        130    second token 0 "t0 "
        160    first token 3 "t3 "
        170    second token 1 "t1 "
        200    first token 4 "t4 "
        210    second token 2 "t2 "
        240    first token 5 "t5 "
        250    first error deadline_exceeded
        250    second token 3 "t3 "
        290    second token 4 "t4 "
        330    second token 5 "t5 "
        340    second error deadline_exceeded
    "#]]
    .assert_eq(&timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_ours_leaves_no_socket_behind() {
    let doors = Doors::before(hanging()).asking(|| panic!("a fault"));
    let mut client = Client::connect(&doors).await;
    let open = || {
        let gauges = ["orchestrator_connections", "orchestrator_ws_connections"];
        gauges.map(|gauge| doors.metric(gauge))
    };
    assert_eq!(open(), [1.0, 1.0]);
    client.submit("c", "x").await;
    assert!(client.closed().await.is_none());
    assert_eq!(open(), [0.0, 0.0]);
}

/// The head of a text frame of so many bytes under a mask that changes nothing.
fn head(bytes: u16) -> Vec<u8> {
    [&[0x81, 0x80 | 126], &bytes.to_be_bytes()[..], &[0; 4]].concat()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_still_sending_is_there() {
    let patient = Config {
        body_timeout_ms: 600_000,
        ..Config::default()
    };
    let doors = Doors::with(patient, hanging());
    let mut client = mid_stream(&doors).await;
    let command = json!({ "type": "cancel", "id": "c", }).to_string();
    let command = format!("{command:>300}");
    client.send_bytes(&head(300)).await;
    for byte in command.as_bytes() {
        sleep(Duration::from_secs(1)).await;
        client.send_bytes(&[*byte]).await;
    }
    assert_eq!(client.refused().await.0, "cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_never_finished_ends_the_session() {
    // One that stops is there for two pings at most: its time must be shorter to be what ends it.
    for (limit, more) in [(15, ""), (60, " ")] {
        let config = Config {
            body_timeout_ms: limit * 1_000,
            ..Config::default()
        };
        let doors = Doors::with(config, hanging());
        let mut client = mid_stream(&doors).await;
        sleep(Duration::from_secs(30)).await;
        client.cancel("nobody").await;
        client.refused().await;
        let began = Instant::now();
        client.send_bytes(&head(300)).await;
        for _ in 0..limit / 3 {
            sleep(Duration::from_secs(2)).await;
            client.send_bytes(more.as_bytes()).await;
        }
        let closed = client.closed().await.unwrap();
        assert_eq!(
            (closed.code, closed.reason.as_str()),
            (CloseCode::Policy, "request_timeout")
        );
        assert_eq!(began.elapsed().as_secs(), limit, "as long as a body may take");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_and_the_end_of_its_session_are_logged() {
    let doors = Doors::logging(Config::default(), hanging(), logged::access());
    let client = Client::connect_wishing(&doors, &[("x-request-id", "a-handshake")]).await;
    let lines = logged::lines_where("caller_id", "a-handshake");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        (&lines[0]["status"], &lines[0]["outcome"], &lines[0]["duration_us"]),
        (&json!(101), &json!("ok"), &json!(0))
    );
    sleep(Duration::from_secs(37)).await;
    client.close().await;
    let ends = logged::lines_where("message", "websocket over");
    let ours = ends.iter().find(|line| line["duration_us"] == 37_000_000_u64);
    assert_eq!(ours.unwrap()["reason"], "closed_by_client", "{ends:?}");
    assert_eq!(
        doors.metric(r#"orchestrator_request_duration_seconds_sum{path="/v1/stream"}"#),
        0.0
    );
}
