//! Clients that take what we send slowly, or not at all.

use crate::{
    Config, Stage,
    fixtures::{Client, Doors, text_of},
};
use orchestrator_testkit::{
    Timeline,
    scripted::{Call as Script, Model},
};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

/// Bytes on their way in a pipe that is soon full.
const NARROW: usize = 512;

/// So many tokens, as fast as a millisecond allows.
fn saying(tokens: usize) -> Model {
    Model::following([Script::paced(tokens, 1)])
}

fn all(tokens: usize) -> String {
    (0..tokens).map(|nth| format!("t{nth} ")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_loses_nothing_and_hears_the_rest_in_fewer_frames() {
    let doors = Doors::before(saying(5_000));
    let mut client = Client::connect_narrow(&doors, NARROW).await;
    client.submit("c", "x").await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(doors.lines.model.finished(), 1, "the writer is not held up");
    let frames = client.hear_all().await;
    assert_eq!(text_of(&frames), all(5_000));
    let seqs: Vec<u64> = frames.iter().filter_map(|frame| frame["seq"].as_u64()).collect();
    assert!(seqs.is_sorted() && seqs.last() == Some(&5_000));
    assert!(seqs.len() < 2_500, "{} frames", seqs.len());
    assert_eq!(frames.last().unwrap()["type"], "done");
}

#[tokio::test(start_paused = true)]
async fn what_a_slow_reader_has_not_taken_is_in_flight_and_sent_before_we_go() {
    let doors = Doors::before(saying(100));
    let mut client = Client::connect_narrow(&doors, NARROW).await;
    client.submit("c", "x").await;
    sleep(Duration::from_secs(1)).await;
    doors.director.enter(Stage::Draining);
    let in_flight = || (doors.lines.model.finished(), doors.lines.ledger.requests());
    sleep(Duration::from_secs(20)).await;
    assert_eq!(in_flight(), (1, 1));
    assert_eq!(text_of(&client.hear_all().await), all(100));
    assert_eq!(client.closed().await.unwrap().code, CloseCode::Away);
    assert_eq!(in_flight(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_delays_nobody() {
    let doors = Doors::before(saying(100));
    let mut slow = Client::connect_narrow(&doors, NARROW).await;
    slow.submit("slow", "x").await;
    let mut quick = Client::connect(&doors).await;
    quick.submit("quick", "x").await;
    let began = Instant::now();
    assert_eq!(text_of(&quick.hear_all().await), all(100));
    assert_eq!(began.elapsed().as_millis(), 100);
    assert_eq!(text_of(&slow.hear_all().await), all(100));
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_for_too_long_is_closed_and_told_so() {
    let doors = Doors::before(Model::following([Script::paced(100, 1).hang()]));
    let mut client = Client::connect_narrow(&doors, NARROW).await;
    client.submit("c", "x").await;
    let began = Instant::now();
    doors.running(1).await;
    doors.running(0).await;
    let given_up = began.elapsed();
    assert!(
        (30_000..30_100).contains(&given_up.as_millis()),
        "the limit and a little: {given_up:?}"
    );
    let closed = client.closed().await.unwrap();
    assert_eq!(
        (closed.code, closed.reason.as_str()),
        (CloseCode::Again, "slow_consumer")
    );
    assert_eq!(doors.metric("orchestrator_ws_connections"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn who_never_takes_anything_again_is_left() {
    let doors = Doors::before(saying(100));
    let mut client = Client::connect_narrow(&doors, NARROW).await;
    client.submit("c", "x").await;
    let began = Instant::now();
    while !doors.lines.tasks.is_empty() {
        sleep(Duration::from_millis(100)).await;
    }
    let left = began.elapsed();
    assert!(
        (35_000..36_000).contains(&left.as_millis()),
        "nothing of it is left: {left:?}"
    );
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_late_client_cannot_resume_what_was_closed_for_slowness() {
    let doors = Doors::before(Model::following([Script::paced(100, 1).hang()]));
    let mut client = Client::connect_narrow(&doors, NARROW).await;
    client.submit("c", "x").await;
    let request_id = client.accepted().await;
    doors.running(1).await;
    doors.running(0).await;
    let mut again = Client::connect(&doors).await;
    again.resume("c", &request_id, None).await;
    assert_eq!(again.refused().await.0, "resume_not_possible");
}

#[tokio::test(start_paused = true)]
async fn who_takes_a_little_in_time_is_kept() {
    let doors = Doors::before(saying(60));
    let mut client = Client::connect_narrow(&doors, 128).await;
    client.submit("c", "x").await;
    let mut text = String::new();
    loop {
        sleep(Duration::from_secs(5)).await;
        let frame = client.hear().await;
        text.push_str(frame["text"].as_str().unwrap_or_default());
        if frame["type"] == "done" {
            break;
        }
    }
    assert_eq!(text, all(60));
}

#[tokio::test(start_paused = true)]
async fn commands_are_obeyed_while_the_client_takes_nothing() {
    let doors = Doors::before(Model::following([Script::paced(100, 1).hang()]));
    let mut client = Client::connect_narrow(&doors, NARROW).await;
    client.submit("c", "x").await;
    sleep(Duration::from_secs(1)).await;
    client.cancel("c").await;
    let began = Instant::now();
    doors.running(0).await;
    assert!(began.elapsed() < Duration::from_millis(5));
    client.submit("d", "y").await;
    doors.running(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_is_cancelled_at_once_though_more_waits_for_the_client_than_may() {
    let doors = Doors::before(Model::following([
        Script::paced(20_000, 1).hang(),
        Script::paced(20_000, 1),
    ]));
    let mut client = Client::connect_narrow(&doors, NARROW).await;
    client.submit("c", "x").await;
    client.submit("d", "y").await;
    sleep(Duration::from_secs(15)).await;
    assert_eq!(doors.lines.model.running(), 2);
    client.cancel("c").await;
    client.cancel("d").await;
    let began = Instant::now();
    doors.running(0).await;
    assert!(began.elapsed() < Duration::from_millis(5));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_commands_whose_answers_are_not_taken_has_to_wait() {
    let doors = Doors::before(Model::saying(["fine"]));
    let mut client = Client::connect_narrow(&doors, NARROW).await;
    let mut sent = 0;
    let command = Message::text(json!({ "type": "cancel", "id": "nobody" }).to_string());
    let flood = async {
        loop {
            client.send(command.clone()).await;
            sent += 1;
        }
    };
    assert!(timeout(Duration::from_secs(20), flood).await.is_err());
    assert!(
        (1_024..2_000).contains(&sent),
        "as many as may wait, and what the pipe holds: {sent}"
    );
    for _ in 0..sent {
        assert_eq!(client.refused().await.1, json!("nobody"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_the_one_of_the_configuration() {
    let strict = Config {
        slow_consumer_s: 3,
        ..Config::default()
    };
    let doors = Doors::with(strict, saying(100));
    let mut client = Client::connect_narrow(&doors, NARROW).await;
    let timeline = Timeline::begin();
    client.submit("c", "x").await;
    sleep(Duration::from_secs(4)).await;
    client.note_all(&timeline).await;
    assert!(
        timeline
            .to_string()
            .contains("4000   close 1013 slow_consumer\n4000   over\n"),
        "{timeline}"
    );
}
