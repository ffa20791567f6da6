//! Many sockets that hear the same answer.

use crate::fixtures::{Client, Doors, text_of};
use orchestrator_testkit::scripted::{Call as Script, Model};
use serde_json::Value;
use std::time::Duration;
use tokio::time::sleep;

const TOKENS: usize = 40;

/// An answer of a token each 10 ms, which has just been accepted: its client, and our name for it.
async fn asked() -> (Doors, Client, String) {
    let doors = Doors::before(Model::following([Script::paced(TOKENS, 10)]));
    let mut first = Client::connect(&doors).await;
    first.submit("first", "x").await;
    let request_id = first.accepted().await;
    (doors, first, request_id)
}

/// Its tokens from this one on.
fn from(token: usize) -> String {
    (token..TOKENS).map(|nth| format!("t{nth} ")).collect()
}

fn tokens(frames: &[Value]) -> Vec<&Value> {
    frames.iter().filter(|frame| frame["type"] == "token").collect()
}

#[tokio::test(start_paused = true)]
async fn each_is_told_under_the_name_that_it_chose() {
    let (doors, mut first, request_id) = asked().await;
    let names: Vec<String> = (0..20).map(|nth| format!("\"{nth}\"")).collect();
    let mut crowd = Vec::new();
    for name in &names {
        let mut client = Client::connect(&doors).await;
        client.resume(name, &request_id, None).await;
        crowd.push(client);
    }
    for (client, name) in crowd.iter_mut().zip(&names) {
        let frames = client.hear_all().await;
        assert!(frames.iter().all(|frame| frame["id"] == **name), "{frames:?}");
        assert_eq!(text_of(&frames), from(0));
    }
    let frames = first.hear_all().await;
    assert!(frames.iter().all(|frame| frame["id"] == "first"), "{frames:?}");
    assert_eq!((text_of(&frames), tokens(&frames).len()), (from(0), TOKENS));
    assert_eq!(doors.lines.model.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_later_hears_what_it_has_not_heard_and_then_what_all_hear() {
    let (doors, mut first, request_id) = asked().await;
    let mut crowd = Vec::new();
    for after in [None, Some(0), Some(5)] {
        sleep(Duration::from_millis(95)).await;
        let mut client = Client::connect(&doors).await;
        client.resume("late", &request_id, after).await;
        crowd.push((after, client));
    }
    for (after, client) in &mut crowd {
        let frames = client.hear_all().await;
        let next = after.map_or(0, |after: usize| after + 1);
        // The model's first chunk says who speaks, and no more.
        let said = tokens(&frames);
        assert_eq!(said.last().unwrap()["seq"], TOKENS, "{frames:?}");
        assert!(text_of(&frames).ends_with(&from(next + 1)), "{after:?}: {frames:?}");
        assert!(said.len() < TOKENS, "what was missed comes in one frame");
    }
    assert_eq!(text_of(&first.hear_all().await), from(0));
}

#[tokio::test(start_paused = true)]
async fn one_who_reads_slowly_hears_all_of_it_and_delays_nobody() {
    let (doors, mut first, request_id) = asked().await;
    let mut slow = Client::connect_narrow(&doors, 128).await;
    slow.resume("slow", &request_id, None).await;
    let frames = first.hear_all().await;
    assert_eq!(tokens(&frames).len(), TOKENS);
    sleep(Duration::from_secs(9)).await;
    assert_eq!(text_of(&slow.hear_all().await), from(0));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_takes_nobody_along() {
    let (doors, first, request_id) = asked().await;
    let mut other = Client::connect(&doors).await;
    other.resume("other", &request_id, None).await;
    other.accepted().await;
    first.close().await;
    assert_eq!(text_of(&other.hear_all().await), from(0));
}
