//! What changes under way: limits, weights and budgets, and who feels it when.

use super::*;
use crate::{Balance, RouteConfig, fixtures::asked};
use orchestrator_resilience::Slots;

/// Changes what is in force of the route, and calls those who wait.
fn change(bench: &Bench, change: impl FnOnce(&mut RouteConfig)) {
    let route = &bench.routes.all()[0];
    let mut config = (*route.config()).clone();
    change(&mut config);
    route.change(config);
    bench.routes.look_again();
    bench.timeline.note("changed");
}

/// Sends requests at these milliseconds, while something is done after 50 ms, and tells when their calls began and ended.
async fn story(bench: &Bench, times: &[u64], at_fifty: impl FnOnce(&Bench)) -> String {
    let send = |at: u64| async move {
        tokio::time::sleep(ms(at)).await;
        bench.hear(&streamed()).await;
    };
    let edit = async {
        tokio::time::sleep(ms(50)).await;
        at_fifty(bench);
    };
    tokio::join!(join_all(times.iter().map(|at| send(*at))), edit);
    bench.is_at_rest();
    let story = bench.timeline.to_string();
    let told = story
        .lines()
        .filter(|line| line.contains("called") || line.contains("over") || line.contains("changed"));
    told.map(|line| format!("{line}\n")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_lowered_lets_calls_go_on_and_nobody_in_until_enough_have_ended() {
    let script = |_: &str, nth: usize| slow([100, 200, 300, 50, 50][nth]);
    let bench = Bench::new("a", script, |setup| setup.route.soft_limit = Some(3));
    let story = story(&bench, &[0, 0, 0, 60, 60], |bench| {
        change(bench, |config| config.soft_limit = Some(1));
    });
    expect![[r#"
        0      a is called
        0      a is called
        0      a is called
        50     changed
        100    over
        200    over
        300    over
        300    a is called
        350    over
        350    a is called
        400    over
    "#]]
    .assert_eq(&story.await);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_raised_or_taken_away_wakes_who_waits() {
    for raised in [Some(3), None] {
        let bench = Bench::new("a", |_, _| slow(700), |setup| setup.route.soft_limit = Some(1));
        let story = story(&bench, &[0, 10, 20], |bench| {
            change(bench, |config| config.soft_limit = raised);
        });
        expect![[r#"
            0      a is called
            50     changed
            50     a is called
            50     a is called
            700    over
            750    over
            750    over
        "#]]
        .assert_eq(&story.await);
    }
}

#[tokio::test(start_paused = true)]
async fn more_slots_of_a_worker_and_of_its_pool_wake_who_waits() {
    let pool = Slots::new(1);
    let (of_bench, slots) = (pool.clone(), |bench: &Bench| bench.members[0].guard().clone());
    let bench = Bench::new(
        "a",
        |_, _| slow(200),
        |setup| {
            setup.slots = 1;
            setup.pool = Some(of_bench);
        },
    );
    let story = story(&bench, &[0, 10], |bench| {
        slots(bench).set_max_concurrent(2);
        change(bench, |_| {});
        pool.resize(2);
        change(bench, |_| {});
    });
    expect![[r#"
        0      a is called
        50     changed
        50     changed
        50     a is called
        200    over
        250    over
    "#]]
    .assert_eq(&story.await);
}

#[tokio::test(start_paused = true)]
async fn who_spares_a_costlier_tier_hears_that_there_is_no_more_need_to() {
    let bench = Bench::new(
        "a | b",
        |_, _| slow(300),
        |setup| {
            setup.slots = 1;
            setup.route.overflow_after_ms = 10_000;
        },
    );
    let story = story(&bench, &[0, 10], |bench| {
        change(bench, |config| config.overflow_after_ms = 0);
    });
    expect![[r#"
        0      a is called
        50     changed
        50     b is called
        300    over
        350    over
    "#]]
    .assert_eq(&story.await);
}

#[tokio::test(start_paused = true)]
async fn weights_and_balance_hold_from_the_next_request_on() {
    let bench = Bench::new(
        "a b | c d",
        |_, _| fine(),
        |setup| {
            setup.route.balance = Balance::Weighted;
            setup.route.weights = [("a".into(), 3)].into();
        },
    );
    let mut before = vec![0; 4];
    let mut shares = Vec::new();
    let weights = |weights: &[(&str, u32)]| weights.iter().map(|(name, weight)| ((*name).into(), *weight)).collect();
    for next in [weights(&[("a", 3)]), weights(&[("b", 9)]), weights(&[("c", 5)])] {
        change(&bench, |config| config.weights = next);
        for _ in 0..100 {
            bench.answer(&streamed()).await.unwrap();
        }
        let calls = bench.calls();
        shares.push((calls[0] - before[0], calls[1] - before[1]));
        before = calls;
    }
    for (share, expected) in shares.iter().zip([75_usize, 10, 50]) {
        assert!(
            expected.abs_diff(share.0) <= 1 && share.0 + share.1 == 100,
            "{shares:?}"
        );
    }
    change(&bench, |config| config.balance = Balance::RoundRobin);
    let first = || {
        let (route, request) = (&bench.routes.all()[0], streamed().request);
        let plan = route.plan(asked(route, &request), &request, Instant::now());
        plan.candidates[0].worker
    };
    assert_ne!(first(), first());
}

#[tokio::test(start_paused = true)]
async fn a_retry_budget_that_is_changed_counts_for_the_next_failure() {
    let bench = Bench::new("a | b", told(&[("a", "bad"), ("b", "fine")]), |setup| {
        setup.route.retry_budget_percent = 0;
        setup.route.retry_budget_min = 0;
        setup.config.circuit_breaker_threshold = 0;
    });
    assert!(bench.answer(&streamed()).await.is_err());
    change(&bench, |config| config.retry_budget_min = 1);
    assert_eq!(bench.answer(&streamed()).await.unwrap(), "fine");
    assert!(bench.answer(&streamed()).await.is_err(), "it is spent");
}
