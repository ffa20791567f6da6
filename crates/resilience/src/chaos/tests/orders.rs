//! Who may have faults injected, where, and for how long.

use super::bench::{Bench, PATIENCE, always, wishing};
use crate::chaos::{Config, Fault, Order, WorkerFaults};
use expect_test::expect;
use orchestrator_core::{Code, Model};
use orchestrator_testkit::{Timeline, prompt, scripted};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::advance;

fn failing(probability: f64) -> WorkerFaults {
    WorkerFaults {
        failure: probability,
        ..WorkerFaults::default()
    }
}

fn order(bench: &Bench, order: Value) -> Order {
    bench.switch.read(&order).unwrap()
}

/// All calls of `w` fail, for so long.
fn down(bench: &Bench, for_s: u64) -> Order {
    order(bench, json!({"for_s": for_s, "workers": {"w": {"failure": 1}}}))
}

fn with_header() -> Config {
    Config {
        allow_header: true,
        ..Config::default()
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_injected_unless_it_is_enabled() {
    let off = Config {
        enabled: false,
        ..always(failing(1.0))
    };
    let bench = Bench::new(&off);
    assert_eq!(bench.outcomes(5).await, "ooooo");
    assert!(bench.switch.force().is_none() && bench.switch.is_off());
}

#[tokio::test(start_paused = true)]
async fn a_workers_own_faults_go_before_those_of_all() {
    let mut config = always(failing(1.0));
    assert_eq!(Bench::new(&config).outcomes(2).await, "uu");
    config.workers.insert("w".to_owned(), WorkerFaults::default());
    assert_eq!(Bench::new(&config).outcomes(2).await, "oo");
    config.workers = [("other".to_owned(), failing(1.0))].into();
    assert_eq!(Bench::new(&config).outcomes(2).await, "oo");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_run_whatever_other_workers_do() {
    let seeded = |seed| Config {
        seed,
        ..always(failing(0.5))
    };
    let run = Bench::new(&seeded(7)).outcomes(24).await;
    assert!(run.contains('u') && run.contains('o'), "{run}");
    assert_ne!(Bench::new(&seeded(8)).outcomes(24).await, run);
    let crowded = Bench::new(&seeded(7));
    let other = crowded
        .switch
        .model(&"other".into(), PATIENCE, Arc::new(scripted::Model::saying(["x"])));
    let mut again = String::new();
    for _ in 0..24 {
        let (cx, _client) = orchestrator_testkit::cx(tokio::time::Instant::now());
        // What it comes to is its own affair.
        drop(other.call(&cx, &prompt("x")).await);
        again.push_str(&crowded.outcomes(1).await);
    }
    assert_eq!(again, run);
}

#[tokio::test(start_paused = true)]
async fn an_order_holds_for_its_time_and_then_what_is_configured() {
    let bench = Bench::new(&Config::default());
    assert_eq!(bench.outcomes(2).await, "oo");
    assert!(bench.switch.set(down(&bench, 900)));
    let force = bench.switch.force().unwrap();
    assert_eq!(force.left, Some(Duration::from_secs(900)));
    assert_eq!(force.settings().workers["w"], failing(1.0));
    assert_eq!(bench.outcomes(2).await, "uu");
    advance(Duration::from_millis(899_999)).await;
    assert_eq!(bench.outcomes(1).await, "u");
    advance(Duration::from_millis(1)).await;
    assert_eq!(bench.outcomes(2).await, "oo", "nobody had to end it");
    assert!(bench.switch.is_off(), "and a call costs nothing again");
    let injected: Vec<_> = bench.switch.injected().filter(|(.., count)| *count > 0).collect();
    assert_eq!(injected, [("w", Fault::Failure, 3)]);
}

#[tokio::test(start_paused = true)]
async fn an_order_stands_before_the_configuration_and_the_later_before_the_earlier() {
    let bench = Bench::new(&always(failing(1.0)));
    bench.switch.set(order(&bench, json!({"for_s": 60})));
    assert_eq!(bench.outcomes(2).await, "oo", "an order without faults is a pause");
    bench.switch.set(down(&bench, 30));
    assert_eq!(bench.outcomes(1).await, "u");
    bench.switch.set(order(&bench, json!({"for_s": 1})));
    assert_eq!(bench.outcomes(1).await, "o");
    advance(Duration::from_secs(1)).await;
    assert_eq!(
        bench.outcomes(1).await,
        "u",
        "the configuration's, not the order before"
    );
    assert_eq!(bench.switch.force().unwrap().left, None);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_ended_is_over_at_once() {
    let bench = Bench::new(&Config::default());
    assert!(!bench.switch.end(), "there is none");
    bench.switch.set(down(&bench, 60));
    assert!(bench.switch.end());
    assert_eq!(bench.outcomes(2).await, "oo");
    assert!(bench.switch.is_off() && !bench.switch.end());
    bench.switch.set(down(&bench, 60));
    advance(Duration::from_secs(60)).await;
    assert!(!bench.switch.end(), "the clock was first");
}

#[tokio::test(start_paused = true)]
async fn the_same_order_gives_the_same_run_again() {
    let bench = Bench::new(&Config::default());
    let half = json!({"for_s": 60, "seed": 3, "workers": {"*": {"failure": 0.5}}});
    bench.switch.set(order(&bench, half.clone()));
    let run = bench.outcomes(20).await;
    bench.switch.set(order(&bench, half));
    assert_eq!(bench.outcomes(20).await, run);
    assert!(run.contains('u') && run.contains('o'), "{run}");
}

#[test]
fn all_that_is_wrong_with_an_order_is_told_at_once() {
    let bench = Bench::new(&Config::default());
    let wrong = json!({
        "for_s": 901,
        "sede": 1,
        "workers": {"fats": {"failure": 2}, "w": {"status": 200, "cutt": 1}},
        "retriever": {"cut": 1},
    });
    expect![[r#"
        `for_s` is 901; it takes whole numbers from 1 to 900.
        `sede` is unknown; did you mean `seed`?
        `workers.fats.failure` is 2; it takes numbers from 0 to 1.
        `workers.w.status` is 200; it takes whole numbers from 400 to 599.
        `workers.w.cutt` is unknown; did you mean `cut`?
        `retriever.cut` is unknown.
        No worker is called `fats`."#]]
    .assert_eq(&bench.switch.read(&wrong).unwrap_err().join("\n"));
    let crossed = json!({
        "for_s": 1,
        "workers": {"*": {"latency_min_ms": 9, "latency_max_ms": 8}},
        "retriever": {"latency_min_ms": 1501},
    });
    expect![[r#"
        `workers.*.latency_min_ms` is 9; `latency_max_ms` is less: 8.
        `retriever.latency_min_ms` is 1501; `latency_max_ms` is less: 1500."#]]
    .assert_eq(&bench.switch.read(&crossed).unwrap_err().join("\n"));
    assert_eq!(
        bench.switch.read(&json!({})).unwrap_err(),
        ["`for_s` is missing; it takes whole numbers from 1 to 900."]
    );
}

#[tokio::test(start_paused = true)]
async fn where_faults_are_not_allowed_nothing_can_switch_them_on() {
    let config = Config {
        allow_header: true,
        ..always(failing(1.0))
    };
    let bench = Bench::allowing(&config, false);
    assert_eq!(bench.outcomes(2).await, "oo");
    assert!(!bench.switch.set(down(&bench, 60)));
    assert_eq!(bench.outcomes(2).await, "oo");
    assert_eq!(bench.outcome(&wishing("failure=1")).await, "over");
    let refused = bench.switch.check("failure=1").unwrap_err();
    assert_eq!((refused.code(), refused.status()), (Code::InvalidRequest, Some(403)));
    let model: Arc<dyn Model> = Arc::new(scripted::Model::saying(["x"]));
    let same = bench.switch.model(&"w".into(), PATIENCE, model.clone());
    assert!(Arc::ptr_eq(&model, &same), "nothing stands in the way");
}

#[test]
fn a_client_asks_only_where_it_may_and_only_for_what_there_is() {
    let closed = Bench::new(&always(failing(1.0))).switch.check("failure=1").unwrap_err();
    assert!(closed.public().contains("`allow_header`"), "{closed:?}");
    assert_eq!(closed.status(), Some(403));
    let open = Bench::new(&with_header()).switch;
    assert!(open.check("worker=w; cut=1; cut_after_tokens=3").is_ok());
    let wrong = open.check("worker=v; cut=7").unwrap_err();
    assert_eq!((wrong.code(), wrong.status()), (Code::InvalidRequest, None));
    assert_eq!(
        wrong.public(),
        "`cut` is 7; it takes numbers from 0 to 1. No worker is called `v`. Did you mean `w`?"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_meets_what_it_asks_for_and_others_do_not() {
    let bench = Bench::new(&with_header());
    let timeline = Timeline::begin();
    bench
        .call(&timeline, &wishing("worker=w; cut=1; cut_after_tokens=1"))
        .await;
    bench.call(&timeline, &wishing("worker=other; failure=1")).await;
    expect![[r#"
        10     "t0 "
        10     upstream_truncated (chaos: injected on purpose)
        20     "t0 "
        30     "t1 "
        40     "t2 "
        50     "t3 "
        50     ""
        50     over
    "#]]
    .assert_eq(&timeline.to_string());
    assert_eq!(bench.outcomes(3).await, "ooo");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_meets_nothing_else() {
    let both = Config {
        allow_header: true,
        ..always(failing(1.0))
    };
    assert_eq!(Bench::new(&both).outcome(&wishing("worker=w")).await, "over");
}

/// The calls of one request go on through its draws; the next request begins anew.
#[tokio::test(start_paused = true)]
async fn the_same_request_meets_the_same_faults_every_time() {
    let bench = Bench::new(&with_header());
    let mut runs = Vec::new();
    for _ in 0..3 {
        let (request, mut run) = (wishing("failure=0.5; seed=42"), String::new());
        for _ in 0..12 {
            bench.guard.reset();
            run.push(bench.outcome(&request).await.chars().next().unwrap());
        }
        runs.push(run);
    }
    assert!(runs[0].contains('u') && runs[0].contains('o'), "{runs:?}");
    assert_eq!((&runs[1], &runs[2]), (&runs[0], &runs[0]));
}

#[tokio::test(start_paused = true)]
async fn requests_that_bring_no_seed_differ() {
    let bench = Bench::new(&with_header());
    let mut failed = 0;
    for _ in 0..40 {
        bench.guard.reset();
        failed += usize::from(bench.outcome(&wishing("failure=0.5")).await != "over");
    }
    assert!((4..37).contains(&failed), "{failed} of 40");
}
