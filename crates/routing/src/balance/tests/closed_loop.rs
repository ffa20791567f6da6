//! Power of two choices among workers that answer: callers that call again as soon as they are answered, in virtual time.

use super::*;
use crate::Latency;
use std::{cmp::Reverse, collections::BinaryHeap};
use tokio::time::Instant;

/// A worker that takes as long as it is told, and no call's time for the other's.
#[derive(Debug, Default)]
struct Sim {
    millis: u64,
    fails: bool,
    running: usize,
    calls: usize,
    latency: Latency,
}

/// Runs `callers` at once for so many virtual seconds; the calls that each worker got.
fn run(mut workers: Vec<Sim>, callers: u64, seconds: u64) -> Vec<usize> {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let mut ends: BinaryHeap<_> = (0..callers).map(|caller| Reverse((caller, None))).collect();
    let mut turn = 0;
    while let Some(Reverse((now, ended))) = ends.pop().filter(|Reverse((now, _))| *now < seconds * 1_000) {
        if let Some(worker) = ended {
            let sim: &mut Sim = &mut workers[worker];
            sim.running -= 1;
            if sim.fails {
                sim.latency.penalize(at(now));
            } else {
                sim.latency.observe(Duration::from_millis(sim.millis), at(now));
            }
        }
        let known = |(worker, sim): (usize, &Sim)| View {
            latency: sim.latency.estimate(at(now)),
            ..running(worker, sim.running)
        };
        let views: Vec<_> = workers.iter().enumerate().map(known).collect();
        turn += 1;
        let chosen = first(&views, Balance::P2cEwma, &at_turn(turn));
        workers[chosen].running += 1;
        workers[chosen].calls += 1;
        ends.push(Reverse((now + workers[chosen].millis, Some(chosen))));
    }
    workers.iter().map(|sim| sim.calls).collect()
}

/// Workers that take 100 ms, but the last.
fn with_last(count: usize, last: Sim) -> Vec<Sim> {
    let mut sims: Vec<_> = (1..count)
        .map(|_| Sim {
            millis: 100,
            ..Sim::default()
        })
        .collect();
    sims.push(last);
    sims
}

fn share_of_last(calls: &[usize]) -> f64 {
    calls[calls.len() - 1] as f64 / calls.iter().sum::<usize>() as f64
}

#[test]
fn a_grey_worker_gets_hardly_anything() {
    for (count, callers) in [(2, 1), (2, 8), (3, 4), (3, 30), (10, 50)] {
        let grey = Sim {
            millis: 1_000,
            ..Sim::default()
        };
        let calls = run(with_last(count, grey), callers, 120);
        assert!(
            share_of_last(&calls) <= 0.05,
            "{count} workers, {callers} callers: {calls:?}"
        );
        assert!(calls[count - 1] > 1, "it is asked again: {calls:?}");
    }
}

#[test]
fn a_worker_that_fails_at_once_does_not_draw_the_calls() {
    for (count, callers) in [(2, 4), (3, 12), (10, 50)] {
        let broken = Sim {
            millis: 1,
            fails: true,
            ..Sim::default()
        };
        let mut workers = with_last(count, broken);
        for sim in &mut workers {
            sim.latency.observe(Duration::from_millis(100), Instant::now());
        }
        let calls = run(workers, callers, 120);
        assert!(
            share_of_last(&calls) <= 0.02,
            "{count} workers, {callers} callers: {calls:?}"
        );
    }
}

#[test]
fn equals_share_evenly() {
    let equal = Sim {
        millis: 100,
        ..Sim::default()
    };
    let calls = run(with_last(4, equal), 20, 60);
    let mean = calls.iter().sum::<usize>() / 4;
    assert!(calls.iter().all(|count| count.abs_diff(mean) * 50 <= mean), "{calls:?}");
}

#[test]
fn load_goes_to_the_slower_worker_where_the_faster_has_a_line() {
    let half_as_fast = Sim {
        millis: 200,
        ..Sim::default()
    };
    let calls = run(with_last(2, half_as_fast), 30, 60);
    let share = share_of_last(&calls);
    assert!((0.15..0.25).contains(&share), "{calls:?}");
}
