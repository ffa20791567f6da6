use super::*;
use crate::{
    call::Arrival,
    fixtures::{Doors, client},
};
use orchestrator_core::{AnswerWriter, Cache, Chunk, Degraded, FinishReason, Ledger, Priority, Tier, answer};
use orchestrator_testkit::scripted::Model;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const END: End = End {
    finish: FinishReason::Stop,
    usage: None,
    cut: false,
};

/// A call at doors that nobody else uses, and an answer to it.
fn scene() -> (Call, AnswerWriter, Answer) {
    let doors = Doors::before(Model::saying(["unused"]));
    let arrival = Arrival::new(&doors.door, Some(client().into()));
    let call = Call::begin(&doors.door, "POST", "/v1/chat/completions", arrival);
    let until = Instant::now() + Duration::from_secs(9);
    let (writer, answer) = answer(until, Priority::Normal, Ledger::generous());
    (call, writer, answer)
}

fn head() -> Head {
    Head {
        worker: "fast".into(),
        tier: Tier::Secondary,
        degraded: None,
        id: "up-1".into(),
        model: "m".into(),
        created: 7,
        attempts: 2,
        grounding: (0..20).map(|nth| format!("doc{nth}").into()).collect(),
        waited: Duration::ZERO,
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_known_on_the_way_is_said_of_the_call() {
    let (mut call, mut writer, answer) = scene();
    let writing = async move {
        writer.cache(Cache::Coalesced);
        writer.head(head());
        sleep(Duration::from_millis(40)).await;
        writer.push([Chunk::text("hel")]);
        sleep(Duration::from_millis(40)).await;
        writer.push([Chunk::text("lo")]);
        writer.finish(END);
    };
    let (collected, ()) = tokio::join!(collect(&mut call, answer), writing);
    let collected = collected.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&collected.body).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "hello");
    assert_eq!(call.ttft_ms(), None, "a whole answer has no first token");
    let mut headers = http::HeaderMap::new();
    call.stamp(&mut headers);
    let shown = |name: &str| headers[name].to_str().unwrap().to_owned();
    let known = ["cache", "worker", "model", "attempts"].map(|name| shown(&format!("x-orchestrator-{name}")));
    assert_eq!(known, ["COALESCED", "fast", "m", "2"]);
    let sources = shown("x-orchestrator-sources");
    assert_eq!(
        (sources.split(", ").count(), sources.starts_with("doc0, doc1")),
        (16, true),
        "no more: {sources}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stands_in_for_a_better_one_says_so_and_how_old_it_is() {
    let age = Duration::from_millis(7_900);
    for (degraded, marks) in [
        (None, [None, None]),
        (Some(Degraded::Message), [Some("message"), None]),
        (Some(Degraded::Stale { age }), [Some("stale"), Some("7")]),
    ] {
        let (mut call, mut writer, answer) = scene();
        writer.head(Head { degraded, ..head() });
        writer.push([Chunk::text("hello")]);
        writer.finish(END);
        collect(&mut call, answer).await.unwrap();
        let mut headers = http::HeaderMap::new();
        call.stamp(&mut headers);
        let shown =
            ["x-orchestrator-degraded", "age"].map(|name| headers.get(name).map(|value| value.to_str().unwrap()));
        assert_eq!(shown, marks);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_ends_without_its_head_is_our_fault() {
    let (mut call, writer, answer) = scene();
    writer.finish(END);
    let failure = collect(&mut call, answer).await.err().unwrap();
    assert_eq!(failure.code(), Code::Internal);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_its_writer_gave_up_is_a_failure_and_not_an_empty_answer() {
    let (mut call, mut writer, answer) = scene();
    writer.head(head());
    writer.push([Chunk::text("half")]);
    drop(writer);
    let failure = whole(&mut call, answer).await.err().unwrap();
    let reply = failed(call, &failure);
    assert_eq!(
        (reply.status(), failure.code()),
        (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal)
    );
    assert_eq!(reply.headers()["x-should-retry"], "false");
}

#[tokio::test(start_paused = true)]
async fn who_waits_longer_than_they_may_is_told_so() {
    let (mut call, _writer, answer) = scene();
    let began = Instant::now();
    let failure = collect(&mut call, answer).await.err().unwrap();
    assert_eq!((failure.code(), began.elapsed().as_secs()), (Code::DeadlineExceeded, 9));
}
