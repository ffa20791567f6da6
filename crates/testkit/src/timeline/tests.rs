use super::*;
use expect_test::expect;
use orchestrator_core::{Cache, Code, Delta, End, Failure, FinishReason, Ledger, Priority, answer};
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn a_timeline_tells_origin_text_other_deltas_and_end_of_an_answer() {
    let timeline = Timeline::begin();
    let until = Instant::now() + Duration::from_secs(60);
    let (mut writer, first) = answer(until, Priority::Normal, Ledger::generous());
    let write = async {
        writer.cache(Cache::Miss);
        sleep(Duration::from_millis(30)).await;
        writer.push([Chunk::text("a"), Chunk::text("b")]);
        sleep(Duration::from_millis(5)).await;
        writer.push([Delta::first(Kind::Reasoning("hm".into())).into()]);
        writer.finish(End {
            finish: FinishReason::Length,
            usage: None,
            cut: true,
        });
    };
    tokio::join!(timeline.listen("a", first), write);
    expect![[r#"
        0      a: MISS
        30     a: "ab"
        35     a: [0] Reasoning("hm")
        35     a: cut length
    "#]]
    .assert_eq(&timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_timeline_tells_of_failure() {
    let timeline = Timeline::begin();
    let until = Instant::now() + Duration::from_secs(1);
    let (writer, first) = answer(until, Priority::Normal, Ledger::generous());
    let (kept, late) = answer(until, Priority::Normal, Ledger::generous());
    writer.fail(Failure::new(Code::Overloaded, "full"));
    tokio::join!(timeline.listen("a", first), timeline.listen("b", late));
    drop(kept);
    expect![[r#"
        0      a: failed server_is_overloaded
        1000   b: failed deadline_exceeded
    "#]]
    .assert_eq(&timeline.to_string());
}
