//! Requests that go to another tier first: because they are complex, or to be answered in time.

use super::*;
use crate::{Complexity, RouteConfig};
use orchestrator_testkit::chat;

/// Two turns, which a route with [`by_turns`] finds complex.
fn complex() -> Prompt {
    let turn = r#"{"role":"user","content":"x"}"#;
    let body = format!(r#"{{"model":"m","stream":true,"messages":[{turn},{turn}]}}"#);
    Prompt {
        request: Box::new(chat(body)),
        ..streamed()
    }
}

/// One that would be answered within so many milliseconds.
fn hasty(millis: u64) -> Prompt {
    let mut prompt = streamed();
    prompt.request.wanted_by = Some(Instant::now() + ms(millis));
    prompt
}

fn by_turns() -> Option<Complexity> {
    Some(Complexity {
        turns: 2,
        ..Complexity::default()
    })
}

fn decisions(bench: &Bench) -> String {
    let shown = bench.shown("decisions");
    let brief = shown.lines().map(|line| {
        let (_, reason) = line.split_once("reason=\"").unwrap();
        reason.replace("\",route=\"r\"}", "")
    });
    brief.collect::<Vec<_>>().join(", ")
}

/// `a` takes 400 ms and `b` 50; both have just been heard of.
async fn slow_and_fast(change: impl FnOnce(&mut Setup)) -> Bench {
    let script = told(&[("a", "slow:400"), ("b", "slow:50")]);
    let bench = Bench::new("a | b", script, change);
    bench.answer(&streamed()).await.unwrap();
    bench.members[0].guard().force_open(ms(20));
    bench.answer(&streamed()).await.unwrap();
    assert_eq!(bench.calls(), [1, 1]);
    bench
}

#[tokio::test(start_paused = true)]
async fn a_complex_request_goes_to_the_strong_tier_and_falls_back_on_the_others() {
    let script = told(&[("a", "fine"), ("b", "fine bad"), ("c", "fine")]);
    let bench = Bench::new("a | b | c", script, |setup| setup.route.complexity = by_turns());
    bench.hear(&streamed()).await;
    bench.hear(&complex()).await;
    bench.hear(&complex()).await;
    expect![[r#"
        0      a is called
        0      begins at call 1, primary
        0      "fine"
        0      ""
        0      over
        0      b is called
        0      begins at call 1, secondary
        0      "fine"
        0      ""
        0      over
        0      b is called
        0      a is called
        0      begins at call 2, primary
        0      "fine"
        0      ""
        0      over
    "#]]
    .assert_eq(&bench.timeline.to_string());
    assert_eq!(decisions(&bench), "complexity 2, primary_normal 2");
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn as_many_complex_requests_are_let_on_as_all_tiers_take() {
    let bench = Bench::new(
        "a | b",
        |_, _| slow(100),
        |setup| {
            setup.slots = 1;
            setup.route.complexity = by_turns();
        },
    );
    let credits: Vec<_> = std::iter::from_fn(|| bench.admit(0).ok()).take(9).collect();
    assert_eq!((credits.len(), bench.slots(true)), (2, 2));
    let (one, other) = (complex(), complex());
    let (one, other) = tokio::join!(bench.call(&one), bench.call(&other));
    let tiers = [one.unwrap().head.tier, other.unwrap().head.tier];
    assert_eq!(
        tiers,
        [Tier::Secondary, Tier::Primary],
        "the second one waits for nothing"
    );
    assert_eq!(decisions(&bench), "complexity 1, primary_normal 1");
    drop(credits);
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn what_is_complex_may_change_from_one_request_to_the_next() {
    let bench = Bench::new("a | b", |_, _| fine(), |_| {});
    let change = |complexity| {
        let route = &bench.routes.all()[0];
        route.change(RouteConfig {
            complexity,
            ..(*route.config()).clone()
        });
    };
    for (complexity, expected) in [(None, [1, 0]), (by_turns(), [1, 1]), (None, [2, 1])] {
        change(complexity);
        bench.answer(&complex()).await.unwrap();
        assert_eq!(bench.calls(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_in_a_hurry_goes_to_the_one_that_is_in_time() {
    let bench = slow_and_fast(|_| {}).await;
    for (budget, expected) in [(300, [1, 2]), (500, [2, 2]), (20, [3, 2])] {
        tokio::time::sleep(ms(100)).await;
        bench.answer(&hasty(budget)).await.unwrap();
        assert_eq!(bench.calls(), expected, "{budget} ms");
    }
    assert_eq!(
        decisions(&bench),
        "latency_budget 1, primary_breaker_open 1, primary_half_open 2, primary_normal 1"
    );
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_route_may_be_in_a_hurry_for_all_and_a_request_says_it_better() {
    let bench = slow_and_fast(|setup| setup.route.latency_budget_ms = Some(300)).await;
    tokio::time::sleep(ms(100)).await;
    bench.answer(&streamed()).await.unwrap();
    assert_eq!(bench.calls(), [1, 2]);
    bench.answer(&hasty(5_000)).await.unwrap();
    assert_eq!(bench.calls(), [2, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_worker_is_tried_again_by_one_request_once_it_is_forgotten() {
    let bench = slow_and_fast(|setup| setup.route.latency_budget_ms = Some(300)).await;
    tokio::time::sleep(ms(31_000)).await;
    bench.members[0].guard().force_open(ms(20));
    bench.answer(&streamed()).await.unwrap();
    tokio::time::sleep(ms(100)).await;
    let prompts = [(); 5].map(|()| streamed());
    join_all(prompts.iter().map(|prompt| bench.answer(prompt))).await;
    assert_eq!(bench.calls(), [2, 6], "one finds out for the five");
    bench.answer(&streamed()).await.unwrap();
    assert_eq!(bench.calls(), [2, 7], "it still is slow");
}

#[tokio::test(start_paused = true)]
async fn who_is_in_a_hurry_does_not_wait_to_spare_a_costlier_tier() {
    let bench = Bench::new(
        "a | b",
        |_, _| slow(100),
        |setup| {
            setup.slots = 1;
            setup.route.overflow_after_ms = 60;
        },
    );
    let (first, hasty) = (streamed(), hasty(5));
    let late = async {
        tokio::time::sleep(ms(1)).await;
        bench.hear(&hasty).await;
    };
    tokio::join!(bench.hear(&first), late);
    let story = bench.timeline.to_string();
    assert!(story.contains("1      b is called"), "{story}");
}
