use super::*;
use crate::life::{Director, life};
use std::future::poll_fn;
use tokio::time::{Instant, sleep};

/// The times of a session that begins when the process is at this stage.
fn beginning(stage: Stage) -> (Director, Times) {
    let (director, life) = life();
    director.enter(stage);
    (director, Times::new(life))
}

/// What it is time for next, and how long that takes.
async fn next(times: &mut Times) -> (Time, Duration) {
    let began = Instant::now();
    let time = poll_fn(|cx| times.poll(cx)).await;
    (time, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn nothing_but_pings_is_told_of_a_process_that_stays() {
    let (director, mut times) = beginning(Stage::Starting);
    director.enter(Stage::Ready);
    for _ in 0..3 {
        assert_eq!(next(&mut times).await, (Time::Ping, PING));
    }
    director.enter(Stage::Leaving);
    assert_eq!(next(&mut times).await, (Time::Ping, PING));
    assert!(times.stage() < Stage::Draining);
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_was_missed_is_not_made_up_for() {
    let (_director, mut times) = beginning(Stage::Ready);
    sleep(3 * PING).await;
    assert_eq!(next(&mut times).await, (Time::Ping, Duration::ZERO));
    assert_eq!(next(&mut times).await, (Time::Ping, PING));
}

#[tokio::test(start_paused = true)]
async fn each_stage_of_the_end_is_told_once() {
    let (director, mut times) = beginning(Stage::Ready);
    director.enter(Stage::Draining);
    assert_eq!(next(&mut times).await, (Time::Stage(Stage::Draining), Duration::ZERO));
    assert_eq!(times.stage(), Stage::Draining);
    assert_eq!(next(&mut times).await, (Time::Ping, PING));
    director.enter(Stage::Over);
    assert_eq!(next(&mut times).await, (Time::Stage(Stage::Over), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_was_left_behind_is_not_told() {
    let (director, mut times) = beginning(Stage::Ready);
    director.enter(Stage::Draining);
    director.enter(Stage::Over);
    assert_eq!(next(&mut times).await, (Time::Stage(Stage::Over), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn who_begins_at_the_end_is_told_so_at_once() {
    let (_draining, mut times) = beginning(Stage::Draining);
    assert_eq!(times.stage(), Stage::Draining);
    assert_eq!(next(&mut times).await.0, Time::Ping, "it knows that");
    let (_over, mut times) = beginning(Stage::Over);
    assert_eq!(next(&mut times).await, (Time::Stage(Stage::Over), Duration::ZERO));
}
