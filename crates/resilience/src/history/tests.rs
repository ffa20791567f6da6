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

#[test]
fn what_is_new_is_told_newest_first_as_far_as_it_is_kept() {
    let (mut history, now) = (History::default(), Instant::now());
    let push = |history: &mut History, cause| {
        let (from, to) = (State::Closed, State::Open);
        let at = now;
        history.push(Change { at, from, to, cause });
    };
    push(&mut history, Cause::Forced);
    let seen = history.all();
    assert_eq!(history.since(seen).count(), 0);
    push(&mut history, Cause::Silent);
    push(&mut history, Cause::Latency);
    let new: Vec<Cause> = history.since(seen).map(|change| change.cause).collect();
    assert_eq!((seen, new), (1, vec![Cause::Latency, Cause::Silent]));
    (0..200).for_each(|_| push(&mut history, Cause::Forced));
    assert_eq!((history.all(), history.since(seen).count()), (203, KEPT));
}
