//! More than the workers can do, and workers that do nothing: the real gate before real routes, on a paused clock.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    reason = "a fault in here shall end the test"
)]

#[path = "support/routed.rs"]
mod routed;

use orchestrator_core::{Code, Failure, FinishReason, Priority};
use orchestrator_pipeline::LanesConfig;
use orchestrator_resilience::Config;
use orchestrator_testkit::scripted::Call;
use routed::{HEAD_START, Outcome, Routed, SLOTS};
use std::{cell::Cell, time::Duration};
use tokio::time::Instant;

/// How long each call takes.
const SERVICE_MS: u64 = 100;
const MAX_WAIT: Duration = Duration::from_secs(1);
/// How long each load lasts.
const LOAD: Duration = Duration::from_secs(20);

fn lanes() -> LanesConfig {
    LanesConfig {
        max_wait_ms: 1_000,
        capacity: 200,
        ..LanesConfig::default()
    }
}

fn served() -> Call {
    Call::new().after(SERVICE_MS).text("fine").finish(FinishReason::Stop)
}

/// The pause between requests that are `times` as many as the workers can serve.
fn every(times: f64) -> Duration {
    Duration::from_millis(SERVICE_MS).div_f64(SLOTS.iter().sum::<usize>() as f64 * times)
}

/// One of twenty is high, eight are low, the others normal.
fn mixed(number: usize) -> Priority {
    match number % 20 {
        0 => Priority::High,
        1..=8 => Priority::Low,
        _ => Priority::Normal,
    }
}

/// The outcomes of a load, and the most that waited at once.
async fn overloaded(times: f64, priority: impl Fn(usize) -> Priority) -> (Vec<Outcome>, [usize; 3]) {
    let routed = Routed::new(lanes(), Config::default(), served);
    let most = Cell::new([0; 3]);
    let look = |gate: &orchestrator_pipeline::Gate| {
        let (now, before) = (Priority::ALL.map(|priority| gate.waiting(priority)), most.get());
        most.set([0, 1, 2].map(|lane| now[lane].max(before[lane])));
    };
    let outcomes = routed.load((every(times), LOAD), priority, look).await;
    routed.is_at_rest();
    (outcomes, most.get())
}

/// Requests answered until the load ended, as a part of what the workers can do in that time.
fn goodput(outcomes: &[Outcome]) -> f64 {
    let in_time = |outcome: &&Outcome| outcome.result.is_ok() && outcome.came + outcome.took <= LOAD;
    outcomes.iter().filter(in_time).count() as f64 * every(1.0).as_secs_f64() / LOAD.as_secs_f64()
}

fn of(outcomes: &[Outcome], priority: Priority) -> impl Iterator<Item = &Outcome> + Clone {
    outcomes.iter().filter(move |outcome| outcome.priority == priority)
}

/// The part of those of a priority that was served, and how long these took on average.
fn fared(outcomes: &[Outcome], priority: Priority) -> (f64, Duration) {
    let served = of(outcomes, priority).filter(|outcome| outcome.result.is_ok());
    let count = served.clone().count();
    let took: Duration = served.map(|outcome| outcome.took).sum();
    (
        count as f64 / of(outcomes, priority).count() as f64,
        took.div_f64((count as f64).max(1.0)),
    )
}

fn is_overload(failure: &Failure) -> bool {
    let after = failure.retry_after().unwrap_or_default();
    failure.code() == Code::Overloaded && (1..=60).contains(&after.as_secs())
}

#[tokio::test(start_paused = true)]
async fn at_twice_and_ten_times_the_capacity_goodput_stays_and_refusals_are_prompt() {
    for (times, least) in [(2.0, 0.95), (10.0, 0.85)] {
        let (outcomes, most) = overloaded(times, mixed).await;
        let goodput = goodput(&outcomes);
        assert!((least..=1.001).contains(&goodput), "{goodput} at {times}");
        for refused in outcomes.iter().filter(|outcome| outcome.result.is_err()) {
            assert!(is_overload(refused.result.as_ref().unwrap_err()), "{refused:?}");
            assert!(refused.took <= MAX_WAIT + Duration::from_millis(1), "{refused:?}");
        }
        assert!(
            most.into_iter().all(|most| most <= lanes().capacity),
            "{most:?} at {times}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn under_overload_the_high_are_served_first_and_the_low_are_not_starved() {
    for times in [2.0, 3.0] {
        let (outcomes, _) = overloaded(times, mixed).await;
        let (high, high_took) = fared(&outcomes, Priority::High);
        let (normal, normal_took) = fared(&outcomes, Priority::Normal);
        let (low, _) = fared(&outcomes, Priority::Low);
        let told = format!("{high} {high_took:?}, {normal} {normal_took:?}, {low} at {times}");
        assert!(
            high >= 0.99 && high_took <= Duration::from_millis(2 * SERVICE_MS),
            "{told}"
        );
        assert!(high > normal && normal_took > high_took, "{told}");
        // The weights give the low lane a twenty-first part when all wait.
        let served_low = of(&outcomes, Priority::Low)
            .filter(|outcome| outcome.result.is_ok())
            .count();
        let capacity = LOAD.as_secs_f64() / every(1.0).as_secs_f64();
        assert!(served_low as f64 >= capacity / 21.0 * 0.9, "{served_low}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_high_requests_does_not_starve_the_others() {
    let mostly_high = |number: usize| match number % 20 {
        0 => Priority::Low,
        1 | 2 => Priority::Normal,
        _ => Priority::High,
    };
    let (outcomes, _) = overloaded(3.0, mostly_high).await;
    let capacity = LOAD.as_secs_f64() / every(1.0).as_secs_f64();
    for (priority, share) in [(Priority::Low, 1.0), (Priority::Normal, 4.0), (Priority::High, 16.0)] {
        let served = of(&outcomes, priority).filter(|outcome| outcome.result.is_ok()).count() as f64;
        assert!(
            served >= 0.8 * capacity * share / 21.0,
            "{served} {} requests were served",
            priority.as_str()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_all_workers_costs_few_calls_and_ends_within_ten_seconds_of_recovery() {
    let seconds = Duration::from_secs;
    // As many as the smallest worker can answer alone, until the others are tried again; and more than all can, where they
    // are tried again soon.
    let soon = Config {
        circuit_breaker_timeout_s: 5,
        open_max_s: 5,
        ..Config::default()
    };
    for (times, config) in [(0.2, Config::default()), (2.0, soon)] {
        let began = Instant::now();
        let script = move || match began.elapsed().as_secs() {
            10..40 => Call::new().fail(Failure::new(Code::UpstreamConnect, "down")),
            _ => served(),
        };
        let routed = Routed::new(lanes(), config, script);
        let calls = Cell::new([0; 2]);
        let look = |_: &_| {
            let [before, after] = calls.get();
            let elapsed = began.elapsed();
            let now = routed.calls();
            calls.set([
                if elapsed <= seconds(10) { now } else { before },
                if elapsed <= seconds(40) { now } else { after },
            ]);
        };
        let outcomes = routed.load((every(times), seconds(60)), mixed, look).await;
        let came = |from, to| {
            outcomes
                .iter()
                .filter(move |outcome| (seconds(from)..seconds(to)).contains(&outcome.came))
        };
        let [before, after] = calls.get();
        let (requests, calls) = (came(10, 40).count(), after - before);
        assert!(
            calls <= requests * 12 / 10 + 30,
            "{calls} calls for {requests} requests"
        );
        let ended = outcomes.iter().filter(|outcome| outcome.result.is_ok());
        let ended = ended.filter(|outcome| (seconds(50)..seconds(60)).contains(&(outcome.came + outcome.took)));
        let good = ended.count() as f64 * every(1.0).as_secs_f64() / 10.0;
        assert!(good >= 0.95 * times.min(1.0), "{good} of the capacity at {times}");
        for failed in outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err()) {
            let is_clear = failed.retry_after().is_some() || failed.code() == Code::UpstreamConnect;
            assert!(is_clear, "{failed:?}");
        }
        routed.is_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_limit_of_calls_a_minute_does_not_let_through_waits_in_its_lane() {
    // Ten a second at each of three workers, and twice as many requests as that.
    let config = Config {
        requests_per_minute: 600,
        requests_burst: 1,
        ..Config::default()
    };
    let routed = Routed::new(lanes(), config, served);
    let ahead = Cell::new(0);
    let look = |_: &_| ahead.set(ahead.get().max(routed.on_the_way()));
    let outcomes = routed
        .load((Duration::from_millis(1_000) / 60, LOAD), mixed, look)
        .await;
    assert!(ahead.get() <= HEAD_START + 3, "{} wait at the workers", ahead.get());
    let served = outcomes.iter().filter(|outcome| outcome.result.is_ok()).count();
    // Those that still waited at the end were let through in the second that they may wait, and each worker began with one.
    assert!((550..=633).contains(&served), "{served} of 600");
    for refused in outcomes.iter().filter(|outcome| outcome.result.is_err()) {
        assert!(is_overload(refused.result.as_ref().unwrap_err()), "{refused:?}");
    }
    let (high, took) = fared(&outcomes, Priority::High);
    assert!(
        high >= 0.99 && took <= Duration::from_millis(3 * SERVICE_MS),
        "{high} {took:?}"
    );
    assert_eq!(routed.on_the_way(), 0);
}
