use crate::{
    Config, Stage,
    fixtures::{Doors, body, post},
};
use expect_test::{Expect, expect};
use orchestrator_core::{Code, Degraded, Delta, Failure, FinishReason, Kind};
use orchestrator_testkit::{
    Timeline,
    client::Http,
    scripted::{Call as Script, Model},
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A request for a stream with more fields, on a connection that then closes.
fn request(more: &str) -> String {
    post(
        "/v1/chat/completions",
        "connection: close\r\n",
        &body("x", &format!(r#","stream":true{more}"#)),
    )
}

/// What a client hears of a script, and when; keepalives are due after 10 s.
async fn check(script: Script, more: &str, expected: Expect) {
    let doors = Doors::before(Model::following([script]));
    let timeline = Timeline::begin();
    doors.send(request(more)).await.note_all(&timeline).await;
    expected.assert_eq(&timeline.to_string());
    doors.running(0).await;
    assert_eq!(doors.lines.ledger.bytes(), 0);
}

fn failure() -> Failure {
    Failure::new(Code::UpstreamTruncated, "It ended before it was finished.")
}

#[tokio::test(start_paused = true)]
async fn the_status_is_held_until_the_first_token() {
    let expected = expect![[r#"
        9000   HTTP/1.1 200 OK
        9000   "t0 "
        18000  "t1 "
        18000  "stop"
        18000  [DONE]
        18000  over
    "#]];
    check(Script::paced(2, 9_000), "", expected).await;
}

#[tokio::test(start_paused = true)]
async fn silence_lets_the_status_go_and_is_filled() {
    let script = Script::new()
        .after(25_000)
        .text("a")
        .after(12_000)
        .text("b")
        .finish(FinishReason::Stop);
    let expected = expect![[r#"
        10000  HTTP/1.1 200 OK
        10000  : ping
        20000  : ping
        25000  "a"
        35000  : ping
        37000  "b"
        37000  "stop"
        37000  [DONE]
        37000  over
    "#]];
    check(script, "", expected).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_client_is_not_sent_delays_nothing_after_it() {
    let script = Script::new().text("a").after(1_000).usage(3, 5).after(1_000).text("b");
    let expected = expect![[r#"
        0      HTTP/1.1 200 OK
        0      "a"
        2000   "b"
        2000   "stop"
        2000   [DONE]
        2000   over
    "#]];
    check(script.finish(FinishReason::Stop), "", expected).await;
}

#[tokio::test(start_paused = true)]
async fn what_stands_in_is_said_in_a_comment_once_the_status_has_left() {
    let script = Script::new().after(25_000).text("a").after(12_000).text("b");
    let expected = expect![[r#"
        10000  HTTP/1.1 200 OK
        10000  : ping
        20000  : ping
        25000  : x-orchestrator-degraded: message
        25000  "a"
        35000  : ping
        37000  "b"
        37000  "stop"
        37000  [DONE]
        37000  over
    "#]];
    let script = script.finish(FinishReason::Stop).stand_in(Degraded::Message);
    check(script, "", expected).await;
    let expected = expect![[r#"
        10000  HTTP/1.1 200 OK
        10000  : ping
        11000  : x-orchestrator-degraded: reduced
        11000  ""
        11000  "stop"
        11000  [DONE]
        11000  over
    "#]];
    check(Script::new().after(11_000).stand_in(Degraded::Reduced), "", expected).await;
}

#[tokio::test(start_paused = true)]
async fn what_stands_in_is_said_in_a_header_while_the_status_is_held() {
    let script = Script::paced(1, 9_000).stand_in(Degraded::Message);
    let doors = Doors::before(Model::following([script]));
    let said = doors.send(request("")).await.rest().await;
    assert_eq!(
        said.matches("x-orchestrator-degraded: message\r\n").count(),
        1,
        "{said}"
    );
    assert!(!said.contains(": x-orchestrator-degraded"), "and not twice: {said}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_falls_silent_is_sent_no_comment() {
    let expected = expect![[r#"
        9999   HTTP/1.1 200 OK
        9999   "t0 "
        19998  "t1 "
        29997  "t2 "
        29997  "stop"
        29997  [DONE]
        29997  over
    "#]];
    check(Script::paced(3, 9_999), "", expected).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_the_status_is_held_is_the_status() {
    check(
        Script::new().after(9_000).fail(failure()),
        "",
        expect![[r#"
        9000   HTTP/1.1 502 Bad Gateway
        9000   over
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_a_keepalive_is_an_event_without_done() {
    check(
        Script::new().after(11_000).fail(failure()),
        "",
        expect![[r#"
        10000  HTTP/1.1 200 OK
        10000  : ping
        11000  "upstream_error"
        11000  over
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_the_middle_comes_after_all_that_was_said() {
    check(
        Script::new().text("a").after(5).text("b").fail(failure()),
        "",
        expect![[r#"
        0      HTTP/1.1 200 OK
        0      "a"
        5      "b"
        5      "upstream_error"
        5      over
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn usage_comes_between_the_finish_and_done_if_it_is_asked_for() {
    let script = Script::new().text("a").usage(3, 2).finish(FinishReason::Length);
    let asked = r#","stream_options":{"include_usage":true}"#;
    check(
        script.clone(),
        asked,
        expect![[r#"
        0      HTTP/1.1 200 OK
        0      "a"
        0      "length"
        0      5
        0      [DONE]
        0      over
    "#]],
    )
    .await;
    check(
        script,
        "",
        expect![[r#"
        0      HTTP/1.1 200 OK
        0      "a"
        0      "length"
        0      [DONE]
        0      over
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_says_nothing_is_a_stream_all_the_same() {
    check(
        Script::new().finish(FinishReason::ContentFilter),
        "",
        expect![[r#"
        0      HTTP/1.1 200 OK
        0      ""
        0      "content_filter"
        0      [DONE]
        0      over
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_stream_with_an_event() {
    let doors = Doors::before(Model::following([Script::new().text("a").hang()]));
    let timeline = Timeline::begin();
    let asked = request("").replacen("connection", "x-orchestrator-timeout-ms: 700\r\nconnection", 1);
    doors.send(asked).await.note_all(&timeline).await;
    expect![[r#"
        0      HTTP/1.1 200 OK
        0      "a"
        700    "deadline_exceeded"
        700    over
    "#]]
    .assert_eq(&timeline.to_string());
    doors.running(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_the_call_before_and_after_its_first_token() {
    let wordless = Script::new().hang();
    let speaking = Script::new().chunk(Delta::first(Kind::Text("a".into())).into()).hang();
    for (script, heard) in [(wordless, ""), (speaking, "\"a\"")] {
        let doors = Doors::before(Model::following([script]));
        let mut wire = doors.send(request("")).await;
        wire.hear(heard).await;
        doors.running(1).await;
        let began = Instant::now();
        drop(wire);
        doors.running(0).await;
        assert!(began.elapsed() < Duration::from_millis(5));
        assert_eq!((doors.lines.model.dropped(), doors.lines.ledger.bytes()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_while_we_drain_and_ends_when_the_time_is_up() {
    let doors = Doors::before(Model::following([Script::paced(1, 100).after(900).text("b").hang()]));
    let timeline = Timeline::begin();
    let wire = doors.send(request("")).await;
    let goes = async {
        sleep(Duration::from_millis(500)).await;
        doors.director.enter(Stage::Draining);
        sleep(Duration::from_millis(24_000)).await;
        doors.director.enter(Stage::Over);
    };
    tokio::join!(wire.note_all(&timeline), goes);
    expect![[r#"
        100    HTTP/1.1 200 OK
        100    "t0 "
        100    "stop"
        1000   "b"
        11000  : ping
        21000  : ping
        24500  "server_draining"
        24500  over
    "#]]
    .assert_eq(&timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_cut_off_and_its_call_with_it() {
    let strict = Config {
        slow_consumer_s: 5,
        ..Config::default()
    };
    let long = "x".repeat(1_000);
    let script = (0..500)
        .fold(Script::new(), |script, _| script.after(1).text(&long))
        .hang();
    let doors = Doors::with(strict, Model::following([script]));
    let mut wire = doors.connect_narrow(512);
    wire.say(request("")).await;
    wire.hear("HTTP/1.1 200").await;
    let began = Instant::now();
    doors.running(0).await;
    assert!(
        (5_000..5_100).contains(&began.elapsed().as_millis()),
        "{:?}",
        began.elapsed()
    );
    let heard = wire.rest().await;
    assert!(!heard.contains("[DONE]"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_all_there_leaves_at_once_however_long_it_is() {
    let script = (0..1_000).fold(Script::new(), |script, nth| script.text(&format!("{nth} ")));
    let doors = Doors::before(Model::following([script.finish(FinishReason::Stop)]));
    let began = Instant::now();
    let said = Http::read(&doors.send(request("")).await.rest().await).body;
    assert_eq!(began.elapsed().as_millis(), 0);
    let tokens: Vec<usize> = (0..1_000)
        .filter_map(|nth| said.find(&format!("\"content\":\"{nth} \"")))
        .collect();
    assert!(tokens.len() == 1_000 && tokens.is_sorted());
    assert_eq!(said.matches("data: [DONE]").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_single_token_still_has_its_finish() {
    let expected = expect![[r#"
        0      HTTP/1.1 200 OK
        0      : ping
        0      ""
        0      "stop"
        0      [DONE]
        0      over
    "#]];
    check(Script::new(), "", expected).await;
}
