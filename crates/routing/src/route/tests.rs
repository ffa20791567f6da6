//! What a route knows of its workers, and what it gives away.

use super::*;
use crate::fixtures::{Bench, asked, bad, fine, ms, prompt, streamed};
use orchestrator_resilience::Pass;

fn bench(tiers: &str) -> Bench {
    Bench::new(tiers, |_, _| fine(), |setup| setup.slots = 2)
}

fn route(bench: &Bench) -> &Route {
    &bench.routes.all()[0]
}

fn free(bench: &Bench, enough: usize) -> Option<usize> {
    route(bench).free(true, enough, Instant::now())
}

fn slots(bench: &Bench, is_stream: bool) -> usize {
    bench.slots(is_stream)
}

#[tokio::test(start_paused = true)]
async fn workers_are_known_by_number_and_come_tier_by_tier() {
    let bench = bench("a b | c | d");
    let names: Vec<_> = route(&bench)
        .seats()
        .map(|seat| seat.member.name().to_string())
        .collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    assert_eq!(&**route(&bench).member(2).unwrap().name(), "c");
    assert!(route(&bench).member(4).is_none());
    assert_eq!(slots(&bench, true), 8);
}

#[tokio::test(start_paused = true)]
async fn each_plan_takes_a_turn_and_the_same_request_has_the_same_chance() {
    let (bench, prompt) = (bench("a b"), prompt(true));
    let first = || {
        let route = route(&bench);
        let plan = route.plan(asked(route, &prompt.request), &prompt.request, Instant::now());
        plan.candidates[0].worker
    };
    assert_eq!([first(), first(), first()], [0, 1, 0]);
    assert_eq!(seed(&prompt.request), seed(&prompt.request));
    assert_ne!(seed(&prompt.request), seed(&streamed().request));
}

#[tokio::test(start_paused = true)]
async fn a_session_stays_with_its_worker() {
    let bench = Bench::new(
        "a b c d",
        |_, _| fine(),
        |setup| {
            setup.route.balance = crate::Balance::ConsistentHash;
        },
    );
    let mut prompt = prompt(true);
    prompt.request.session = Some("s".into());
    for _ in 0..20 {
        bench.answer(&prompt).await.unwrap();
    }
    let mut calls = bench.calls();
    calls.sort_unstable();
    assert_eq!(calls, [0, 0, 0, 20]);
}

#[tokio::test(start_paused = true)]
async fn what_is_free_is_counted_as_far_as_enough() {
    let bench = bench("a | b");
    assert_eq!(
        [1, 3, 4, 9].map(|enough| free(&bench, enough)),
        [Some(1), Some(3), Some(4), Some(4)]
    );
    let _held = bench.members[0].enter(Pass::Usual).unwrap();
    assert_eq!([3, 4].map(|enough| free(&bench, enough)), [Some(3), Some(3)]);
}

#[tokio::test(start_paused = true)]
async fn a_soft_limit_bounds_what_is_free_of_its_tier() {
    let bench = Bench::new("a | b", |_, _| fine(), |setup| setup.route.soft_limit = Some(3));
    assert_eq!(free(&bench, 100), Some(6));
    let calls: Vec<_> = (0..2)
        .map(|_| route(&bench).enter(Tier::Primary, true).unwrap())
        .collect();
    assert_eq!((free(&bench, 100), route(&bench).calls()), (Some(4), [2, 0, 0]));
    drop(calls);
}

#[tokio::test(start_paused = true)]
async fn slots_of_a_pool_are_counted_once() {
    let bench = Bench::new(
        "a b | c",
        |_, _| fine(),
        |setup| {
            setup.slots = 2;
            setup.pool = Some(Slots::new(3));
        },
    );
    assert_eq!(
        [2, 3, 9].map(|enough| free(&bench, enough)),
        [Some(2), Some(3), Some(3)]
    );
    let _held = [0, 2].map(|member: usize| bench.members[member].enter(Pass::Usual).unwrap());
    assert_eq!((free(&bench, 9), slots(&bench, true)), (Some(1), 3));
}

#[tokio::test(start_paused = true)]
async fn a_worker_of_two_tiers_is_counted_for_the_first_that_has_room() {
    let bench = Bench::new(
        "a | a | b",
        |_, _| fine(),
        |setup| {
            setup.slots = 4;
            setup.route.soft_limit = Some(3);
        },
    );
    assert_eq!((free(&bench, 9), slots(&bench, true)), (Some(6), 6));
    let _calls = [(); 3].map(|()| route(&bench).enter(Tier::Primary, true).unwrap());
    assert_eq!(free(&bench, 9), Some(6), "three of `a` in the second tier");
}

#[tokio::test(start_paused = true)]
async fn slots_are_those_that_can_be_used_by_requests_of_the_kind() {
    let bench = Bench::new(
        "a b | c",
        |_, _| fine(),
        |setup| {
            setup.slots = 4;
            setup.route.stream_soft_limit = Some(3);
        },
    );
    assert_eq!([true, false].map(|is_stream| slots(&bench, is_stream)), [6, 12]);
    bench.members[0].guard().force_open(ms(9_000));
    let _running = bench.members[1].enter(Pass::Usual).unwrap();
    assert_eq!([true, false].map(|is_stream| slots(&bench, is_stream)), [6, 8]);
    bench.members[1].guard().force_open(ms(9_000));
    bench.members[2].guard().force_open(ms(9_000));
    assert_eq!(slots(&bench, true), 0);
}

#[tokio::test(start_paused = true)]
async fn workers_that_are_away_have_nothing_free_and_none_is_no_number() {
    let bench = bench("a | b");
    bench.members[0].guard().force_open(ms(9_000));
    assert_eq!(free(&bench, 9), Some(2));
    bench.members[1].guard().force_open(ms(9_000));
    assert_eq!(free(&bench, 9), None);
}

#[tokio::test(start_paused = true)]
async fn full_workers_are_waited_for_though_others_are_away() {
    for (full, away, expected) in [
        (vec![0, 1, 2], vec![], Some(0)),
        (vec![0, 1], vec![], Some(2)),
        (vec![2], vec![0, 1], Some(0)),
        (vec![0], vec![1, 2], Some(0)),
        (vec![], vec![0, 1, 2], None),
    ] {
        let bench = bench("a b | c");
        let take = |worker: &usize| [(); 2].map(|()| bench.members[*worker].enter(Pass::Usual).unwrap());
        let held: Vec<_> = full.iter().map(take).collect();
        away.iter()
            .for_each(|worker: &usize| bench.members[*worker].guard().force_open(ms(9_000)));
        assert_eq!(free(&bench, 9), expected, "{full:?} are full, {away:?} away");
        drop(held);
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_back_soon_is_counted_on_though_nothing_of_it_is_free() {
    let bench = bench("a | b");
    bench.members[1].guard().force_open(ms(9_000));
    for (seconds, expected) in [(3, (Some(0), 2)), (9, (None, 0))] {
        bench.members[0]
            .enter(Pass::Usual)
            .unwrap()
            .permit
            .failed(crate::fixtures::limited(seconds));
        assert_eq!((free(&bench, 9), slots(&bench, true)), expected, "{seconds} s");
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn those_opened_by_a_rate_count_only_where_there_is_no_better_one() {
    let script = |name: &str, nth: usize| if name == "a" && nth % 5 < 3 { bad() } else { fine() };
    let bench = Bench::new("a | b", script, |setup| {
        setup.slots = 2;
        setup.config.circuit_breaker_threshold = 0;
    });
    for _ in 0..20 {
        bench.answer(&streamed()).await.unwrap();
    }
    assert_eq!(bench.states(), ["open", "closed"]);
    assert_eq!(free(&bench, 9), Some(2));
    bench.members[1].guard().force_open(ms(9_000));
    assert_eq!(free(&bench, 9), Some(2));
    bench.members[0].guard().force_open(ms(9_000));
    assert_eq!(free(&bench, 9), None);
}

#[tokio::test(start_paused = true)]
async fn one_probe_a_second_is_allowed() {
    let bench = bench("a");
    let (route, start) = (route(&bench), Instant::now());
    let allowed = [0, 1, 999, 1_000, 1_001, 2_500, 3_499, 3_500].map(|at| route.may_probe(start + ms(at)));
    assert_eq!(allowed, [true, false, false, true, false, true, false, true]);
}

#[tokio::test(start_paused = true)]
async fn the_shortest_rest_is_told_only_while_all_rest() {
    let bench = bench("a | b");
    let rest = || route(&bench).shortest_rest(Instant::now());
    let limited = |seconds| crate::fixtures::limited(seconds);
    bench.members[0].enter(Pass::Usual).unwrap().permit.failed(limited(9));
    assert_eq!(rest(), None);
    bench.members[1].enter(Pass::Usual).unwrap().permit.failed(limited(4));
    assert_eq!(rest(), Some(ms(4_000)));
    tokio::time::advance(ms(4_000)).await;
    assert_eq!(rest(), None);
}
