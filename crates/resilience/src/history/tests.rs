use super::*;
use std::time::Duration;

#[test]
fn the_last_hundred_changes_are_kept_in_order() {
    let (mut history, now) = (History::default(), Instant::now());
    assert_eq!(history.changes().len(), 0);
    for second in 0..250 {
        history.push(Change {
            at: now + Duration::from_secs(second),
            from: State::Closed,
            to: State::Open,
            cause: Cause::Forced,
        });
    }
    let kept: Vec<u64> = history.changes().map(|change| (change.at - now).as_secs()).collect();
    assert_eq!(kept, (150..250).collect::<Vec<u64>>());
}
