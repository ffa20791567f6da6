//! What is decided for each request: a slot, a rate limit, a breaker's leave, a plan; and all of that with the call between.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    reason = "the macros of the benchmark make public items, and a fault in here shall end it"
)]

use gungraun::{library_benchmark, library_benchmark_group, main};
use orchestrator_benches::decisions::{self, Calls};
use orchestrator_resilience::{Guard, Pass, RateLimit, Slots};
use orchestrator_routing::{Ask, Balance, View};
use std::hint::black_box;
use tokio::{runtime::Runtime, time::Instant};

#[library_benchmark]
#[bench::free(args = (64), setup = Slots::new)]
fn slot(slots: Slots) -> bool {
    black_box(slots.try_take().is_some())
}

#[library_benchmark]
#[bench::let_through(setup = decisions::rate_limit)]
fn rate_limit((limit, now): (RateLimit, Instant)) -> bool {
    black_box(limit.check(now).is_ok())
}

#[library_benchmark]
#[bench::closed(setup = decisions::guard)]
fn guard(guard: &'static Guard) -> bool {
    let Ok(mut permit) = guard.try_admit(Pass::Usual) else {
        return false;
    };
    permit.first_token();
    drop(permit);
    black_box(true)
}

#[library_benchmark]
#[bench::of_three(args = (3), setup = decisions::tiers)]
#[bench::of_a_thousand(args = (1_000), setup = decisions::tiers)]
fn plan((views, ask): ([Vec<View>; 3], Ask)) -> usize {
    let tiers = views.each_ref().map(Vec::as_slice);
    black_box(
        orchestrator_routing::plan(tiers, Balance::P2cEwma, &ask)
            .candidates
            .len(),
    )
}

#[library_benchmark]
#[bench::of_three(args = (3), setup = decisions::calls)]
#[bench::of_a_thousand(args = (1_000), setup = decisions::calls)]
fn call((runtime, calls): (Runtime, &'static Calls)) -> Runtime {
    black_box(runtime.block_on(calls.one()));
    runtime
}

library_benchmark_group!(name = each, benchmarks = [slot, rate_limit, guard, plan, call]);
main!(library_benchmark_groups = each);
