//! Soft limits, full workers and pools: who goes on to the next tier, who waits, and who is woken.

use super::*;
use proptest::prelude::*;

/// Sends requests at these milliseconds and writes down what happens.
async fn sent_at(bench: &Bench, times: &[u64]) {
    let send = |at: &u64| {
        let at = *at;
        async move {
            tokio::time::sleep(ms(at)).await;
            bench.hear(&streamed()).await;
        }
    };
    join_all(times.iter().map(send)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_beyond_the_soft_limit_goes_on_to_the_next_tier() {
    let script = told(&[("a", "slow:100"), ("b", "slow:100"), ("c", "slow:100")]);
    let bench = Bench::new("a | b | c", script, |setup| setup.route.soft_limit = Some(1));
    sent_at(&bench, &[0, 1, 2, 3]).await;
    expect![[r#"
        0      a is called
        1      b is called
        2      c is called
        100    begins at call 1, primary
        100    "slow"
        100    ""
        100    over
        100    a is called
        101    begins at call 1, secondary
        101    "slow"
        101    ""
        101    over
        102    begins at call 1, backup
        102    "slow"
        102    ""
        102    over
        200    begins at call 1, primary
        200    "slow"
        200    ""
        200    over
    "#]]
    .assert_eq(&bench.timeline.to_string());
    expect![[r#"
        orchestrator_route_decisions_total{reason="backup_due_to_load",route="r"} 1
        orchestrator_route_decisions_total{reason="primary_normal",route="r"} 2
        orchestrator_route_decisions_total{reason="primary_over_capacity",route="r"} 1
    "#]]
    .assert_eq(&bench.shown("decisions"));
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_costlier_tier_is_spared_for_as_long_as_configured() {
    let script = told(&[("a", "slow:100"), ("b", "fine")]);
    let bench = Bench::new("a | b", script, |setup| {
        setup.slots = 1;
        setup.route.overflow_after_ms = 60;
    });
    sent_at(&bench, &[0, 10, 50]).await;
    expect![[r#"
        0      a is called
        70     b is called
        70     begins at call 1, secondary
        70     "fine"
        70     ""
        70     over
        100    begins at call 1, primary
        100    "slow"
        100    ""
        100    over
        100    a is called
        200    begins at call 1, primary
        200    "slow"
        200    ""
        200    over
    "#]]
    .assert_eq(&bench.timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_costlier_tier_is_not_spared_in_an_outage() {
    let script = told(&[("a", "bad"), ("b", "fine")]);
    let bench = Bench::new("a | b", script, |setup| setup.route.overflow_after_ms = 60_000);
    let began = Instant::now();
    for _ in 0..8 {
        assert_eq!(bench.answer(&streamed()).await.unwrap(), "fine");
    }
    assert_eq!((bench.calls(), began.elapsed()), (vec![5, 8], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn where_all_are_full_a_request_waits_and_is_woken_when_a_call_is_over() {
    let bench = Bench::new("a", told(&[("a", "slow:137")]), |setup| setup.slots = 1);
    sent_at(&bench, &[0, 10, 20]).await;
    expect![[r#"
        0      a is called
        137    begins at call 1, primary
        137    "slow"
        137    ""
        137    over
        137    a is called
        274    begins at call 1, primary
        274    "slow"
        274    ""
        274    over
        274    a is called
        411    begins at call 1, primary
        411    "slow"
        411    ""
        411    over
    "#]]
    .assert_eq(&bench.timeline.to_string());
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_slot_is_no_latency_of_the_worker() {
    let bench = Bench::new("a", told(&[("a", "slow:137")]), |setup| setup.slots = 1);
    sent_at(&bench, &[0, 0, 0]).await;
    let seen = bench.members[0].view((0, 1), &of_kind(true), Instant::now());
    assert_eq!(seen.latency.map(|latency| latency.as_millis()), Some(137));
}

#[tokio::test(start_paused = true)]
async fn who_waits_until_the_deadline_is_told_so_and_costs_no_call() {
    let bench = Bench::new("a", told(&[("a", "hangs")]), |setup| setup.slots = 1);
    let (first, late) = (within(true, 60_000), within(true, 5_000));
    tokio::select! {
        biased;
        _ = bench.call(&first) => panic!("it hangs"),
        () = bench.hear(&late) => {}
    }
    expect![[r#"
        0      a is called
        5000   failed: deadline_exceeded
    "#]]
    .assert_eq(&bench.timeline.to_string());
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_pool_count_together() {
    let script = told(&[("a", "slow:10"), ("b", "slow:10")]);
    let bench = Bench::new("a b", script, |setup| {
        setup.pool = Some(orchestrator_resilience::Slots::new(3))
    });
    let (prompt, began) = (streamed(), Instant::now());
    let heard = join_all((0..12).map(|_| bench.answer(&prompt))).await;
    assert!(heard.iter().all(Result::is_ok));
    assert_eq!(began.elapsed(), ms(40), "three at once, no more and no fewer");
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn streams_have_soft_limits_of_their_own() {
    let script = told(&[("a", "slow:100"), ("b", "slow:100")]);
    let bench = Bench::new("a | b", script, |setup| setup.route.stream_soft_limit = Some(1));
    let (one, other, whole) = (streamed(), streamed(), prompt(false));
    let [one, other, whole] = [&one, &other, &whole].map(|prompt| bench.call(prompt));
    let (one, other, whole) = tokio::join!(one, other, whole);
    let tiers = [one, other, whole].map(|reply| reply.unwrap().head.tier);
    assert_eq!(tiers, [Tier::Primary, Tier::Secondary, Tier::Primary]);
    bench.is_at_rest();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever waits is woken as soon as there is room: the work is done as if by so many clerks.
    #[test]
    fn no_wakeup_is_lost(racers in 1_usize..40, slots in 1_usize..5, took in 1_u64..900) {
        let (done, calls) = crate::fixtures::paused(async {
            let bench = Bench::new("a | b", move |_, _| slow(took), |setup| setup.slots = slots);
            let (began, prompt) = (Instant::now(), within(true, 10_000_000));
            let heard = join_all((0..racers).map(|_| bench.answer(&prompt))).await;
            assert!(heard.iter().all(Result::is_ok));
            bench.is_at_rest();
            (began.elapsed().as_millis() as u64, bench.calls().iter().sum::<usize>())
        });
        let rounds = racers.div_ceil(2 * slots) as u64;
        prop_assert_eq!((done, calls), (rounds * took, racers));
    }
}

/// Two requests that were let on, one of them to a full worker, on which it may wait for so long.
fn let_on(tiers: &str, script: &'static [(&'static str, &'static str)], change: impl FnOnce(&mut Setup)) -> Bench {
    Bench::new(tiers, told(script), |setup| {
        setup.slots = 1;
        setup.patience = Some(ms(2_000));
        change(setup);
    })
}

#[tokio::test(start_paused = true)]
async fn who_was_let_on_waits_at_a_full_worker_for_no_longer_than_it_may() {
    let bench = let_on("a", &[("a", "slow:3500")], |_| {});
    sent_at(&bench, &[0, 10, 1_600]).await;
    expect![[r#"
        0      a is called
        2010   failed: server_is_overloaded, again after 1s
        3500   begins at call 1, primary
        3500   "slow"
        3500   ""
        3500   over
        3500   a is called
        7000   begins at call 1, primary
        7000   "slow"
        7000   ""
        7000   over
    "#]]
    .assert_eq(&bench.timeline.to_string());
    assert_eq!(*bench.waits.lock(), [ms(2_000), ms(1_900)]);
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn who_may_wait_no_longer_goes_on_to_a_costlier_tier_before_it_is_refused() {
    let bench = let_on("a | b", &[("a", "slow:9000"), ("b", "slow:9000")], |setup| {
        setup.route.overflow_after_ms = 60_000;
    });
    sent_at(&bench, &[0, 10, 20]).await;
    expect![[r#"
        0      a is called
        2010   b is called
        2020   failed: server_is_overloaded, again after 1s
        9000   begins at call 1, primary
        9000   "slow"
        9000   ""
        9000   over
        11010  begins at call 1, secondary
        11010  "slow"
        11010  ""
        11010  over
    "#]]
    .assert_eq(&bench.timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn what_a_call_has_come_to_says_more_than_that_the_others_are_full() {
    let bench = let_on("a | b", &[("a", "keys"), ("b", "slow:9000")], |_| {});
    let _full = bench.members[1].enter(orchestrator_resilience::Pass::Usual).unwrap();
    sent_at(&bench, &[0]).await;
    expect![[r#"
        0      a is called
        2000   failed: upstream_credentials
    "#]]
    .assert_eq(&bench.timeline.to_string());
}

/// As when a probe gives its place back at its first token, or an adaptive limit grows.
#[tokio::test(start_paused = true)]
async fn room_that_comes_without_the_end_of_a_call_is_found_soon() {
    let bench = Bench::new("a", told(&[("a", "fine")]), |setup| setup.slots = 1);
    let held = bench.members[0].enter(orchestrator_resilience::Pass::Usual).unwrap();
    let comes = async {
        tokio::time::sleep(ms(250)).await;
        drop(held);
    };
    let (prompt, began) = (streamed(), Instant::now());
    let (heard, ()) = tokio::join!(bench.answer(&prompt), comes);
    assert_eq!((heard.is_ok(), began.elapsed()), (true, ms(300)));
}

#[tokio::test(start_paused = true)]
async fn who_waits_on_another_route_of_the_same_worker_is_woken_too() {
    let bench = Bench::new("a", told(&[("a", "slow:137")]), |setup| {
        setup.slots = 1;
        setup.aside = Some(crate::RouteConfig {
            primary: vec!["a".to_owned()],
            models: Vec::new(),
            ..crate::RouteConfig::default()
        });
    });
    let (aside, prompt, began) = (bench.router.only("aside").unwrap(), streamed(), Instant::now());
    let (cx, _client) = orchestrator_testkit::cx(prompt.request.deadline);
    let (heard, begun) = tokio::join!(bench.answer(&prompt), aside.call(&cx, &prompt));
    assert_eq!((heard.is_ok(), begun.is_ok(), began.elapsed()), (true, true, ms(274)));
}

fn primary(worker: usize) -> Candidate {
    Candidate {
        worker,
        tier: Tier::Primary,
        pass: orchestrator_resilience::Pass::Usual,
        reason: crate::Reason::PrimaryNormal,
    }
}

/// Whoever looked while the place was held saw the tier full, and would not look again at once.
#[tokio::test(start_paused = true)]
async fn a_place_that_the_worker_refuses_is_told_to_those_who_saw_it_taken() {
    let bench = Bench::new("a", told(&[("a", "fine")]), |setup| {
        setup.slots = 1;
        setup.route.soft_limit = Some(1);
    });
    let route = &bench.routes.all()[0];
    let held = route.enter(Tier::Primary, true);
    let refused = async {
        tokio::time::sleep(ms(100)).await;
        // In one step, as on another core: the place was free for a moment, and the worker full.
        drop(held);
        let permit = bench.members[0].guard().try_admit(orchestrator_resilience::Pass::Usual);
        assert!(Place::take(&bench.router, route, primary(0), &of_kind(true), Instant::now()).is_none());
        drop(permit);
    };
    let prompt = streamed();
    tokio::join!(bench.hear(&prompt), refused);
    expect![[r#"
        100    a is called
        100    begins at call 1, primary
        100    "fine"
        100    ""
        100    over
    "#]]
    .assert_eq(&bench.timeline.to_string());
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn who_finds_the_tier_full_wakes_nobody() {
    let bench = Bench::new("a", told(&[("a", "fine")]), |setup| setup.route.soft_limit = Some(1));
    let route = &bench.routes.all()[0];
    let _held = route.enter(Tier::Primary, true);
    let freed = route.freed.notified();
    assert!(Place::take(&bench.router, route, primary(0), &of_kind(true), Instant::now()).is_none());
    assert!(tokio::time::timeout(ms(1), freed).await.is_err());
}
