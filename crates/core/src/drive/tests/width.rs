//! How many a stage works on when that changes while it works.

use super::*;

/// A line whose first stage is one wide, with these jobs of 10 ms before it.
async fn one_wide(names: std::ops::RangeInclusive<u64>) -> (Line, Vec<Answer>) {
    let line = Line::start(1, 8, 8);
    let mut answers = Vec::new();
    for name in names {
        answers.push(line.submit(task(name, 10, 0)).await);
    }
    (line, answers)
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_gets_wider_takes_those_who_wait_at_once() {
    let (line, _answers) = one_wide(1..=4).await;
    sleep(Duration::from_millis(1)).await;
    assert!(line.width.set(3));
    expect![[r"
        0    1 in first
        1    2 in first
        1    3 in first
        10   1 in second
        10   1 through
        10   4 in first
        11   2 in second
        11   2 through
        11   3 in second
        11   3 through
        20   4 in second
        20   4 through
    "]]
    .assert_eq(&line.close().await);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_gets_narrower_lets_the_running_finish_and_takes_fewer_after() {
    let line = Line::start(3, 8, 8);
    let mut answers = Vec::new();
    for (name, millis) in [(1, 10), (2, 20), (3, 30), (4, 5), (5, 5)] {
        answers.push(line.submit(task(name, millis, 0)).await);
    }
    sleep(Duration::from_millis(1)).await;
    assert!(line.width.set(1));
    expect![[r"
        0    1 in first
        0    2 in first
        0    3 in first
        10   1 in second
        10   1 through
        20   2 in second
        20   2 through
        30   3 in second
        30   3 through
        30   4 in first
        35   4 in second
        35   4 through
        35   5 in first
        40   5 in second
        40   5 through
    "]]
    .assert_eq(&line.close().await);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_gets_narrower_while_it_is_idle_is_so_for_the_next() {
    let line = Line::start(2, 8, 8);
    sleep(Duration::from_millis(1)).await;
    line.width.set(1);
    let _answers = [line.submit(task(1, 10, 0)).await, line.submit(task(2, 10, 0)).await];
    sleep(Duration::from_millis(5)).await;
    assert_eq!(line.diary.text(), "1    1 in first\n");
}

#[tokio::test(start_paused = true)]
async fn a_width_that_nobody_can_change_any_more_stays_as_it_is() {
    let (mut line, answers) = one_wide(1..=3).await;
    line.width = live(0).0;
    for answer in answers {
        assert_eq!(code(answer).await, None);
    }
    assert_eq!(line.diary.began.elapsed().as_millis(), 30);
}
