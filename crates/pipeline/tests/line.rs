//! The life of requests in the line, on a paused clock.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    reason = "a fault in here shall end the test"
)]

#[path = "line/refusals.rs"]
mod refusals;
mod support;

use expect_test::expect;
use futures_util::StreamExt;
use orchestrator_core::{Answer, Cache, Code, Failure, FinishReason, Priority, Request, Submit};
use orchestrator_pipeline::LanesConfig;
use orchestrator_testkit::{
    Timeline, collect, request,
    scripted::{Call, Model},
};
use std::time::Duration;
use support::{Lines, Plan, patient};
use tokio::time::sleep;

async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

fn with_priority(text: &str, priority: Priority) -> Request {
    Request {
        priority,
        ..request(text)
    }
}

/// The refusal that a request meets at once.
fn refused(lines: &Lines, text: &str) -> Failure {
    lines.submit(request(text)).unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_head_tells_how_long_its_request_waited_at_the_gate_and_for_the_worker() {
    let model = Model::following([Call::new().after(40).text("a").after(7).finish(FinishReason::Stop)]);
    let lines = Plan {
        credits: 1,
        ..Plan::default()
    }
    .start(&model);
    let (first, second) = (lines.ask("a"), lines.ask("b"));
    let waited = async |mut answer: Answer| {
        while answer.next().await.is_some() {}
        answer.head().unwrap().waited.as_millis()
    };
    assert_eq!(tokio::join!(waited(first), waited(second)), (40, 47 + 40));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_heard_token_by_token() {
    let model = Model::following([Call::paced(3, 100).usage(2, 3)]);
    let lines = Plan::default().start(&model);
    let timeline = Timeline::begin();
    timeline.listen("a", lines.ask("hi")).await;
    expect![[r#"
        0      a: MISS
        100    a: "t0 "
        200    a: "t1 "
        300    a: "t2 "
        300    a: end stop
    "#]]
    .assert_eq(&timeline.to_string());
    lines.assert_idle(4);
    assert_eq!(
        lines.metric(r#"orchestrator_stage_duration_seconds_count{stage="stream"}"#),
        1.0
    );
    lines.close().await;
}

#[tokio::test(start_paused = true)]
async fn equal_requests_cause_one_call_and_each_hears_all_of_it() {
    let model = Model::following([Call::paced(3, 100)]);
    let lines = Plan::default().start(&model);
    let timeline = Timeline::begin();
    let first = timeline.listen("first", lines.ask("x"));
    let late = async {
        sleep(Duration::from_millis(250)).await;
        timeline.listen("late", lines.ask("x")).await;
    };
    tokio::join!(first, late);
    expect![[r#"
        0      first: MISS
        100    first: "t0 "
        200    first: "t1 "
        250    late: COALESCED
        250    late: "t0 t1 "
        300    first: "t2 "
        300    first: end stop
        300    late: "t2 "
        300    late: end stop
    "#]]
    .assert_eq(&timeline.to_string());
    assert_eq!(model.calls(), 1);
    assert_eq!(lines.metric(r#"orchestrator_dedup_total{result="coalesced"}"#), 1.0);
}

#[tokio::test(start_paused = true)]
async fn the_leader_may_leave_and_its_followers_hear_the_rest() {
    let model = Model::following([Call::paced(3, 100)]);
    let lines = Plan::default().start(&model);
    let leader = lines.ask("x");
    settle().await;
    let follower = lines.ask("x");
    settle().await;
    drop(leader);
    assert_eq!(collect(follower).await.unwrap().0, "t0 t1 t2 ");
    assert_eq!((model.calls(), model.dropped()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_follower_waits_for_no_credit_though_the_line_is_full() {
    let model = Model::following([Call::paced(3, 100)]);
    let lines = Plan {
        credits: 1,
        ..Plan::default()
    }
    .start(&model);
    let leader = lines.ask("x");
    settle().await;
    let blocked = lines.ask("another");
    let mut follower = lines.ask("x");
    assert_eq!(follower.cache().await, Ok(Cache::Coalesced));
    assert_eq!(lines.gate.waiting(Priority::Normal), 1);
    drop((leader, follower, blocked));
    settle().await;
    lines.assert_idle(1);
}

#[tokio::test(start_paused = true)]
async fn a_finished_answer_is_replayed_within_its_window_and_then_called_for_again() {
    let dedup = orchestrator_dedup::Config {
        window_s: 10,
        ..Default::default()
    };
    let model = Model::saying(["one"]);
    let lines = Plan {
        dedup,
        ..Plan::default()
    }
    .start(&model);
    let mut caches = Vec::new();
    for pause in [0, 9, 2] {
        sleep(Duration::from_secs(pause)).await;
        let mut answer = lines.ask("x");
        caches.push(answer.cache().await.unwrap());
        assert_eq!(collect(answer).await.unwrap().0, "one");
    }
    assert_eq!(caches, [Cache::Miss, Cache::Hit, Cache::Miss]);
    assert_eq!(model.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn when_the_last_listener_leaves_the_call_is_dropped_and_all_is_given_back() {
    let model = Model::following([Call::new().text("a").hang()]);
    let lines = Plan::default().start(&model);
    let mut answers: Vec<_> = (0..3).map(|_| lines.ask("x")).collect();
    settle().await;
    while let Some(answer) = answers.pop() {
        assert_eq!((model.running(), model.dropped()), (1, 0));
        drop(answer);
        settle().await;
    }
    assert_eq!((model.running(), model.dropped()), (0, 1));
    lines.assert_idle(4);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_waiting_leaves_the_room_and_is_never_called_for() {
    let model = Model::following([Call::new().hang()]);
    let lines = Plan {
        credits: 1,
        ..Plan::default()
    }
    .start(&model);
    let running = lines.ask("running");
    settle().await;
    let waiting = lines.ask("waiting");
    settle().await;
    assert_eq!(lines.gate.waiting(Priority::Normal), 1);
    drop(waiting);
    settle().await;
    assert_eq!(lines.gate.waiting(Priority::Normal), 0);
    drop(running);
    settle().await;
    assert_eq!(model.prompts(), ["running"]);
    lines.assert_idle(1);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_request_wherever_it_is() {
    let model = Model::following([Call::new().text("a").hang()]);
    let lines = Plan {
        credits: 1,
        ..Plan::default()
    }
    .start(&model);
    let timeline = Timeline::begin();
    let running = timeline.listen("running", lines.submit(patient("running", 300)).unwrap());
    settle().await;
    let waiting = timeline.listen("waiting", lines.submit(patient("waiting", 100)).unwrap());
    tokio::join!(running, waiting);
    expect![[r#"
        1      running: MISS
        1      running: "a"
        1      waiting: MISS
        101    waiting: failed deadline_exceeded
        300    running: failed deadline_exceeded
    "#]]
    .assert_eq(&timeline.to_string());
    settle().await;
    lines.assert_idle(1);
    assert_eq!(model.dropped(), 1);
}

#[tokio::test(start_paused = true)]
async fn high_goes_before_normal_before_low() {
    let model = Model::following([Call::paced(1, 10)]);
    let lines = Plan {
        credits: 1,
        ..Plan::default()
    }
    .start(&model);
    let first = lines.ask("first");
    settle().await;
    let mut answers = vec![first];
    for (text, priority) in [
        ("low", Priority::Low),
        ("normal", Priority::Normal),
        ("high", Priority::High),
    ] {
        answers.push(lines.submit(with_priority(text, priority)).unwrap());
        settle().await;
    }
    for answer in answers {
        collect(answer).await.unwrap();
    }
    assert_eq!(model.prompts(), ["first", "high", "normal", "low"]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_request_rises_with_a_listener_that_is_in_a_hurry() {
    let model = Model::following([Call::paced(1, 10)]);
    let lines = Plan {
        credits: 1,
        ..Plan::default()
    }
    .start(&model);
    let mut answers = vec![lines.ask("first")];
    settle().await;
    for (text, priority) in [
        ("slow", Priority::Low),
        ("other", Priority::Normal),
        ("slow", Priority::High),
    ] {
        answers.push(lines.submit(with_priority(text, priority)).unwrap());
        settle().await;
    }
    for answer in answers {
        collect(answer).await.unwrap();
    }
    assert_eq!(model.prompts(), ["first", "slow", "other"]);
}

#[tokio::test(start_paused = true)]
async fn failures_and_panics_of_the_model_end_their_own_request() {
    let model = Model::responding(|_, prompt| match &*prompt.request.messages[0].text() {
        "fail" => Call::new().fail(Failure::new(Code::UpstreamError, "boom")),
        "break" => Call::new()
            .text("a")
            .after(5)
            .fail(Failure::new(Code::UpstreamTruncated, "cut")),
        "panic" => Call::new().panic(),
        _ => Call::paced(2, 10),
    });
    let lines = Plan::default().start(&model);
    let timeline = Timeline::begin();
    let listen = |text: &'static str| timeline.listen(text, lines.ask(text));
    tokio::join!(listen("fail"), listen("break"), listen("panic"), listen("good"));
    expect![[r#"
        0      break: MISS
        0      break: "a"
        0      panic: MISS
        0      panic: failed internal_error
        0      good: MISS
        0      fail: MISS
        0      fail: failed upstream_error
        5      break: failed upstream_truncated
        10     good: "t0 "
        20     good: "t1 "
        20     good: end stop
    "#]]
    .assert_eq(&timeline.to_string());
    assert_eq!(
        lines.metric(r#"orchestrator_stage_panics_total{stage="inference"}"#),
        1.0
    );
    lines.assert_idle(4);
}

#[tokio::test(start_paused = true)]
async fn a_slow_model_presses_back_to_the_gate_and_nothing_piles_up_behind_it() {
    const ASKED: usize = 40;
    let model = Model::following([Call::paced(1, 50)]);
    let lines = Plan {
        credits: 3,
        width: 1,
        capacity: 1,
        ..Plan::default()
    }
    .start(&model);
    let answers: Vec<_> = (0..ASKED).map(|nth| lines.ask(&format!("r{nth}"))).collect();
    sleep(Duration::from_millis(20)).await;
    assert_eq!(lines.gate.waiting(Priority::Normal), ASKED - 3);
    assert_eq!(model.running(), 1, "the stage is as wide as it was made");
    for answer in answers {
        assert_eq!(collect(answer).await.unwrap().0, "t0 ");
    }
    let expected: Vec<String> = (0..ASKED).map(|nth| format!("r{nth}")).collect();
    assert_eq!(model.prompts(), expected, "first come, first served");
    assert_eq!(model.peak(), 1);
    lines.assert_idle(3);
}

#[tokio::test(start_paused = true)]
async fn a_closed_line_finishes_what_it_has_and_takes_nothing_new() {
    let model = Model::following([Call::paced(2, 100)]);
    let lines = Plan {
        credits: 1,
        ..Plan::default()
    }
    .start(&model);
    let answers = [lines.ask("a"), lines.ask("b")];
    lines.entries[0].close();
    let failure = refused(&lines, "c");
    assert_eq!(
        (failure.code(), failure.retry_after()),
        (Code::Draining, Some(Duration::from_secs(1)))
    );
    let ledger = lines.ledger.clone();
    for answer in answers {
        assert_eq!(collect(answer).await.unwrap().1.finish, FinishReason::Stop);
    }
    lines.close().await;
    assert_eq!((ledger.requests(), ledger.bytes()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn lines_share_the_gate_and_equal_requests_of_different_lines_share_a_call() {
    let model = Model::following([Call::paced(2, 50)]);
    let lines = Plan {
        lines: 3,
        credits: 2,
        ..Plan::default()
    }
    .start(&model);
    let on = |line: usize, text: &str| lines.entries[line].submit(request(text)).unwrap();
    let mut same: Vec<_> = (0..3).map(|line| on(line, "same")).collect();
    settle().await;
    same.extend((0..3).map(|line| on(line, &format!("own {line}"))));
    settle().await;
    assert_eq!((model.running(), lines.gate.waiting(Priority::Normal)), (2, 2));
    for answer in same {
        assert_eq!(collect(answer).await.unwrap().0, "t0 t1 ");
    }
    assert_eq!((model.calls(), model.peak()), (4, 2));
    lines.assert_idle(2);
}
