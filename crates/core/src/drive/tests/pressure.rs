//! Full stages, and clients who leave or run out of patience before them.

use super::*;

#[tokio::test(start_paused = true)]
async fn who_leaves_makes_room_for_the_next_at_once() {
    let line = Line::start(1, 1, 1);
    let leaving = line.submit(task(1, 1000, 0)).await;
    let next = line.submit(task(2, 1, 0)).await;
    sleep(Duration::from_millis(10)).await;
    drop(leaving);
    assert_eq!(code(next).await, None);
    expect![[r"
        0    1 in first
        10   1 dropped
        10   2 in first
        11   2 in second
        11   2 through
    "]]
    .assert_eq(&line.close().await);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_it_waits_for_the_next_stage_gives_its_place_back() {
    // 1 is in the second stage, 2 in the edge before it, 3 waits for room there with its place in the first stage.
    let line = Line::start(1, 1, 1);
    let mut answers = Vec::new();
    for name in 1..=4 {
        answers.push(line.submit(task(name, 1, 100)).await);
    }
    sleep(Duration::from_millis(50)).await;
    drop(answers.remove(2));
    expect![[r"
        0    1 in first
        1    1 in second
        1    2 in first
        2    3 in first
        50   4 in first
        101  1 through
        101  2 in second
        201  2 through
        201  4 in second
        301  4 through
    "]]
    .assert_eq(&line.close().await);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_in_a_stage_drops_the_work() {
    let line = Line::start(1, 1, 1);
    let late = line.submit_for(task(1, 1000, 0), Duration::from_millis(40)).await;
    assert_eq!(code(late).await, Some(Code::DeadlineExceeded));
    expect![[r"
        0    1 in first
        40   1 dropped
    "]]
    .assert_eq(&line.close().await);
}

#[tokio::test(start_paused = true)]
async fn work_goes_on_for_the_one_who_waits_longest() {
    let line = Line::start(1, 1, 1);
    let short = line.submit_for(task(1, 100, 0), Duration::from_millis(40)).await;
    let until = line.diary.began + LONG;
    let (long, _) = short.downgrade().join(until, Priority::Normal).unwrap();
    assert_eq!(code(short).await, Some(Code::DeadlineExceeded));
    assert_eq!(line.diary.began.elapsed().as_millis(), 40);
    assert_eq!(code(long).await, None);
    assert_eq!(line.diary.began.elapsed().as_millis(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_later_stage_is_counted_there_alone() {
    let line = Line::start(2, 2, 2);
    let broken = line.submit(doing(1, Act::PanicLater)).await;
    let whole = line.submit(task(2, 20, 0)).await;
    assert_eq!(code(broken).await, Some(Code::Internal));
    let panics = |stage| line.metric("orchestrator_stage_panics_total", stage);
    assert_eq!((panics("rag"), panics("stream")), (0.0, 1.0));
    assert_eq!(code(whole).await, None);
    line.close().await;
}

#[tokio::test(start_paused = true)]
async fn panics_do_not_use_up_the_width() {
    let line = Line::start(2, 1, 1);
    for name in 0..6 {
        let act = if name % 2 == 0 { Act::Panic } else { Act::PanicLater };
        assert_eq!(code(line.submit(doing(name, act)).await).await, Some(Code::Internal));
    }
    assert_eq!(code(line.submit(task(7, 1, 1)).await).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_duration_is_the_work_of_a_stage_and_not_its_wait_for_the_next() {
    let line = Line::start(1, 1, 1);
    let mut answers = Vec::new();
    for name in 1..=3 {
        answers.push(line.submit(task(name, 10, 100)).await);
    }
    for answer in answers {
        assert_eq!(code(answer).await, None);
    }
    let worked = |stage| line.histogram("orchestrator_stage_duration_seconds", stage);
    assert_eq!(worked("rag"), (3, 30));
    assert_eq!(worked("stream"), (3, 300));
}

#[tokio::test(start_paused = true)]
async fn work_that_was_given_up_has_no_duration() {
    let line = Line::start(1, 1, 1);
    let gone = line.submit(task(1, 10, 10)).await;
    sleep(Duration::from_millis(5)).await;
    drop(gone);
    let panicked = line.submit(doing(2, Act::Panic)).await;
    assert_eq!(code(panicked).await, Some(Code::Internal));
    assert_eq!(line.histogram("orchestrator_stage_duration_seconds", "rag"), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_is_torn_down_fails_those_before_it_and_leaves_those_in_hand() {
    let line = Line::start(1, 1, 1);
    let in_hand = line.submit(task(1, 10, 0)).await;
    let queued = line.submit(task(2, 10, 0)).await;
    sleep(Duration::from_millis(5)).await;
    line.loops[0].abort();
    assert_eq!(code(queued).await, Some(Code::Internal));
    assert_eq!(line.diary.began.elapsed().as_millis(), 5);
    assert_eq!(code(line.submit(task(3, 1, 0)).await).await, Some(Code::Internal));
    assert_eq!(code(in_hand).await, None);
}
