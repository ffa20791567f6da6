//! Who is called after whom, and when that ends.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_next_worker_is_called_at_once() {
    check(
        "a b | c",
        &[("a", "bad"), ("b", "fine"), ("c", "fine")],
        expect![[r#"
            0      a is called
            0      b is called
            0      begins at call 2, primary
            0      "fine"
            0      ""
            0      over
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_last_try_goes_to_a_tier_that_was_not_called() {
    check(
        "a b c | d",
        &[("a", "bad"), ("b", "bad"), ("c", "fine"), ("d", "fine")],
        expect![[r#"
            0      a is called
            0      b is called
            0      d is called
            0      begins at call 3, secondary
            0      "fine"
            0      ""
            0      over
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_last_try_stays_where_there_is_no_other_tier() {
    check(
        "a b c",
        &[("a", "bad"), ("b", "bad"), ("c", "fine")],
        expect![[r#"
            0      a is called
            0      b is called
            0      c is called
            0      begins at call 3, primary
            0      "fine"
            0      ""
            0      over
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_is_tried_again_after_a_pause_only_when_none_is_left() {
    check(
        "a | b",
        &[("a", "bad bad fine"), ("b", "bad")],
        expect![[r#"
            0      a is called
            0      b is called
            26     a is called
            26     failed: upstream_error
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_and_the_answer_says_how_many_calls_it_took() {
    let bench = Bench::new("a", told(&[("a", "bad bad bad fine")]), |setup| {
        setup.config.retry_attempts = 4;
        setup.config.retry_base_ms = 1_000;
        setup.config.retry_max_ms = 60_000;
    });
    bench.hear(&streamed()).await;
    expect![[r#"
        0      a is called
        253    a is called
        662    a is called
        1398   a is called
        1398   begins at call 4, primary
        1398   "fine"
        1398   ""
        1398   over
    "#]]
    .assert_eq(&bench.timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn the_last_failure_is_told_at_once_after_as_many_calls_as_allowed() {
    for attempts in [1, 2, 5] {
        let began = Instant::now();
        let bench = Bench::new("a b", told(&[("a", "bad"), ("b", "bad")]), |setup| {
            setup.config.retry_attempts = attempts;
            setup.config.circuit_breaker_threshold = 0;
        });
        let failure = bench.answer(&streamed()).await.unwrap_err();
        assert_eq!(failure.code(), Code::UpstreamError);
        let calls: usize = bench.calls().iter().sum();
        assert_eq!(calls, attempts as usize);
        let (story, now) = (bench.timeline.to_string(), began.elapsed().as_millis().to_string());
        let last = story.lines().last().unwrap();
        assert_eq!(
            last.split(' ').next(),
            Some(&*now),
            "no sleep follows the last try: {story}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_client_did_wrong_ends_at_once() {
    for code in [
        Code::UpstreamRejected,
        Code::InvalidRequest,
        Code::ContextLengthExceeded,
    ] {
        let bench = Bench::new("a b", move |_, _| failing(code), |_| {});
        assert_eq!(bench.answer(&streamed()).await.unwrap_err().code(), code);
        assert_eq!(bench.calls(), [1, 0]);
        assert_eq!(bench.states(), ["closed"; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_refuses_our_keys_or_sends_us_elsewhere_is_never_asked_again() {
    let refusals: [&[_]; 2] = [
        &[("a", "keys fine"), ("b", "bad fine")],
        &[("a", "moved fine"), ("b", "bad fine")],
    ];
    for words in refusals {
        let expected = expect![[r#"
            0      a is called
            0      b is called
            26     b is called
            26     begins at call 3, secondary
            26     "fine"
            26     ""
            26     over
        "#]];
        check("a | b", words, expected).await;
    }
    check(
        "a | b",
        &[("a", "bad fine"), ("b", "keys")],
        expect![[r#"
            0      a is called
            0      b is called
            26     a is called
            26     begins at call 3, primary
            26     "fine"
            26     ""
            26     over
        "#]],
    )
    .await;
    check(
        "a | b",
        &[("a", "keys"), ("b", "keys")],
        expect![[r#"
            0      a is called
            0      b is called
            0      failed: upstream_credentials
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_may_wait_for_a_full_worker_is_not_told_of_anothers_keys() {
    let bench = Bench::new("a | b", told(&[("a", "bad slow:50 fine"), ("b", "keys")]), |setup| {
        setup.slots = 1
    });
    let second = async {
        tokio::time::sleep(ms(5)).await;
        bench.answer(&streamed()).await.unwrap();
    };
    let first = streamed();
    tokio::join!(bench.hear(&first), second);
    expect![[r#"
        0      a is called
        0      b is called
        5      a is called
        55     a is called
        55     begins at call 3, primary
        55     "fine"
        55     ""
        55     over
    "#]]
    .assert_eq(&bench.timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_anew_after_the_first_token_and_the_breaker_hears_of_it() {
    let bench = Bench::new("a | b", told(&[("a", "breaks"), ("b", "fine")]), |setup| {
        setup.config.circuit_breaker_threshold = 2;
    });
    for _ in 0..3 {
        bench.hear(&streamed()).await;
    }
    expect![[r#"
        0      a is called
        0      begins at call 1, primary
        0      "half"
        10     broke off: upstream_truncated
        10     over
        10     a is called
        10     begins at call 1, primary
        10     "half"
        20     broke off: upstream_truncated
        20     over
        20     b is called
        20     begins at call 1, secondary
        20     "fine"
        20     ""
        20     over
    "#]]
    .assert_eq(&bench.timeline.to_string());
    assert_eq!(bench.states(), ["open", "closed"]);
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_between_two_tries_ends_them_with_what_the_last_one_came_to() {
    let bench = Bench::new("a", told(&[("a", "bad")]), |setup| {
        setup.config.retry_attempts = 9;
        setup.config.circuit_breaker_threshold = 2;
    });
    let failure = bench.answer(&streamed()).await.unwrap_err();
    assert_eq!((failure.code(), bench.calls()), (Code::UpstreamError, vec![2]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_one_piece_has_half_of_the_time_while_another_may_follow() {
    let story = async |tiers, attempts| {
        let script = told(&[("a", "hangs"), ("b", "hangs"), ("c", "slow:200")]);
        let bench = Bench::new(tiers, script, |setup| setup.config.retry_attempts = attempts);
        let prompt = within(false, 1_000);
        tokio::time::timeout(ms(1_000), bench.hear(&prompt)).await.ok();
        bench.is_at_rest();
        bench.timeline.to_string()
    };
    expect![[r#"
        0      a is called
        500    b is called
        750    c is called
        950    begins at call 3, primary
        950    "slow"
        950    ""
        950    over
    "#]]
    .assert_eq(&story("a b c", 3).await);
    // Neither one without a fallback nor the last try is cut short.
    for (tiers, attempts) in [("a", 3), ("a b", 1)] {
        assert_eq!(story(tiers, attempts).await, "0      a is called\n");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_not_cut_short_for_another_worker() {
    let bench = Bench::new("a b", told(&[("a", "slow:900"), ("b", "fine")]), |_| {});
    assert_eq!(bench.answer(&within(true, 1_000)).await.unwrap(), "slow");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_takes_too_long_for_half_of_the_time_has_failed() {
    let bench = Bench::new("a | b", told(&[("a", "hangs"), ("b", "fine")]), |setup| {
        setup.config.circuit_breaker_threshold = 2;
    });
    for _ in 0..2 {
        assert_eq!(bench.answer(&within(false, 1_000)).await.unwrap(), "fine");
    }
    assert_eq!(bench.states(), ["open", "closed"]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_model_calls_nobody() {
    let bench = Bench::new("a", told(&[("a", "fine")]), |setup| {
        setup.route.models = vec!["other".into()]
    });
    let failure = bench.answer(&streamed()).await.unwrap_err();
    assert_eq!((failure.code(), failure.param()), (Code::ModelNotFound, Some("model")));
    assert_eq!(bench.calls(), [0]);
}

/// Milliseconds from the start at which each call of a worker that always fails was made.
async fn calls_of_a_failing_worker(seed: u64, attempts: u32, base: u64, left: u64) -> Vec<u64> {
    let bench = Bench::new("a", told(&[("a", "bad")]), |setup| {
        setup.seed = seed;
        setup.config.retry_attempts = attempts;
        setup.config.retry_base_ms = base;
        setup.config.retry_max_ms = 500;
        setup.config.circuit_breaker_threshold = 0;
        setup.config.failure_rate = 0.0;
    });
    let failure = bench.answer(&within(true, left)).await.unwrap_err();
    assert_eq!(
        failure.code(),
        Code::UpstreamError,
        "the last failure, not the deadline, is told"
    );
    let story = bench.timeline.to_string();
    story
        .lines()
        .map(|line| line.split(' ').next().unwrap().parse().unwrap())
        .collect()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_call_is_one_too_many_nor_after_the_deadline_nor_later_than_its_pause_allows(
        seed: u64, attempts in 1_u32..8, base in 1_u64..2_000, left in 1_u64..3_000,
    ) {
        let calls = crate::fixtures::paused(calls_of_a_failing_worker(seed, attempts, base, left));
        proptest::prop_assert!(!calls.is_empty() && calls.len() <= attempts as usize);
        // A sleep ends with the millisecond that it would end in.
        proptest::prop_assert!(calls.iter().all(|at| *at <= left), "{calls:?}");
        for (retry, pair) in calls.windows(2).enumerate() {
            let ceiling = (base << retry).min(500);
            proptest::prop_assert!(pair[1] - pair[0] <= ceiling + 1, "{calls:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_does_not_end_what_a_full_worker_may_still_answer() {
    for word in ["rests:30", "keys"] {
        let script = move |name: &str, _: usize| match name {
            "a" if word == "keys" => failing(Code::UpstreamCredentials),
            "a" => resting(30),
            _ => slow(700),
        };
        let bench = Bench::new("a | b", script, |setup| setup.slots = 1);
        let held = bench.members[1].enter(orchestrator_resilience::Pass::Usual).unwrap();
        let leaves = async {
            tokio::time::sleep(ms(300)).await;
            drop(held);
            bench.routes.look_again();
        };
        let prompt = streamed();
        tokio::join!(bench.hear(&prompt), leaves);
        expect![[r#"
            0      a is called
            300    b is called
            1000   begins at call 2, secondary
            1000   "slow"
            1000   ""
            1000   over
        "#]]
        .assert_eq(&bench.timeline.to_string());
        bench.is_at_rest();
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_full_worker_until_the_deadline_is_told_what_went_wrong() {
    let bench = Bench::new("a | b", told(&[("a", "rests:30")]), |setup| setup.slots = 1);
    let _held = bench.members[1].enter(orchestrator_resilience::Pass::Usual).unwrap();
    bench.hear(&within(true, 2_500)).await;
    expect![[r#"
        0      a is called
        2500   failed: rate_limit_exceeded, again after 30s
    "#]]
    .assert_eq(&bench.timeline.to_string());
}
