//! The retry budget, and what an outage of all workers costs.

use super::*;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

#[tokio::test(start_paused = true)]
async fn a_spent_budget_ends_requests_with_their_last_failure_and_is_counted() {
    let bench = Bench::new("a b", told(&[("a", "bad"), ("b", "bad")]), |setup| {
        setup.config.circuit_breaker_threshold = 0;
        setup.config.failure_rate = 0.0;
        setup.route.retry_budget_percent = 0;
        setup.route.retry_budget_min = 3;
    });
    let began = Instant::now();
    for calls in [3, 5, 6, 7] {
        let failure = bench.answer(&streamed()).await.unwrap_err();
        assert_eq!(failure.code(), Code::UpstreamError);
        assert_eq!(bench.calls().iter().sum::<usize>(), calls, "{}", bench.timeline);
    }
    assert!(
        began.elapsed() <= ms(200),
        "nobody sleeps for a call that may not be made"
    );
    expect![[r#"
        orchestrator_retries_total{reason="upstream_error",worker="a"} 2
        orchestrator_retries_total{reason="upstream_error",worker="b"} 1
        orchestrator_retry_budget_spent_total{route="r"} 3
    "#]]
    .assert_eq(&bench.shown("retr"));
    // The budget is that of ten seconds.
    tokio::time::sleep(ms(10_000)).await;
    bench.answer(&streamed()).await.unwrap_err();
    assert_eq!(bench.calls().iter().sum::<usize>(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_budget_does_not_allow_is_none_of_those_that_a_worker_takes_in_a_minute() {
    let bench = Bench::new("a | b", told(&[("a", "bad"), ("b", "fine")]), |setup| {
        setup.route.retry_budget_percent = 0;
        setup.route.retry_budget_min = 0;
        setup.config.requests_per_minute = 60;
        setup.config.requests_burst = 4;
    });
    for _ in 0..4 {
        bench.answer(&streamed()).await.unwrap_err();
    }
    assert_eq!(bench.calls(), [4, 0]);
    assert_eq!(bench.members[1].guard().view(Instant::now()).free, 4);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_refuses_by_itself_costs_neither_a_try_nor_budget() {
    let bench = Bench::new("a | b", told(&[("a", "slow:1000"), ("b", "fine")]), |setup| {
        setup.slots = 1;
        setup.route.retry_budget_percent = 0;
        setup.route.retry_budget_min = 0;
        setup.config.retry_attempts = 1;
    });
    let (first, second) = (streamed(), streamed());
    let (first, second) = tokio::join!(bench.call(&first), async { bench.call(&second).await });
    let told = [first, second].map(|reply| reply.map(|reply| (reply.head.tier, reply.head.attempts)).unwrap());
    assert_eq!(told, [(Tier::Primary, 1), (Tier::Secondary, 1)]);
}

/// How a load that goes on for so many seconds fares: how many calls were made by the end of each second, and how many
/// requests were answered in it.
async fn under_load(bench: &Arc<Bench>, seconds: u64, per_second: u64) -> Vec<(usize, usize)> {
    let mut tasks = tokio::task::JoinSet::new();
    let (served, mut told) = (Arc::new(AtomicUsize::new(0)), Vec::new());
    for _ in 0..seconds {
        for _ in 0..per_second {
            let (bench, served) = (bench.clone(), served.clone());
            tasks.spawn(async move {
                if bench.answer(&within(true, 5_000)).await.is_ok() {
                    served.fetch_add(1, Relaxed);
                }
            });
            tokio::time::sleep(ms(1_000) / per_second as u32).await;
        }
        told.push((bench.calls().iter().sum(), served.swap(0, Relaxed)));
    }
    while tasks.join_next().await.is_some() {}
    told
}

/// A route all of whose workers fail from the tenth second to the fortieth, each call after `takes` milliseconds.
fn failing_for_30_s(takes: u64, change: impl FnOnce(&mut Setup)) -> Arc<Bench> {
    let began = Instant::now();
    let script = move |_: &str, _: usize| match began.elapsed().as_secs() {
        10..40 => Call::new()
            .after(takes)
            .fail(Failure::new(Code::UpstreamConnect, "down")),
        _ => slow(20),
    };
    Arc::new(Bench::new("a b | c", script, change))
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_at_most_a_fifth_more_calls_and_is_over_within_ten_seconds() {
    for with_breakers in [true, false] {
        let bench = failing_for_30_s(5, |setup| {
            if !with_breakers {
                setup.config.circuit_breaker_threshold = 0;
                setup.config.failure_rate = 0.0;
            }
        });
        let told = under_load(&bench, 60, 50).await;
        let (before, after) = (told[9].0, told[39].0);
        // 30 calls in each 10 seconds may be made in any case, a fifth of the requests else: whichever is more.
        assert!(after - before <= 30 * 50 * 12 / 10 + 30, "{told:?}");
        let served: Vec<usize> = told.iter().map(|(_, served)| *served).collect();
        assert!(served[10..39].iter().sum::<usize>() <= 10, "{served:?}");
        assert!(
            served[50..].iter().all(|served| *served >= 45),
            "goodput is back: {served:?}"
        );
        bench.is_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_open_breakers_leave_one_call_a_second() {
    let bench = failing_for_30_s(5, |_| {});
    let told = under_load(&bench, 40, 50).await;
    let calls: Vec<usize> = told.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(calls[15..].iter().all(|calls| *calls <= 2), "{calls:?}");
}
