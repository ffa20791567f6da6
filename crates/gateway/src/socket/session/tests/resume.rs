//! Answers that go on after a connection that broke off.

use crate::{
    Config, Stage,
    fixtures::{Client, Doors, on_paused_clock, text_of},
};
use orchestrator_core::{Chunk, Code, Failure, FinishReason};
use orchestrator_testkit::scripted::{Call as Script, Model};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The index of the last chunk in these frames.
fn last_seq(frames: &[Value]) -> Option<usize> {
    let mut seqs = frames.iter().filter_map(|frame| frame["seq"].as_u64());
    seqs.next_back().map(|seq| usize::try_from(seq).unwrap())
}

/// Four tokens, one every 100 ms.
fn paced() -> Model {
    Model::following([Script::paced(4, 100)])
}

/// Submits, hears so many frames after the acceptance, and breaks off: our name for the request, and the frames.
async fn break_off(doors: &Doors, heard: usize) -> (String, Vec<Value>) {
    let mut client = Client::connect(doors).await;
    client.submit("c", "x").await;
    let request_id = client.accepted().await;
    let mut frames = Vec::new();
    while frames.len() < heard {
        frames.push(client.hear().await);
    }
    (request_id, frames)
}

/// Goes on, and hears the rest.
async fn go_on(doors: &Doors, request_id: &str, after: Option<usize>) -> Vec<Value> {
    let mut client = Client::connect(doors).await;
    client.resume("again", request_id, after).await;
    client.hear_all().await
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Wherever the connection breaks off, what was heard before and what comes after make the whole, each token once.
    #[test]
    fn the_parts_make_the_whole(batches in prop::collection::vec((0_u64..30, 1_usize..4), 1..12), cut in 0_usize..12) {
        let mut tokens = 0..;
        let whole: String = (0..batches.iter().map(|(_, size)| size).sum()).map(|nth: usize| format!("{nth} ")).collect();
        let mut batch = |size: usize| tokens.by_ref().take(size).map(|nth| Chunk::text(format!("{nth} "))).collect();
        let say = |script: Script, (gap, size): &(u64, usize)| script.after(*gap).batch(batch(*size));
        let script = batches.iter().fold(Script::new(), say).after(1).finish(FinishReason::Stop);
        let (before, after, calls) = on_paused_clock(async {
            let doors = Doors::before(Model::following([script]));
            let (request_id, mut frames) = break_off(&doors, cut.min(1)).await;
            let mut client = Client::connect(&doors).await;
            client.resume("c", &request_id, last_seq(&frames)).await;
            client.accepted().await;
            // A second cut, as deep as there are frames.
            let mut more = Vec::new();
            while more.len() < cut && more.last().is_none_or(|last: &Value| last["type"] == "token") {
                more.push(client.hear().await);
            }
            frames.extend(more);
            drop(client);
            let rest = match frames.last() {
                Some(last) if last["type"] == "done" => Vec::new(),
                _ => go_on(&doors, &request_id, last_seq(&frames)).await,
            };
            (text_of(&frames), text_of(&rest), doors.lines.model.calls())
        });
        prop_assert_eq!(format!("{before}{after}"), whole);
        prop_assert_eq!(calls, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_running_answer_goes_on_under_the_same_name_of_ours() {
    let doors = Doors::before(paced());
    let (request_id, frames) = break_off(&doors, 2).await;
    assert_eq!(text_of(&frames), "t0 t1 ");
    let frames = go_on(&doors, &request_id, last_seq(&frames)).await;
    assert_eq!(
        (&frames[0]["id"], &frames[0]["request_id"]),
        (&json!("again"), &json!(request_id))
    );
    assert_eq!(text_of(&frames), "t2 t3 ");
    assert_eq!(frames.last().unwrap()["finish_reason"], "stop");
    assert_eq!((doors.lines.model.calls(), doors.lines.model.dropped()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_kept_answer_is_heard_from_every_offset_that_it_has() {
    let doors = Doors::before(paced()).keeping();
    let mut client = Client::connect(&doors).await;
    client.submit("c", "x").await;
    let request_id = client.hear_all().await[0]["request_id"].as_str().unwrap().to_owned();
    client.close().await;
    let table = [
        (None, "t0 t1 t2 t3 "),
        (Some(0), "t1 t2 t3 "),
        (Some(1), "t2 t3 "),
        (Some(2), "t3 "),
        // What is left is the finish; after it there is nothing but the end.
        (Some(3), ""),
        (Some(4), ""),
    ];
    for (after, rest) in table {
        let frames = go_on(&doors, &request_id, after).await;
        assert_eq!(
            (text_of(&frames).as_str(), &frames.last().unwrap()["type"]),
            (rest, &json!("done")),
            "{after:?}"
        );
    }
    for beyond in [5, 1000, usize::MAX] {
        let frames = go_on(&doors, &request_id, Some(beyond)).await;
        assert_eq!(
            frames.last().unwrap()["error"]["code"],
            "resume_not_possible",
            "{beyond}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_offset_that_is_not_reached_yet_is_an_error_and_not_a_wait() {
    let doors = Doors::before(paced());
    let (request_id, _) = break_off(&doors, 1).await;
    let frames = go_on(&doors, &request_id, Some(2)).await;
    assert_eq!(frames.last().unwrap()["error"]["code"], "resume_not_possible");
    let frames = go_on(&doors, &request_id, Some(0)).await;
    assert_eq!(text_of(&frames), "t1 t2 t3 ", "the right one is still good");
}

#[tokio::test(start_paused = true)]
async fn names_that_we_never_gave_and_answers_that_are_gone_cannot_be_resumed() {
    let doors = Doors::before(Model::saying(["fine"]));
    let mut client = Client::connect(&doors).await;
    client.submit("c", "x").await;
    let gone = client.hear_all().await[0]["request_id"].as_str().unwrap().to_owned();
    let never = format!("req_{}", "0".repeat(32));
    for request_id in [&gone, &never] {
        client.resume("c", request_id, None).await;
        assert_eq!(
            client.refused().await,
            ("resume_not_possible".to_owned(), json!("c")),
            "{request_id}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_after_the_window_comes_too_late() {
    let doors = Doors::before(Model::following([Script::new().text("a").hang()]));
    let (request_id, _) = break_off(&doors, 1).await;
    let began = Instant::now();
    doors.running(0).await;
    assert!(
        (5_000..=5_001).contains(&began.elapsed().as_millis()),
        "kept for the window"
    );
    let mut client = Client::connect(&doors).await;
    client.resume("c", &request_id, Some(0)).await;
    assert_eq!(client.refused().await.0, "resume_not_possible");
}

#[tokio::test(start_paused = true)]
async fn the_window_of_one_socket_does_not_end_what_another_hears() {
    let doors = Doors::before(Model::following([Script::new()
        .text("a")
        .after(60_000)
        .text("b")
        .finish(FinishReason::Stop)]));
    let (request_id, _) = break_off(&doors, 1).await;
    sleep(Duration::from_millis(4_990)).await;
    let frames = go_on(&doors, &request_id, Some(0)).await;
    assert_eq!(text_of(&frames), "b");
}

#[tokio::test(start_paused = true)]
async fn without_a_window_a_broken_connection_gives_up_at_once() {
    let strict = Config {
        resume_window_ms: 0,
        ..Config::default()
    };
    let doors = Doors::with(strict, Model::following([Script::new().text("a").hang()]));
    let began = Instant::now();
    break_off(&doors, 1).await;
    doors.running(0).await;
    assert!(began.elapsed() <= Duration::from_millis(2), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_process_ends_the_window() {
    let doors = Doors::before(Model::following([Script::new().text("a").hang()]));
    let began = Instant::now();
    break_off(&doors, 1).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(doors.lines.model.running(), 1);
    doors.director.enter(Stage::Over);
    doors.running(0).await;
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn two_sockets_may_hear_one_answer_at_once() {
    let doors = Doors::before(paced());
    let mut first = Client::connect(&doors).await;
    first.submit("c", "x").await;
    let request_id = first.accepted().await;
    assert_eq!(first.hear().await["seq"], 0);
    let (one, other) = tokio::join!(first.hear_all(), go_on(&doors, &request_id, None));
    assert_eq!(
        (text_of(&one).as_str(), text_of(&other).as_str()),
        ("t1 t2 t3 ", "t0 t1 t2 t3 ")
    );
    assert_eq!(doors.lines.model.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_fails_while_nobody_is_there_fails_for_who_comes_back() {
    let failure = Failure::new(Code::IdleTimeout, "The worker fell silent.");
    let doors = Doors::before(Model::following([Script::new().text("a").after(100).fail(failure)]));
    let (request_id, _) = break_off(&doors, 1).await;
    sleep(Duration::from_secs(1)).await;
    let frames = go_on(&doors, &request_id, Some(0)).await;
    assert_eq!(frames.last().unwrap()["error"]["code"], "idle_timeout");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_was_asked_before_is_resumed_from_the_first_answer() {
    let doors = Doors::before(paced()).keeping();
    let mut first = Client::connect(&doors).await;
    first.submit("c", "x").await;
    assert_eq!(first.hear().await["cache"], "MISS");
    for (cache, wait) in [("COALESCED", 0), ("HIT", 1_000)] {
        sleep(Duration::from_millis(wait)).await;
        let mut client = Client::connect(&doors).await;
        client.submit("c", "x").await;
        let accepted = client.hear().await;
        assert_eq!(accepted["cache"], cache);
        assert_eq!(client.hear().await["type"], "token");
        drop(client);
        // The socket's own listener has been given up for long.
        sleep(Duration::from_secs(6)).await;
        let frames = go_on(&doors, accepted["request_id"].as_str().unwrap(), Some(0)).await;
        assert_eq!(text_of(&frames), "t1 t2 t3 ", "{cache}");
    }
    assert_eq!(doors.lines.model.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_goes_on_is_in_flight_as_long_as_it_hears() {
    let doors = Doors::before(Model::following([Script::new()
        .text("a")
        .after(60_000)
        .text("b")
        .finish(FinishReason::Stop)]));
    let (request_id, _) = break_off(&doors, 1).await;
    let mut client = Client::connect(&doors).await;
    client.resume("again", &request_id, Some(0)).await;
    client.accepted().await;
    let in_flight = || doors.lines.ledger.requests();
    assert_eq!(in_flight(), 1, "in the place that its first socket kept for it");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(in_flight(), 1, "so that a drain waits for it");
    assert_eq!(text_of(&client.hear_all().await), "b");
    client.close().await;
    assert_eq!(in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_finds_its_place_though_as_many_are_in_flight_as_may_be() {
    let doors = Doors::before(paced()).admitting(1);
    let (request_id, first) = break_off(&doors, 1).await;
    let mut client = Client::connect(&doors).await;
    client.submit("another", "y").await;
    assert_eq!(
        client.refused().await.0,
        "server_is_overloaded",
        "it is kept for the answer"
    );
    for index in 1..3 {
        client.resume("c", &request_id, Some(index - 1)).await;
        client.accepted().await;
        assert_eq!(client.hear().await["seq"], index);
        client = Client::connect(&doors).await;
    }
    assert_eq!(
        text_of(&first) + &text_of(&go_on(&doors, &request_id, Some(0)).await),
        "t0 t1 t2 t3 "
    );
    sleep(Duration::from_secs(6)).await;
    assert_eq!(doors.lines.ledger.requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_goes_on_when_as_many_are_in_flight_as_may_be() {
    let doors = Doors::before(Model::following([
        Script::saying(["fine"]),
        Script::new().text("a").hang(),
    ]))
    .keeping()
    .admitting(1);
    let mut client = Client::connect(&doors).await;
    client.submit("c", "x").await;
    let request_id = client.hear_all().await[0]["request_id"].as_str().unwrap().to_owned();
    client.submit("d", "y").await;
    client.accepted().await;
    assert_eq!(client.hear().await["text"], "a");
    client.resume("c", &request_id, None).await;
    assert_eq!(client.refused().await, ("server_is_overloaded".to_owned(), json!("c")));
    client.cancel("d").await;
    assert_eq!(client.refused().await.0, "cancelled");
    client.resume("c", &request_id, None).await;
    assert_eq!(text_of(&client.hear_all().await), "fine");
}
