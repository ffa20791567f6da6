//! Every interleaving of calls that are counted at once.

use super::*;
use loom::thread;
use std::sync::Arc;

/// How many of three who come at this moment are let through.
fn passed(limit: &Arc<RateLimit>, now: Instant) -> u32 {
    let others = [(); 2].map(|()| {
        let limit = limit.clone();
        thread::spawn(move || limit.check(now).is_ok())
    });
    let mine = limit.check(now).is_ok();
    let others = others.map(|other| u32::from(other.join().unwrap()));
    u32::from(mine) + others.into_iter().sum::<u32>()
}

#[test]
fn of_three_racers_as_many_pass_as_the_burst_allows() {
    for burst in 1..=3 {
        loom::model(move || {
            // So slow that the next call would come a minute later.
            let limit = Arc::new(RateLimit::per_minute(1, burst));
            assert_eq!(passed(&limit, Instant::now()), burst);
        });
    }
}

/// Who is refused has counted nothing: what comes free is there for the next.
#[test]
fn a_refused_racer_takes_nothing_from_those_who_come_later() {
    loom::model(|| {
        let (limit, now) = (Arc::new(RateLimit::per_minute(1, 1)), Instant::now());
        assert_eq!(passed(&limit, now), 1);
        let later = now + Duration::from_secs(60);
        assert_eq!((limit.check(later).is_ok(), limit.check(later).is_ok()), (true, false));
    });
}

/// Whatever calls have taken and cost: of those that end at once none is forgotten.
#[test]
fn what_racers_settle_adds_up() {
    loom::model(|| {
        let (limit, now) = (Arc::new(RateLimit::per_minute(1, 9)), Instant::now());
        let taken = [2, 3].map(|cost| limit.take(cost, now).unwrap());
        let enders = taken.map(|taken| {
            let limit = limit.clone();
            thread::spawn(move || limit.settle(taken, 1, now))
        });
        drop(limit.take(4, now).unwrap());
        enders.map(|ender| ender.join().unwrap());
        assert_eq!(limit.left(now), 3);
    });
}
