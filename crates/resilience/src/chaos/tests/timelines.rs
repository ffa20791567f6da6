//! Each fault on a paused clock, as the guard before it sees it.

use super::bench::{Bench, always, searches, streamed};
use crate::{
    State,
    chaos::{Config, RetrieverFaults, WorkerFaults},
};
use expect_test::{Expect, expect};
use futures_util::FutureExt;
use orchestrator_core::{Code, Failure};
use orchestrator_testkit::{Timeline, prompt};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// What becomes of one call, after which all is given back.
async fn call(faults: WorkerFaults, expected: &Expect) -> Bench {
    let (bench, timeline) = (Bench::new(&always(faults)), Timeline::begin());
    bench.call(&timeline, &prompt("x")).await;
    expected.assert_eq(&timeline.to_string());
    assert!(bench.is_idle());
    bench
}

fn held_up() -> WorkerFaults {
    WorkerFaults {
        latency: 1.0,
        latency_min_ms: 300,
        latency_max_ms: 300,
        ..WorkerFaults::default()
    }
}

fn failing() -> WorkerFaults {
    WorkerFaults {
        failure: 1.0,
        ..WorkerFaults::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_faults_is_as_it_was() {
    let bench = call(
        WorkerFaults::default(),
        &expect![[r#"
            10     "t0 "
            20     "t1 "
            30     "t2 "
            40     "t3 "
            40     ""
            40     over
        "#]],
    )
    .await;
    assert_eq!(bench.counted(), "");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_held_up_before_it_is_made() {
    let bench = call(
        held_up(),
        &expect![[r#"
            310    "t0 "
            320    "t1 "
            330    "t2 "
            340    "t3 "
            340    ""
            340    over
        "#]],
    )
    .await;
    assert_eq!(bench.counted(), r#"{fault="latency",target="w"} 1"#);
}

/// A stream that is held up for too long ends as a server's does that is too slow; a whole answer has no such limit.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_held_up_too_long_is_given_up() {
    let slow = WorkerFaults {
        latency_min_ms: 2_001,
        latency_max_ms: 2_001,
        ..held_up()
    };
    let (bench, timeline) = (Bench::new(&always(slow)), Timeline::begin());
    bench.call(&timeline, &streamed()).await;
    assert_eq!(bench.outcome(&prompt("x")).await, "over");
    assert_eq!(bench.outcome(&streamed()).await, "first_token_timeout");
    expect![[r#"
        2000   first_token_timeout (chaos: injected on purpose)
    "#]]
    .assert_eq(&timeline.to_string());
    assert_eq!((bench.model.calls(), bench.is_idle()), (1, true));
    assert_eq!(bench.counted(), r#"{fault="latency",target="w"} 3"#);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_slowly_is_given_up() {
    let slow = WorkerFaults {
        trickle: 1.0,
        trickle_ms: 1_001,
        ..WorkerFaults::default()
    };
    let bench = call(
        slow,
        &expect![[r#"
        1010   idle_timeout (chaos: injected on purpose)
    "#]],
    )
    .await;
    assert_eq!(bench.model.dropped(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_fails_instead_of_being_made_and_the_breaker_counts_it() {
    let failing = WorkerFaults {
        status: 500,
        ..failing()
    };
    let bench = call(
        failing,
        &expect![[r#"
            0      upstream_error 500 (chaos: injected on purpose)
        "#]],
    )
    .await;
    assert_eq!((bench.model.calls(), bench.guard.state()), (0, State::Closed));
    assert_eq!(bench.outcome(&prompt("x")).await, "upstream_error");
    assert_eq!(bench.guard.state(), State::Open, "it opens after two");
    assert_eq!(bench.outcome(&prompt("x")).await, "refused");
    assert_eq!(bench.counted(), r#"{fault="failure",target="w"} 2"#);
    assert!(bench.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_pretended_429_makes_the_worker_rest() {
    let limited = WorkerFaults {
        status: 429,
        ..failing()
    };
    let bench = call(
        limited,
        &expect![[r#"
            0      rate_limit_exceeded 429 (chaos: injected on purpose)
        "#]],
    )
    .await;
    let seen = bench.guard.view(Instant::now());
    assert!(!seen.rest.is_zero() && seen.state == State::Closed, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn latency_comes_before_failure() {
    let both = WorkerFaults {
        failure: 1.0,
        ..held_up()
    };
    let bench = call(
        both,
        &expect![[r#"
            300    upstream_error 503 (chaos: injected on purpose)
        "#]],
    )
    .await;
    assert_eq!(
        bench.counted(),
        "{fault=\"failure\",target=\"w\"} 1\n{fault=\"latency\",target=\"w\"} 1"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_breaks_off_and_the_breaker_counts_it() {
    let cut = WorkerFaults {
        cut: 1.0,
        cut_after_tokens: 2,
        ..WorkerFaults::default()
    };
    let bench = call(
        cut,
        &expect![[r#"
            10     "t0 "
            20     "t1 "
            20     upstream_truncated (chaos: injected on purpose)
        "#]],
    )
    .await;
    assert_eq!((bench.model.dropped(), bench.model.finished()), (1, 0));
    assert_eq!(bench.outcome(&prompt("x")).await, "upstream_truncated");
    assert_eq!(bench.guard.state(), State::Open);
    assert_eq!(bench.counted(), r#"{fault="cut",target="w"} 2"#);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_ends_before_it_would_be_cut_is_not_counted_as_cut() {
    let late = WorkerFaults {
        cut: 1.0,
        cut_after_tokens: 5,
        ..WorkerFaults::default()
    };
    let bench = Bench::new(&always(late));
    assert_eq!(bench.outcome(&prompt("x")).await, "over");
    assert_eq!(bench.counted(), "");
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_slowly() {
    let slow = WorkerFaults {
        trickle: 1.0,
        trickle_ms: 1_000,
        ..WorkerFaults::default()
    };
    let bench = call(
        slow,
        &expect![[r#"
            1010   "t0 "
            2020   "t1 "
            3030   "t2 "
            4040   "t3 "
            4040   ""
            4040   over
        "#]],
    )
    .await;
    assert_eq!(bench.counted(), r#"{fault="trickle",target="w"} 1"#);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_a_call_is_held_up_leaves_nothing_behind() {
    let (bench, timeline) = (Bench::new(&always(held_up())), Timeline::begin());
    let prompt = prompt("x");
    let left = timeout(Duration::from_millis(100), bench.call(&timeline, &prompt)).await;
    assert!(left.is_err());
    assert!(bench.is_idle());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((bench.model.calls(), timeline.to_string().as_str()), (0, ""));
    assert_eq!(bench.guard.state(), State::Closed, "nobody's patience is no failure");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_a_slow_answer_drops_the_call() {
    let slow = WorkerFaults {
        trickle: 1.0,
        trickle_ms: 1_000,
        ..WorkerFaults::default()
    };
    let (bench, timeline) = (Bench::new(&always(slow)), Timeline::begin());
    let prompt = prompt("x");
    assert!(
        timeout(Duration::from_millis(2_500), bench.call(&timeline, &prompt))
            .await
            .is_err()
    );
    assert!(bench.is_idle());
    assert_eq!(bench.model.dropped(), 1);
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_are_asked_for_as_ever() {
    let bench = Bench::new(&always(failing()));
    assert!(bench.probe().await.is_none());
    let down = || Failure::new(Code::UpstreamConnect, "down");
    bench.model.probed(move |_| async move { Some(Err(down())) });
    assert_eq!(bench.probe().await, Some(Err(down())));
    assert_eq!((bench.model.probes(), bench.counted().as_str()), (2, ""));
}

#[tokio::test(start_paused = true)]
async fn searches_are_held_up_and_fail() {
    let faults = RetrieverFaults {
        latency: 1.0,
        latency_min_ms: 200,
        latency_max_ms: 200,
        failure: 0.0,
    };
    let timeline = Timeline::begin();
    let slow = Bench::new(&searches(faults.clone()));
    slow.search(&timeline).await;
    let failing = Bench::new(&searches(RetrieverFaults { failure: 1.0, ..faults }));
    failing.search(&timeline).await;
    Bench::new(&Config::default()).search(&timeline).await;
    expect![[r#"
        200    found 1
        400    retrieval_failed (chaos: injected on purpose)
        400    found 1
    "#]]
    .assert_eq(&timeline.to_string());
    assert_eq!(slow.counted(), r#"{fault="latency",target="retriever"} 1"#);
    assert_eq!(
        failing.counted(),
        "{fault=\"failure\",target=\"retriever\"} 1\n{fault=\"latency\",target=\"retriever\"} 1"
    );
    assert_eq!(
        slow.outcome(&prompt("x")).await,
        "over",
        "calls of workers meet nothing"
    );
}

/// A retriever whose time is short gives up on one that is held up, and nothing is left of the search.
#[tokio::test(start_paused = true)]
async fn a_search_that_is_given_up_ends_there() {
    let faults = RetrieverFaults {
        latency: 1.0,
        latency_min_ms: 200,
        latency_max_ms: 200,
        failure: 1.0,
    };
    let (bench, timeline) = (Bench::new(&searches(faults)), Timeline::begin());
    assert!(
        timeout(Duration::from_millis(50), bench.search(&timeline))
            .await
            .is_err()
    );
    assert_eq!(bench.counted(), r#"{fault="latency",target="retriever"} 1"#);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_meets_nothing_is_answered_at_once() {
    let (bench, timeline) = (Bench::new(&Config::default()), Timeline::begin());
    let prompt = prompt("x");
    let mut call = Box::pin(bench.call(&timeline, &prompt));
    assert!((&mut call).now_or_never().is_none());
    assert_eq!(bench.model.running(), 1, "it has been made");
    call.await;
}
