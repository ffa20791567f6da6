//! A worker's tokens a minute: who is out of them is passed over until they are back.

use super::*;
use orchestrator_core::FinishReason;

/// A call that answers after so many milliseconds and has cost so many tokens.
fn costing(millis: u64, tokens: u64) -> Call {
    let call = Call::new().after(millis).text("fine").usage(0, tokens);
    call.finish(FinishReason::Stop)
}

/// Ten tokens a second at each worker, and a hundred at once.
fn limited(setup: &mut Setup) {
    setup.config.tokens_per_minute = 600;
    setup.config.tokens_burst = 100;
}

/// A request of 24 tokens or so.
fn small() -> Prompt {
    let mut prompt = streamed();
    prompt.request.params.max_tokens = Some(10);
    prompt
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_out_of_tokens_is_passed_over_until_they_are_back() {
    let bench = Bench::new("a | b", |_, _| costing(0, 90), limited);
    for pause in [0, 0, 2_000, 0] {
        tokio::time::sleep(ms(pause)).await;
        bench.answer(&small()).await.unwrap();
    }
    expect![[r#"
        0      a is called
        0      b is called
        2000   a is called
        2000   b is called
    "#]]
    .assert_eq(&bench.timeline.to_string());
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_plan_skips_by_the_size_of_the_request() {
    let bench = Bench::new("a", |_, _| costing(0, 60), limited);
    bench.answer(&small()).await.unwrap();
    let (route, now) = (&bench.routes.all()[0], Instant::now());
    let mut large = small();
    large.request.params.max_tokens = Some(1_000);
    let plans = [small(), large].map(|prompt| route.preview(&prompt.request, now));
    let skipped = plans
        .each_ref()
        .map(|plan| plan.skipped.first().map(|skipped| skipped.why));
    assert_eq!(skipped, [None, Some(Why::RateLimited)]);
    let reject = plans[1].reject.unwrap();
    assert_eq!(
        (reject.refused, reject.after),
        (Refused::RateLimited, ms(6_000)),
        "all of the burst"
    );
}

#[tokio::test(start_paused = true)]
async fn short_of_tokens_is_waited_for_and_far_from_it_refused() {
    let bench = Bench::new("a", |_, nth| costing(0, if nth == 0 { 100 } else { 400 }), limited);
    for _ in 0..3 {
        bench.hear(&small()).await;
    }
    expect![[r#"
        0      a is called
        0      begins at call 1, primary
        0      "fine"
        0      ""
        0      ""
        0      over
        2400   a is called
        2400   begins at call 1, primary
        2400   "fine"
        2400   ""
        2400   ""
        2400   over
        2400   failed: rate_limit_exceeded, again after 40s
    "#]]
    .assert_eq(&bench.timeline.to_string());
    bench.is_at_rest();
}

/// Those who run together have taken what they may cost; the third goes on before they are over.
#[tokio::test(start_paused = true)]
async fn what_running_calls_may_cost_is_not_given_away_twice() {
    let bench = Bench::new("a | b", |_, _| costing(500, 1), limited);
    let mut prompt = small();
    prompt.request.params.max_tokens = Some(30);
    join_all((0..3).map(|_| bench.answer(&prompt))).await;
    assert_eq!(bench.calls(), [2, 1]);
    let leaves = tokio::time::timeout(ms(100), bench.answer(&prompt)).await;
    assert!(leaves.is_err(), "nobody waits for it any more");
    bench.is_at_rest();
    tokio::time::sleep(ms(10_000)).await;
    let now = Instant::now();
    assert!(
        bench
            .members
            .iter()
            .all(|member| member.guard().rate_limited(100, now).is_zero())
    );
}
