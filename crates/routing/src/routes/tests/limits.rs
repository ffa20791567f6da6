//! Limits that change while requests are under way.

use super::*;
use crate::fixtures::paused;
use orchestrator_core::Credit;
use proptest::{collection::vec, prelude::*};

/// Puts these hard limits in force.
fn limit(bench: &Bench, hard: Option<usize>, streams: Option<usize>) {
    let route = &bench.routes.all()[0];
    route.change(RouteConfig {
        hard_limit: hard,
        stream_hard_limit: streams,
        ..(*route.config()).clone()
    });
}

fn room(bench: &Bench, is_stream: bool) -> usize {
    bench.routes.room(&prompt(is_stream).request).unwrap()
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_a_lowered_limit_go_on_and_the_next_are_refused_until_enough_have_ended() {
    let bench = Bench::new("a", |_, _| slow(1), |_| {});
    let mut credits: Vec<_> = (0..4).map(|_| bench.admit(0).unwrap()).collect();
    limit(&bench, Some(2), None);
    for left in [4, 3, 2] {
        assert_eq!((bench.admit(0).unwrap_err(), credits.len()), ("refused", left));
        credits.pop();
    }
    assert!(bench.admit(0).is_ok());
    limit(&bench, None, None);
    credits.extend((0..50).map(|_| bench.admit(0).unwrap()));
    drop(credits);
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn streams_wait_apart_from_the_moment_on_that_they_have_a_limit() {
    let bench = Bench::new("a", |_, _| slow(1), |_| {});
    let before = bench.admit(room(&bench, true)).unwrap();
    limit(&bench, None, Some(1));
    assert_eq!((room(&bench, false), room(&bench, true)), (0, 1));
    let first = bench.admit(1).unwrap();
    assert_eq!(
        bench.admit(1).unwrap_err(),
        "refused",
        "those let on before are not counted"
    );
    assert!(bench.admit(0).is_ok());
    limit(&bench, None, None);
    assert_eq!(room(&bench, true), 0);
    assert!(bench.admit(1).is_ok(), "who waits there still is called");
    drop((before, first));
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_and_the_gate_see_what_is_in_force() {
    let bench = Bench::new("a b", |_, _| slow(1), |setup| setup.slots = 2);
    let told = |bench: &Bench| {
        let plan = bench.routes.plan(&prompt(true).request).unwrap();
        let limits = &plan["limits"];
        format!(
            "{} {} {} {}",
            plan["balance"], limits["soft_limit"], limits["hard_limit"], limits["retries_left"]
        )
    };
    assert_eq!(
        (told(&bench), bench.slots(true)),
        (r#""round_robin" null null 30"#.to_owned(), 4)
    );
    bench.routes.all()[0].change(RouteConfig {
        balance: crate::Balance::ConsistentHash,
        soft_limit: Some(8),
        hard_limit: Some(12),
        retry_budget_min: 2,
        ..RouteConfig::default()
    });
    bench.members[1].guard().set_max_concurrent(7);
    assert_eq!(
        (told(&bench), bench.slots(true)),
        (r#""consistent_hash" 8 12 2"#.to_owned(), 8)
    );
}

#[tokio::test(start_paused = true)]
async fn a_plan_tells_the_requests_that_a_hard_limit_bounds_beside_the_calls() {
    let bench = Bench::new("a", |_, _| slow(100), |setup| setup.route.hard_limit = Some(3));
    let told = || {
        let plan = bench.routes.plan(&prompt(true).request).unwrap();
        ["requests", "running", "hard_limit"].map(|key| plan["limits"][key].as_u64().unwrap())
    };
    let _let_on = [(); 3].map(|()| bench.admit(0).unwrap());
    let reply = bench.call(&prompt(true)).await.unwrap();
    assert_eq!(told(), [3, 1, 3]);
    assert_eq!(bench.admit(0).unwrap_err(), "refused");
    drop(reply);
    assert_eq!(told(), [3, 0, 3]);
}

#[derive(Clone, Debug)]
enum Event {
    Limit(Option<usize>, Option<usize>),
    Come(bool),
    Leave(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let most = || prop::option::of(1_usize..6);
    prop_oneof![
        1 => (most(), most()).prop_map(|(hard, streams)| Event::Limit(hard, streams)),
        4 => any::<bool>().prop_map(Event::Come),
        3 => (0_usize..6).prop_map(Event::Leave),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Against two lists: somebody is let on just while the limits of now allow it, whatever was let on before.
    #[test]
    fn the_limits_of_now_decide(events in vec(event(), 1..60)) {
        paused(async {
            let bench = Bench::new("a", |_, _| slow(1), |_| {});
            let (mut hard, mut streams) = (None, None);
            let mut held: Vec<(bool, Credit)> = Vec::new();
            for event in events {
                match event {
                    Event::Limit(all, of_streams) => {
                        (hard, streams) = (all, of_streams);
                        limit(&bench, hard, streams);
                    }
                    Event::Come(is_stream) => {
                        let is_counted = is_stream && streams.is_some();
                        let counted = held.iter().filter(|(is_counted, _)| *is_counted).count();
                        let may = hard.is_none_or(|most| held.len() < most)
                            && !(is_counted && streams.is_some_and(|most| counted >= most));
                        let came = bench.admit(room(&bench, is_stream));
                        prop_assert_eq!(came.is_ok(), may, "{} of {:?}", held.len(), (hard, streams));
                        held.extend(came.ok().map(|credit| (is_counted, credit)));
                    }
                    Event::Leave(at) if at < held.len() => drop(held.swap_remove(at)),
                    Event::Leave(_) => {}
                }
            }
            drop(held);
            bench.is_at_rest();
            Ok(())
        })?;
    }
}
