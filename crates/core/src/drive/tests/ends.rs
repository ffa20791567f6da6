//! How a job may end in the middle of a line.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_failure_ends_its_own_answer_and_a_done_one_skips_the_rest() {
    let line = Line::start(4, 4, 4);
    let failed = line.submit(doing(1, Act::Fail)).await;
    let done = line.submit(doing(2, Act::Done)).await;
    assert_eq!(code(failed).await, Some(Code::UpstreamError));
    assert_eq!(code(done).await, None);
    expect![[r"
        0    1 in first
        0    2 in first
    "]]
    .assert_eq(&line.close().await);
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_one_request_and_is_counted_and_the_stage_lives() {
    let line = Line::start(1, 4, 4);
    let broken = line.submit(doing(1, Act::Panic)).await;
    assert_eq!(code(broken).await, Some(Code::Internal));
    assert_eq!(line.metric("orchestrator_stage_panics_total", "rag"), 1.0);
    assert_eq!(line.metric("orchestrator_stage_panics_total", "stream"), 0.0);
    assert_eq!(code(line.submit(task(2, 1, 1)).await).await, None);
    line.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_joins_hears_the_other_answer() {
    let line = Line::start(4, 4, 4);
    let leader = line.submit(task(1, 20, 20)).await;
    let (there, _) = leader.downgrade().join(leader.deadline(), Priority::Normal).unwrap();
    *line.first.leader.lock() = Some(there);
    let mut follower = line.submit(doing(2, Act::Join)).await;
    assert_eq!(follower.cache().await, Ok(Cache::Coalesced));
    let heard = follower.next().await.unwrap().unwrap();
    assert_eq!(heard.first().map(|chunk| (**chunk).clone()), Some(Chunk::text("1")));
    line.close().await;
}
