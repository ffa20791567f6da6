//! A route that answers for another one.

use super::*;
use crate::{
    RouteConfig,
    fixtures::{Bench, LetOn, Setup, bad, fine, ms, prompt, streamed},
};
use futures_util::future::join_all;
use orchestrator_core::{Answer, FinishReason};
use orchestrator_testkit::{cx, scripted::Call};

/// Workers `a` of the route and `b` aside, as these scripts say.
fn bench(
    script: impl Fn(&str) -> Call + Send + Sync + 'static,
    change: impl FnOnce(&mut Setup),
) -> (Bench, Arc<dyn Model>) {
    let bench = Bench::new(
        "a",
        move |name, _| script(name),
        |setup| {
            setup.slots = 2;
            setup.head_start = 1;
            setup.aside = Some(RouteConfig {
                models: Vec::new(),
                primary: vec!["b".to_owned()],
                ..RouteConfig::default()
            });
            change(setup);
        },
    );
    let aside = bench.router.only("aside").unwrap();
    (bench, aside)
}

/// Begins at once and goes on for long.
fn long() -> Call {
    Call::new().text("long").after(25_000).finish(FinishReason::Stop)
}

/// A request that was let on, and its client.
fn let_on(bench: &Bench) -> (Cx, Answer) {
    let (mut cx, client) = cx(prompt(true).request.deadline);
    cx.admit(LetOn::with(bench.admit(0).unwrap()));
    (cx, client)
}

#[tokio::test(start_paused = true)]
async fn requests_that_others_answer_do_not_stand_in_the_way_of_a_worker_that_comes_back() {
    let (bench, aside) = bench(
        |name| if name == "a" { bad() } else { long() },
        |setup| {
            setup.config.retry_attempts = 1;
            setup.slots = 100;
        },
    );
    let (prompt, mut degraded) = (streamed(), Vec::new());
    for _ in 0..32 {
        let (cx, client) = let_on(&bench);
        bench.router.call(&cx, &prompt).await.unwrap_err();
        degraded.push((aside.call(&cx, &prompt).await.unwrap(), cx, client));
    }
    assert_eq!(bench.states(), ["open", "closed"]);
    tokio::time::advance(ms(70_000)).await;
    assert_eq!(bench.states(), ["half_open", "closed"]);
    let credits: Vec<_> = (0..10).filter_map(|_| bench.admit(0).ok()).collect();
    assert_eq!(credits.len(), 3 + 1, "the places for probes and the head start");
    drop((credits, degraded));
    bench.is_at_rest();
}

/// As while a rule holds, where the workers are asked only if nothing else has an answer.
#[tokio::test(start_paused = true)]
async fn a_request_is_on_its_way_to_its_workers_until_another_route_answers_it() {
    let (bench, aside) = bench(|name| if name == "a" { fine() } else { long() }, |_| {});
    let (route, prompt, (cx, _client)) = (&bench.routes.all()[0], streamed(), let_on(&bench));
    bench.members[1].guard().force_open(ms(9_000));
    aside.call(&cx, &prompt).await.unwrap_err();
    assert_eq!((route.requests(), bench.routes.all()[1].requests()), (1, 0));
    bench.members[1].guard().reset();
    let reply = aside.call(&cx, &prompt).await.unwrap();
    assert_eq!((route.requests(), bench.routes.all()[1].requests()), (0, 1));
    drop((reply, cx));
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_workers_answer_keeps_its_credit_until_it_is_over() {
    let (bench, _) = bench(|_| long(), |_| {});
    let (prompt, (cx, _client)) = (streamed(), let_on(&bench));
    let reply = bench.router.call(&cx, &prompt).await.unwrap();
    assert_eq!(bench.routes.all()[0].requests(), 1);
    drop((reply, cx));
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn as_many_go_aside_at_once_as_its_hard_limits_allow() {
    for (hard, streams, expected) in [
        (Some(3), None, [3, 3]),
        (None, Some(2), [2, 9]),
        (Some(4), Some(2), [2, 4]),
    ] {
        let (bench, aside) = bench(
            |_| long(),
            |setup| {
                setup.slots = 100;
                let aside = setup.aside.as_mut().unwrap();
                (aside.hard_limit, aside.stream_hard_limit) = (hard, streams);
            },
        );
        for (is_stream, expected) in [true, false].into_iter().zip(expected) {
            let prompt = prompt(is_stream);
            let (cx, _client) = cx(prompt.request.deadline);
            let mut called = join_all((0..9).map(|_| aside.call(&cx, &prompt))).await;
            let refused = called.iter().filter_map(|called| called.as_ref().err());
            assert!(refused.clone().all(|failure| failure.code() == Code::Overloaded));
            assert_eq!(9 - refused.count(), expected, "{hard:?} {streams:?}");
            called.retain(Result::is_ok);
            called.truncate(1);
            drop(called);
            assert!(aside.call(&cx, &prompt).await.is_ok(), "there is room again");
        }
        bench.is_at_rest();
    }
}
