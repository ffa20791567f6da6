//! Breakers as requests meet them: whom they spare, who is called although all are open, and what closes them.

use super::*;

/// A breaker that opens after two failures for a minute; requests have one try.
fn touchy(setup: &mut Setup) {
    setup.config.retry_attempts = 1;
    setup.config.circuit_breaker_threshold = 2;
    setup.config.half_open_probes = 2;
    setup.config.slow_start_s = 0;
}

/// Asks once and writes down how that ended, with the breakers' states then.
async fn ask(bench: &Bench) -> Option<Failure> {
    let ended = bench.answer(&streamed()).await;
    let states = bench.states().join(" ");
    match ended {
        Ok(said) => {
            bench.timeline.note(format_args!("{said:?}, {states}"));
            None
        }
        Err(failure) => {
            bench
                .timeline
                .note(format_args!("{}, {states}", crate::fixtures::brief(&failure)));
            Some(failure)
        }
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_probed_once_a_second_and_the_others_are_told_when_to_come_again() {
    let bench = Bench::new("a", told(&[("a", "bad")]), touchy);
    for _ in 0..2 {
        ask(&bench).await;
    }
    for _ in 0..5 {
        ask(&bench).await;
        tokio::time::sleep(ms(400)).await;
    }
    expect![[r#"
        0      a is called
        0      upstream_error, closed
        0      a is called
        0      upstream_error, open
        0      a is called
        0      upstream_error, open
        400    breaker_open, again after 62.414858795s, open
        800    breaker_open, again after 62.014858795s, open
        1200   a is called
        1200   upstream_error, open
        1600   breaker_open, again after 61.214858795s, open
    "#]]
    .assert_eq(&bench.timeline.to_string());
    expect![[r#"
        orchestrator_route_decisions_total{reason="primary_half_open",route="r"} 2
        orchestrator_route_decisions_total{reason="primary_normal",route="r"} 2
        orchestrator_route_refusals_total{reason="all_breakers_open",route="r"} 3
    "#]]
    .assert_eq(&bench.shown("route_"));
}

#[tokio::test(start_paused = true)]
async fn a_success_of_the_early_probe_makes_it_half_open_and_the_next_ones_close_it() {
    let bench = Bench::new("a", told(&[("a", "bad bad fine")]), touchy);
    for _ in 0..2 {
        ask(&bench).await;
    }
    pass(1).await;
    for _ in 0..3 {
        ask(&bench).await;
    }
    expect![[r#"
        0      a is called
        0      upstream_error, closed
        0      a is called
        0      upstream_error, open
        1000   a is called
        1000   "fine", half_open
        1000   a is called
        1000   "fine", half_open
        1000   a is called
        1000   "fine", closed
    "#]]
    .assert_eq(&bench.timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn of_several_open_ones_the_one_due_soonest_is_probed() {
    let bench = Bench::new(
        "a | b | c",
        told(&[("a", "bad"), ("b", "bad"), ("c", "bad")]),
        |setup| {
            setup.config.circuit_breaker_threshold = 2;
        },
    );
    for _ in 0..2 {
        ask(&bench).await;
    }
    assert_eq!((bench.states(), bench.calls()), (vec!["open"; 3], vec![2; 3]));
    for _ in 0..5 {
        let due = bench
            .members
            .iter()
            .map(|member| member.guard().view(Instant::now()).due);
        let (soonest, _) = due.enumerate().min_by_key(|(_, due)| *due).unwrap();
        let mut expected = bench.calls();
        expected[soonest] += 1;
        ask(&bench).await;
        assert_eq!(bench.calls(), expected, "{}", bench.timeline);
        pass(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_an_operator_holds_open_is_not_probed() {
    let bench = Bench::new("a", told(&[("a", "fine")]), touchy);
    bench.members[0].guard().force_open(Duration::from_secs(10));
    for _ in 0..3 {
        ask(&bench).await;
        pass(3).await;
    }
    assert_eq!(bench.calls(), [0], "{}", bench.timeline);
    pass(2).await;
    assert!(ask(&bench).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_half_open_breaker_lets_no_more_probes_through_than_it_may_and_others_wait_for_theirs() {
    let bench = Bench::new("a", told(&[("a", "bad bad slow:1000")]), touchy);
    for _ in 0..2 {
        ask(&bench).await;
    }
    pass(66).await;
    tokio::join!(ask(&bench), ask(&bench), ask(&bench));
    expect![[r#"
        0      a is called
        0      upstream_error, closed
        0      a is called
        0      upstream_error, open
        66000  a is called
        66000  a is called
        67000  "slow", half_open
        67000  a is called
        67000  "slow", closed
        68000  "slow", closed
    "#]]
    .assert_eq(&bench.timeline.to_string());
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_caller_leaves_gives_its_place_back() {
    let bench = Bench::new("a", told(&[("a", "bad bad hangs hangs fine")]), touchy);
    for _ in 0..2 {
        ask(&bench).await;
    }
    pass(66).await;
    for _ in 0..2 {
        assert!(tokio::time::timeout(ms(1_000), ask(&bench)).await.is_err());
        assert_eq!(bench.states(), ["half_open"]);
    }
    for _ in 0..2 {
        assert!(ask(&bench).await.is_none());
    }
    assert_eq!(bench.states(), ["closed"]);
}

#[tokio::test(start_paused = true)]
async fn every_way_in_which_a_worker_fails_opens_it_and_others_take_over() {
    for code in [
        Code::UpstreamConnect,
        Code::UpstreamError,
        Code::UpstreamCredentials,
        Code::UpstreamRedirected,
        Code::UpstreamTruncated,
        Code::UpstreamProtocol,
        Code::FirstTokenTimeout,
    ] {
        let script = move |name: &str, _| if name == "a" { failing(code) } else { fine() };
        let bench = Bench::new("a | b", script, |setup| setup.config.circuit_breaker_threshold = 2);
        for _ in 0..5 {
            assert_eq!(bench.answer(&streamed()).await.unwrap(), "fine");
        }
        assert_eq!(
            (bench.calls(), bench.states()),
            (vec![2, 5], vec!["open", "closed"]),
            "{code:?}"
        );
        let expected = "orchestrator_route_decisions_total{reason=\"primary_breaker_open\",route=\"r\"} 3\n";
        assert!(
            bench.shown("decisions").contains(expected),
            "{}",
            bench.shown("decisions")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_the_clients_fault_or_a_rest_says_nothing_of_the_worker() {
    let bench = Bench::new("a", told(&[("a", "breaks rejects rests:1 breaks")]), touchy);
    for _ in 0..3 {
        ask(&bench).await;
    }
    pass(1).await;
    ask(&bench).await;
    expect![[r#"
        0      a is called
        10     upstream_truncated, closed
        10     a is called
        10     upstream_rejected, closed
        10     a is called
        10     rate_limit_exceeded, again after 1s, closed
        1010   a is called
        1020   upstream_truncated, open
    "#]]
    .assert_eq(&bench.timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn impatient_callers_do_not_hide_a_worker_that_hangs() {
    let bench = Bench::new("a | b", told(&[("a", "hangs"), ("b", "fine")]), |_| {});
    for _ in 0..20 {
        tokio::time::timeout(ms(2_000), ask(&bench)).await.ok();
    }
    assert_eq!(bench.states(), ["open", "closed"]);
    assert!(ask(&bench).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn at_most_half_of_a_tier_is_spared_for_its_rates() {
    let often = |_: &str, nth: usize| if nth % 5 < 3 { bad() } else { fine() };
    let bench = Bench::new("a b c d", often, |setup| {
        setup.config.retry_attempts = 1;
        setup.config.circuit_breaker_threshold = 0;
    });
    let mut most_open = 0;
    for nth in 0..400 {
        let before = bench.calls();
        let open = bench.states().iter().filter(|state| **state == "open").count();
        let ended = bench.answer(&streamed()).await;
        let refused = matches!(&ended, Err(failure) if failure.code() == Code::BreakerOpen);
        assert!(!refused, "request {nth}, {:?}", bench.states());
        assert_eq!(bench.calls().iter().sum::<usize>(), before.iter().sum::<usize>() + 1);
        most_open = most_open.max(open);
        tokio::time::sleep(ms(20)).await;
    }
    assert!(most_open >= 3, "more than half are open, and requests go on");
    // The worse half is left alone meanwhile, but for what its own probes tell.
    let mut calls = bench.calls();
    calls.sort_unstable();
    assert!(calls[0] + calls[1] < calls[2] + calls[3], "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn only_of_streams_is_a_long_wait_a_late_first_token() {
    for (is_stream, expected) in [(false, "closed"), (true, "open")] {
        let bench = Bench::new("a", told(&[("a", "slow:7000")]), |setup| {
            setup.config.latency_p95_ms = 6_000
        });
        let prompt = prompt(is_stream);
        let heard = join_all((0..10).map(|_| bench.answer(&prompt))).await;
        assert!(heard.iter().all(Result::is_ok));
        assert_eq!(bench.states(), [expected]);
    }
}
