//! How long a worker may keep its caller waiting: to connect, for the first token, between tokens, and in the whole.

use super::*;
use expect_test::expect;
use std::future::pending;
use tokio::time::{sleep, timeout_at};

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_made_fails_after_five_seconds() {
    let story = story(streamed("x"), &[], |_| {}).await;
    expect![[r#"
        5000   failed upstream_connect
    "#]]
    .assert_eq(&story.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_accepts_and_says_nothing_has_two_minutes() {
    let story = story(streamed("x"), &[vec![]], |_| {}).await;
    expect![[r#"
        0      server 1: asked
        120000 failed first_token_timeout
        120000 server 1: left
    "#]]
    .assert_eq(&story.to_string());
}

#[tokio::test(start_paused = true)]
async fn neither_a_head_nor_a_role_nor_a_ping_is_a_token() {
    let role = r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
    let acts = [
        vec![Act::Wait(100), begin(), Act::Wait(100), say(format!("{role}\n\n"))],
        [Act::Wait(50_000), say(": ping\n\n")].to_vec(),
        [Act::Wait(50_000), say(": ping\n\n")].to_vec(),
    ];
    let story = story(streamed("x"), &[acts.concat()], |_| {}).await;
    expect![[r#"
        0      server 1: asked
        120000 failed first_token_timeout
        120000 server 1: left
    "#]]
    .assert_eq(&story.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_first_token_may_take_its_time_in_silence_longer_than_a_later_one() {
    let acts = vec![begin(), Act::Wait(119_000), token("late"), Act::Wait(59_000), finish()];
    let story = story(streamed("x"), &[acts], |_| {}).await;
    expect![[r#"
        0      server 1: asked
        119000 begins
        119000 "late"
        178000 ""
        178000 over
        178000 server 1: left
    "#]]
    .assert_eq(&story.to_string());
}

#[tokio::test(start_paused = true)]
async fn silence_after_a_token_ends_the_answer_and_any_byte_breaks_it() {
    let acts = [
        vec![begin(), token("a"), Act::Wait(59_000), token("b")],
        vec![Act::Wait(59_000), say(": ping\n\n"), Act::Wait(59_000), say("d")],
    ];
    let story = story(streamed("x"), &[acts.concat()], |_| {}).await;
    expect![[r#"
        0      server 1: asked
        0      begins
        0      "a"
        59000  "b"
        237000 failed idle_timeout
        237000 over
        237000 server 1: left
    "#]]
    .assert_eq(&story.to_string());
}

#[tokio::test(start_paused = true)]
async fn both_limits_are_the_configurations() {
    let limits = |config: &mut WorkerConfig| {
        config.first_token_timeout_ms = 70;
        config.idle_timeout_ms = 30;
    };
    let late = story(streamed("x"), &[vec![begin(), Act::Wait(71), token("a")]], limits).await;
    expect![[r#"
        0      server 1: asked
        70     failed first_token_timeout
        70     server 1: left
    "#]]
    .assert_eq(&late.to_string());
    let acts = vec![begin(), Act::Wait(69), token("a"), Act::Wait(31), finish()];
    let halting = story(streamed("x"), &[acts], limits).await;
    expect![[r#"
        0      server 1: asked
        69     begins
        69     "a"
        99     failed idle_timeout
        99     over
        99     server 1: left
    "#]]
    .assert_eq(&halting.to_string());
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_one_piece_has_until_the_deadline() {
    let body = r#"{"choices":[{"index":0,"message":{"content":"whole"},"finish_reason":"stop"}]}"#;
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let acts = vec![Act::Wait(300_000), say(head), Act::Wait(299_000), say(body)];
    let story = story(prompt("x"), &[acts], |_| {}).await;
    expect![[r#"
        0      server 1: asked
        599000 begins
        599000 "whole"
        599000 over
        599000 server 1: left
    "#]]
    .assert_eq(&story.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_closes_the_call_at_once() {
    for stream in [true, false] {
        let (wire, _, mut peers) = pipes(1, 1 << 20);
        let (worker, timeline) = (over(wire, ProviderName::OpenAi, |_| {}), Timeline::begin());
        let mut prompt = streamed("x");
        prompt.request.stream = stream;
        prompt.request.deadline = Instant::now() + Duration::from_millis(700);
        let call = async {
            let given_up = timeout_at(prompt.request.deadline, hear(&worker, &prompt, &timeline)).await;
            assert!(given_up.is_err());
            pending::<()>().await;
        };
        let acts = [begin(), token("a")];
        tokio::select! {
            () = call => {}
            () = peers.remove(0).plays(1, &acts, &timeline) => {}
        }
        assert!(timeline.to_string().ends_with("700    server 1: left\n"), "{timeline}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_whose_text_does_not_come_is_told_without_it() {
    let stuck = vec![say("HTTP/1.1 503 Busy\r\ncontent-length: 99\r\n\r\n{\"error\":")];
    let story = story(prompt("x"), &[stuck], |_| {}).await;
    expect![[r#"
        0      server 1: asked
        1000   failed upstream_error
        1000   server 1: left
    "#]]
    .assert_eq(&story.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_comes_back_late_does_not_make_the_worker_silent() {
    let (wire, _, mut peers) = pipes(1, 1 << 20);
    let (worker, timeline) = (over(wire, ProviderName::OpenAi, |_| {}), Timeline::begin());
    let acts = [
        begin(),
        token("a"),
        Act::Wait(1_000),
        token("b"),
        Act::Wait(1_000),
        finish(),
    ];
    let listener = async {
        let mut reply = call(&worker, &streamed("x")).await.unwrap();
        let mut heard = String::new();
        while let Some(batch) = reply.events.next().await {
            heard.push_str(&text_of(batch.unwrap()));
            sleep(Duration::from_secs(100)).await;
        }
        heard
    };
    let mut listener = std::pin::pin!(listener);
    let heard = tokio::select! {
        heard = &mut listener => heard,
        () = peers.remove(0).plays(1, &acts, &timeline) => listener.await,
    };
    assert_eq!(heard, "ab");
}
