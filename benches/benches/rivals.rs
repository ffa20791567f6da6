//! Times of what is decided for each request, beside crates that decide the same, in one run: breaker, rate limit, slot;
//! and what a plan and a call cost by the number of the route's workers.
//!
//! With two threads it is the time of a call of one of them while the other makes the same calls.
#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "the macros of the benchmark make public items, and a fault in here shall end it"
)]

use criterion::{Bencher, Criterion, criterion_group, criterion_main};
use failsafe::{CircuitBreaker, backoff, failure_policy};
use governor::{DefaultDirectRateLimiter, Quota};
use orchestrator_benches::decisions::{self, Calls};
use orchestrator_core::sync::Mutex;
use orchestrator_resilience::{Breaker, Call, Estimate, Guard, Outcome, Pass, RateLimit, Slots};
use orchestrator_routing::Balance;
use rand::{SeedableRng, rngs::StdRng};
use recloser::Recloser;
use std::{num::NonZeroU32, sync::Arc, sync::Barrier, thread, time::Duration};
use tokio::{sync::Semaphore, time::Instant};

const LONG: Duration = Duration::from_secs(86_400);

/// Measures `work` alone and beside another thread that does the same. It tells whether it has done what it should: who
/// refuses at once would be fast.
fn measure(criterion: &mut Criterion, what: &str, who: &str, work: impl Fn() -> bool + Sync) {
    assert!(work(), "{who} does not do its work: {what}");
    criterion
        .benchmark_group(what)
        .bench_function(who, |bencher| bencher.iter(&work));
    let contended = format!("{what}, two threads");
    criterion
        .benchmark_group(contended)
        .bench_function(who, |bencher| on_two_threads(bencher, &work));
}

fn on_two_threads(bencher: &mut Bencher<'_>, work: impl Fn() -> bool + Sync) {
    bencher.iter_custom(|times| {
        let barrier = Barrier::new(2);
        let run = || {
            barrier.wait();
            let began = Instant::now();
            for _ in 0..times {
                std::hint::black_box(work());
            }
            began.elapsed()
        };
        thread::scope(|scope| {
            let other = scope.spawn(run);
            run().max(other.join().expect("nothing panics"))
        })
    });
}

/// A call from leave to end, for each of which the clock is read.
fn guarded(guard: &Guard) -> bool {
    let Ok(mut permit) = guard.try_admit(Pass::Usual) else {
        return false;
    };
    permit.first_token();
    true
}

/// The same as whoever reads the clock for reasons of his own makes it: only the end reads it.
fn guarded_at(guard: &Guard, now: Instant) -> bool {
    let Ok(mut permit) = guard.try_admit(usual(now)) else {
        return false;
    };
    permit.first_token_at(now);
    true
}

fn usual(at: Instant) -> Call {
    let (pass, tokens) = (Pass::Usual, Estimate::default());
    Call { pass, tokens, at }
}

/// What the breaker alone does for a call, from leave to end. Where it is shared, each step takes its lock.
fn decided(shared: &Mutex<(Breaker, StdRng)>, now: Instant) -> bool {
    let Ok(mut call) = shared.lock().0.admit(Pass::Usual, now) else {
        return false;
    };
    shared.lock().0.first_token(&mut call, now);
    let (breaker, rng) = &mut *shared.lock();
    breaker.end(call, (Outcome::Success, None), now, rng);
    true
}

fn a_call_that_succeeds(criterion: &mut Criterion) {
    let what = "a call that succeeds";
    let guard = decisions::guard();
    measure(criterion, what, "guard", || guarded(guard));
    let now = Instant::now();
    measure(criterion, what, "guard, told the time", || guarded_at(guard, now));
    let breaker = Mutex::new((Breaker::new(Default::default()), StdRng::seed_from_u64(0)));
    measure(criterion, what, "breaker behind a lock", || decided(&breaker, now));
    let recloser = Recloser::default();
    measure(criterion, what, "recloser", || {
        recloser.call(|| Ok::<_, ()>(())).is_ok()
    });
    let failsafe = failsafe::Config::new().build();
    measure(criterion, what, "failsafe", || {
        failsafe.call(|| Ok::<_, ()>(())).is_ok()
    });
}

fn a_call_that_an_open_breaker_refuses(criterion: &mut Criterion) {
    let what = "a call that an open breaker refuses";
    let guard = decisions::guard();
    guard.force_open(LONG);
    measure(criterion, what, "guard", || guard.try_admit(Pass::Usual).is_err());
    let now = Instant::now();
    measure(criterion, what, "guard, told the time", || {
        guard.try_admit(usual(now)).is_err()
    });
    let recloser = Recloser::custom().closed_len(1).open_wait(LONG).build();
    let refuses = || matches!(recloser.call(|| Err::<(), _>(())), Err(recloser::Error::Rejected));
    while !refuses() {}
    measure(criterion, what, "recloser", refuses);
    let policy = failure_policy::consecutive_failures(1, backoff::constant(LONG));
    let failsafe = failsafe::Config::new().failure_policy(policy).build();
    failsafe.on_error();
    measure(criterion, what, "failsafe", || !failsafe.is_call_permitted());
}

/// What is decided before a call, and what a plan asks of it.
fn parts_of_the_guard(criterion: &mut Criterion) {
    let guard = decisions::guard_of("w", usize::MAX);
    let (mut breaker, now) = (Breaker::new(Default::default()), Instant::now());
    let mut group = criterion.benchmark_group("parts of the guard");
    group.bench_function("leave", |bencher| {
        bencher.iter_with_large_drop(|| guard.try_admit(usual(now)));
    });
    group.bench_function("leave, reading the clock", |bencher| {
        bencher.iter_with_large_drop(|| guard.try_admit(Pass::Usual));
    });
    group.bench_function("the breaker's decision", |bencher| {
        bencher.iter(|| breaker.admit(Pass::Usual, now));
    });
    group.bench_function("view", |bencher| bencher.iter(|| guard.view(Instant::now())));
    group.bench_function("the clock, which each step reads", |bencher| bencher.iter(Instant::now));
}

fn slot(criterion: &mut Criterion) {
    let what = "a slot taken and given back";
    let slots = Slots::new(64);
    measure(criterion, what, "slots", || slots.try_take().is_some());
    let semaphore = Arc::new(Semaphore::new(64));
    measure(criterion, what, "tokio::sync::Semaphore", || {
        semaphore.clone().try_acquire_owned().is_ok()
    });
}

fn rate_limit(criterion: &mut Criterion) {
    let what = "a call within its rate limit";
    let limit = RateLimit::per_minute(u32::MAX, u32::MAX);
    measure(criterion, what, "rate limit", || limit.check(Instant::now()).is_ok());
    let governor = DefaultDirectRateLimiter::direct(Quota::per_second(NonZeroU32::MAX));
    measure(criterion, what, "governor", || governor.check().is_ok());

    let what = "a call above its rate limit";
    let limit = RateLimit::per_minute(1, 1);
    let refuses = || limit.check(Instant::now()).is_err();
    refuses();
    measure(criterion, what, "rate limit", refuses);
    let governor = DefaultDirectRateLimiter::direct(Quota::per_hour(NonZeroU32::MIN));
    let refuses = || governor.check().is_err();
    refuses();
    measure(criterion, what, "governor", refuses);
}

/// The whole of it, by power of two choices; no crate plans.
fn plan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a plan");
    for workers in [3, 30, 1_000] {
        let (views, ask) = decisions::tiers(workers);
        let tiers = views.each_ref().map(Vec::as_slice);
        group.bench_function(format!("{workers} workers"), |bencher| {
            bencher.iter(|| orchestrator_routing::plan(tiers, Balance::P2cEwma, &ask));
        });
    }
}

/// From the look at the route's workers to the end of a call that is answered at once.
fn call_through_its_route(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    for balance in [
        Balance::P2cEwma,
        Balance::Weighted,
        Balance::LeastConnections,
        Balance::ConsistentHash,
    ] {
        let mut group = criterion.benchmark_group(format!("a call through its route, {balance:?}"));
        for workers in [1, 3, 30, 1_000] {
            let calls = runtime.block_on(Calls::to(workers, balance));
            group.bench_function(format!("{workers} workers"), |bencher| {
                bencher
                    .to_async(&runtime)
                    .iter(|| async { assert!(calls.one().await, "it is served") });
            });
        }
    }
}

criterion_group! {
    name = decisions;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).without_plots();
    targets = a_call_that_succeeds, a_call_that_an_open_breaker_refuses, parts_of_the_guard, slot, rate_limit, plan, call_through_its_route
}
criterion_main!(decisions);
