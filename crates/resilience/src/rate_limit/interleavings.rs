//! Every interleaving of calls that are counted at once.

use super::*;
use loom::thread;
use std::sync::Arc;

/// How many of three, who come at the same moment with calls of these costs, are let through.
fn passed(limit: RateLimit, costs: [u32; 3]) -> usize {
    let (limit, now) = (Arc::new(limit), Instant::now());
    let [mine, others @ ..] = costs;
    let others = others.map(|cost| {
        let limit = limit.clone();
        thread::spawn(move || limit.check(cost, now).is_ok())
    });
    let mine = limit.check(mine, now).is_ok();
    let others = others.map(|other| usize::from(other.join().unwrap()));
    usize::from(mine) + others.into_iter().sum::<usize>()
}

#[test]
fn of_three_racers_as_many_pass_as_the_burst_allows() {
    for burst in 1..=3 {
        loom::model(move || {
            // So slow that the next call would come a minute later.
            let limit = RateLimit::per_minute(1, burst);
            assert_eq!(passed(limit, [1, 1, 1]), burst as usize);
        });
    }
}

#[test]
fn what_racers_cost_is_never_more_than_the_burst() {
    loom::model(|| {
        let count = passed(RateLimit::per_minute(1, 3), [2, 1, 2]);
        assert_eq!(count, 2, "one of two, and the one of one");
    });
}

/// Who is refused has counted nothing: what is left is still there for others.
#[test]
fn a_refused_racer_takes_nothing_from_the_burst() {
    loom::model(|| {
        let limit = Arc::new(RateLimit::per_minute(1, 2));
        let now = Instant::now();
        assert_eq!(limit.check(1, now), Ok(()));
        let other = limit.clone();
        let refused = thread::spawn(move || other.check(2, now).is_err());
        let mine = limit.check(1, now);
        assert!(refused.join().unwrap());
        assert_eq!(mine, Ok(()));
    });
}
