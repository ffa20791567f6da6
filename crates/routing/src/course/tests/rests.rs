//! 429s, our own limits of calls a minute, and what is slept through.

use super::*;

fn patient(setup: &mut Setup) {
    setup.config.retry_max_ms = 5_000;
}

#[tokio::test(start_paused = true)]
async fn others_take_over_for_one_that_rests_and_leave_it_alone_meanwhile() {
    let bench = Bench::new("a | b", told(&[("a", "rests:7 fine"), ("b", "fine")]), patient);
    for _ in 0..2 {
        bench.hear(&streamed()).await;
    }
    tokio::time::sleep(ms(7_000)).await;
    bench.hear(&streamed()).await;
    expect![[r#"
        0      a is called
        0      b is called
        0      begins at call 2, secondary
        0      "fine"
        0      ""
        0      over
        0      b is called
        0      begins at call 1, secondary
        0      "fine"
        0      ""
        0      over
        7000   a is called
        7000   begins at call 1, primary
        7000   "fine"
        7000   ""
        7000   over
    "#]]
    .assert_eq(&bench.timeline.to_string());
    assert_eq!(bench.states(), ["closed"; 2]);
}

#[tokio::test(start_paused = true)]
async fn when_all_rest_the_shortest_rest_is_told_and_nobody_called() {
    let bench = Bench::new(
        "a b | c",
        told(&[("a", "rests:30"), ("b", "rests:20"), ("c", "rests:40")]),
        patient,
    );
    for _ in 0..2 {
        bench.hear(&streamed()).await;
        tokio::time::sleep(ms(1_000)).await;
    }
    expect![[r#"
        0      a is called
        0      b is called
        0      c is called
        0      failed: rate_limit_exceeded, again after 20s
        1000   failed: rate_limit_exceeded, again after 19s
    "#]]
    .assert_eq(&bench.timeline.to_string());
    expect![[r#"
        orchestrator_route_refusals_total{reason="all_resting",route="r"} 1
    "#]]
    .assert_eq(&bench.shown("refusals"));
}

#[tokio::test(start_paused = true)]
async fn a_short_rest_is_waited_for() {
    let bench = Bench::new("a", told(&[("a", "rests:2 rests:3 fine")]), patient);
    bench.hear(&streamed()).await;
    expect![[r#"
        0      a is called
        2000   a is called
        5000   a is called
        5000   begins at call 3, primary
        5000   "fine"
        5000   ""
        5000   over
    "#]]
    .assert_eq(&bench.timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn who_comes_into_a_short_rest_waits_for_what_is_left_of_it() {
    let bench = Bench::new("a", told(&[("a", "rests:2 fine")]), patient);
    let later = async {
        tokio::time::sleep(ms(1_500)).await;
        bench.hear(&streamed()).await;
    };
    let first = streamed();
    tokio::join!(bench.hear(&first), later);
    expect![[r#"
        0      a is called
        2000   a is called
        2000   begins at call 2, primary
        2000   "fine"
        2000   ""
        2000   over
        2000   a is called
        2000   begins at call 1, primary
        2000   "fine"
        2000   ""
        2000   over
    "#]]
    .assert_eq(&bench.timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_rest_that_reaches_past_the_deadline_is_not_slept_through() {
    let bench = Bench::new("a", told(&[("a", "rests:2")]), patient);
    bench.hear(&within(true, 2_000)).await;
    expect![[r#"
        0      a is called
        0      failed: rate_limit_exceeded, again after 2s
    "#]]
    .assert_eq(&bench.timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_rest_longer_than_the_longest_pause_is_told_and_not_slept_through() {
    for asked in [7, 60, 1_000_000_000] {
        let bench = Bench::new("a", move |_, _| resting(asked), patient);
        let began = Instant::now();
        let rest = bench.answer(&streamed()).await.unwrap_err().retry_after().unwrap();
        assert!(rest > ms(5_000) && rest <= ms(60_000), "{rest:?}");
        tokio::time::sleep(ms(1_000)).await;
        let failure = bench.answer(&streamed()).await.unwrap_err();
        assert_eq!(
            (failure.code(), failure.retry_after()),
            (Code::RateLimited, Some(rest - ms(1_000)))
        );
        assert_eq!((bench.calls(), began.elapsed()), (vec![1], ms(1_000)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_may_pass_counts_for_more_than_a_long_rest() {
    let bench = Bench::new("a | b", told(&[("a", "bad fine"), ("b", "rests:60")]), |_| {});
    bench.hear(&streamed()).await;
    expect![[r#"
        0      a is called
        0      b is called
        26     a is called
        26     begins at call 3, primary
        26     "fine"
        26     ""
        26     over
    "#]]
    .assert_eq(&bench.timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn our_own_limit_overflows_to_the_next_tier_and_is_waited_for_where_there_is_none() {
    let limited = |setup: &mut Setup| {
        setup.config.requests_per_minute = 600;
        setup.config.requests_burst = 1;
    };
    for (tiers, expected) in [
        (
            "a",
            expect![[r#"
        0      a is called
        100    a is called
        200    a is called
    "#]],
        ),
        (
            "a | b",
            expect![[r#"
        0      a is called
        0      b is called
        100    a is called
    "#]],
        ),
    ] {
        let bench = Bench::new(tiers, told(&[("a", "fine"), ("b", "fine")]), limited);
        for _ in 0..3 {
            bench.answer(&streamed()).await.unwrap();
        }
        expected.assert_eq(&bench.timeline.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn who_finds_others_before_it_waits_no_longer_than_for_one_rest() {
    let limited = |setup: &mut Setup| {
        setup.config.requests_per_minute = 60;
        setup.config.requests_burst = 1;
    };
    let bench = Bench::new("a", told(&[("a", "fine")]), limited);
    let (prompt, began) = (streamed(), Instant::now());
    let heard = join_all((0..8).map(|_| async {
        let heard = bench.answer(&prompt).await;
        (
            began.elapsed().as_millis(),
            heard.map_err(|failure| crate::fixtures::brief(&failure)),
        )
    }))
    .await;
    let (answered, refused): (Vec<_>, Vec<_>) = heard.into_iter().partition(|(_, heard)| heard.is_ok());
    let mut times: Vec<_> = answered.into_iter().map(|(at, _)| at).collect();
    times.sort_unstable();
    assert_eq!(times, [0, 1_000, 2_000, 3_000, 4_000, 5_000]);
    let early = (5_000, Err("rate_limit_exceeded, again after 1s".to_owned()));
    assert_eq!(refused, [early.clone(), early]);
}

/// The first to ask leaves; the one who joined has time for another try.
#[tokio::test(start_paused = true)]
async fn who_waits_longest_decides_how_long_it_is_tried() {
    let bench = Bench::new("a", told(&[("a", "rests:2 fine")]), patient);
    let now = Instant::now();
    let (cx, leader) = orchestrator_testkit::cx(now + ms(1_000));
    let until = now + ms(60_000);
    let follower = leader
        .downgrade()
        .join(until, orchestrator_core::Priority::Normal)
        .unwrap();
    drop(leader);
    let reply = orchestrator_core::Model::call(&*bench.router, &cx, &streamed())
        .await
        .unwrap();
    assert_eq!((reply.head.attempts, now.elapsed()), (2, ms(2_000)));
    drop(follower);
}
