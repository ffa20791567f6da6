//! Which route a request takes, in which room it waits, and how many are let on.

mod limits;
mod wishes;

use super::*;
use crate::fixtures::{Bench, ms, prompt, slow, streamed};
use orchestrator_resilience::{Config, Guard};
use orchestrator_testkit::{chat, world};
use prometheus::Registry;
use std::{sync::Barrier, thread};

/// Routes of these patterns, each over one worker of the route's name.
fn routes(patterns: &[(&str, &[&str])]) -> Result<Arc<Routes>, Error> {
    let registry = Registry::new();
    let guards = orchestrator_resilience::Metrics::register(&registry).unwrap();
    let member = |(name, _): &(&str, &[&str])| {
        let guard = Guard::new((*name).into(), Config::default(), 1, world(1).random(name), &guards);
        Arc::new(Member::new(guard, None))
    };
    let members: Vec<_> = patterns.iter().map(member).collect();
    let configs = patterns.iter().map(|(name, models)| {
        let config = RouteConfig {
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            primary: vec![(*name).to_owned()],
            ..RouteConfig::default()
        };
        (*name, config)
    });
    Routes::build(configs, &members, 1, &Metrics::register(&registry).unwrap())
}

/// Which of three routes over these workers shares slots with which.
fn sharing(tiers: [&str; 3], pool: Option<&orchestrator_resilience::Slots>) -> Vec<(usize, usize)> {
    let registry = Registry::new();
    let guards = orchestrator_resilience::Metrics::register(&registry).unwrap();
    let members = ["a", "b", "c"].map(|name| {
        let guard = Guard::new(name.into(), Config::default(), 1, world(1).random(name), &guards);
        Arc::new(Member::new(guard, pool.filter(|_| name != "c").cloned()))
    });
    let configs = tiers.iter().map(|workers| {
        let config = RouteConfig {
            models: vec![(*workers).to_owned()],
            primary: workers.split(' ').map(String::from).collect(),
            ..RouteConfig::default()
        };
        (*workers, config)
    });
    let routes = Routes::build(configs, &members, 1, &Metrics::register(&registry).unwrap()).unwrap();
    let pairs = [(0, 1), (0, 2), (1, 2)];
    assert!(
        (0..3).all(|route| routes.shares(2 * route, 2 * route + 1)),
        "its own rooms"
    );
    pairs
        .into_iter()
        .filter(|(one, other)| routes.shares(2 * one, 2 * other + 1))
        .collect()
}

#[test]
fn rooms_share_slots_by_a_worker_a_pool_or_a_third_route() {
    let pool = orchestrator_resilience::Slots::new(2);
    for (tiers, pool, expected) in [
        (["a", "b", "c"], None, &[][..]),
        (["a", "b", "a c"], None, &[(0, 2)]),
        (["a", "b", "a b"], None, &[(0, 1), (0, 2), (1, 2)]),
        (["a", "a b", "b"], None, &[(0, 1), (0, 2), (1, 2)]),
        (["a", "b", "c"], Some(&pool), &[(0, 1)]),
    ] {
        assert_eq!(sharing(tiers, pool), expected, "{tiers:?}");
    }
}

fn asking_for(model: &str) -> Request {
    chat(format!(
        r#"{{"model":"{model}","messages":[{{"role":"user","content":"x"}}]}}"#
    ))
}

#[tokio::test(start_paused = true)]
async fn the_closest_pattern_decides() {
    let routes = routes(&[
        ("all", &["*"]),
        ("gpt", &["gpt-*"]),
        ("gpt4", &["gpt-4*", "o1"]),
        ("exact", &["gpt-4"]),
    ])
    .unwrap();
    for (model, expected) in [
        ("gpt-4", "exact"),
        ("gpt-4o", "gpt4"),
        ("o1", "gpt4"),
        ("o1-mini", "all"),
        ("gpt-3.5", "gpt"),
        ("gpt", "all"),
        ("", "all"),
    ] {
        let request = asking_for(model);
        assert_eq!(&*routes.of(&request).unwrap().1.name, expected, "{model}");
        assert_eq!(routes.first_worker(&request).map(|name| &**name), Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_nobody_serves_has_no_room() {
    let routes = routes(&[("gpt", &["gpt-*"])]).unwrap();
    let failure = routes.room(&asking_for("llama")).unwrap_err();
    assert_eq!((failure.code(), failure.param()), (Code::ModelNotFound, Some("model")));
    assert_eq!(routes.first_worker(&asking_for("llama")), None);
}

#[tokio::test(start_paused = true)]
async fn two_routes_for_the_same_pattern_are_refused() {
    let error = routes(&[("a", &["x", "y"]), ("b", &["z", "y"])]).unwrap_err();
    let expected = Error::Ambiguous {
        first: "a".to_owned(),
        second: "b".to_owned(),
        model: "y".to_owned(),
    };
    assert_eq!(error, expected);
    assert_eq!(error.to_string(), "the routes `a` and `b` both serve `y`");
}

#[tokio::test(start_paused = true)]
async fn streams_wait_apart_where_they_have_limits_of_their_own() {
    for (soft, hard, expected) in [
        (None, None, (2, 0, 0, 100)),
        (Some(1), None, (2, 0, 1, 1)),
        (None, Some(1), (2, 0, 1, 100)),
    ] {
        let bench = Bench::new(
            "a",
            |_, _| slow(1),
            |setup| {
                setup.route.stream_soft_limit = soft;
                setup.route.stream_hard_limit = hard;
            },
        );
        let room = |is_stream| bench.routes.room(&prompt(is_stream).request).unwrap();
        let slots = bench.slots(true);
        assert_eq!((bench.routes.rooms(), room(false), room(true), slots), expected);
        assert_eq!(bench.slots(false), 100);
    }
}

#[tokio::test(start_paused = true)]
async fn streams_beyond_their_limit_are_refused_and_others_are_not() {
    let bench = Bench::new("a", |_, _| slow(1), |setup| setup.route.stream_hard_limit = Some(1));
    let stream = bench.admit(1).unwrap();
    assert_eq!(bench.admit(1).unwrap_err(), "refused");
    let whole = bench.admit(0).unwrap();
    drop((stream, whole));
    assert!(bench.admit(1).is_ok());
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn as_many_are_let_on_as_there_are_slots_and_a_head_start() {
    let bench = Bench::new(
        "a | b",
        |_, _| slow(1),
        |setup| {
            setup.slots = 2;
            setup.head_start = 3;
        },
    );
    let credits: Vec<_> = (0..7).map(|_| bench.admit(0).unwrap()).collect();
    assert_eq!(bench.admit(0).unwrap_err(), "full");
    drop(credits);
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn no_more_are_let_on_for_slots_that_are_shared() {
    for (tiers, pool, expected) in [("a b c", 4, 5), ("a b | c", 4, 5), ("a | a", 9, 3), ("a b | b a", 9, 5)] {
        let bench = Bench::new(
            tiers,
            |_, _| slow(1),
            |setup| {
                setup.slots = 2;
                setup.pool = Some(orchestrator_resilience::Slots::new(pool));
                setup.head_start = 1;
            },
        );
        let credits: Vec<_> = std::iter::from_fn(|| bench.admit(0).ok()).take(20).collect();
        assert_eq!(credits.len(), expected, "{tiers}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_call_runs_counts_once() {
    let bench = Bench::new(
        "a",
        |_, _| slow(100),
        |setup| {
            setup.slots = 2;
            setup.head_start = 1;
        },
    );
    let credits = [(); 2].map(|()| bench.admit(0).unwrap());
    let prompt = streamed();
    let calls = async { tokio::join!(bench.answer(&prompt), bench.answer(&prompt)) };
    let looks = async {
        tokio::time::sleep(ms(50)).await;
        let ahead = bench.admit(0).unwrap();
        assert_eq!(
            bench.admit(0).unwrap_err(),
            "full",
            "both slots are taken and one is on its way"
        );
        drop(ahead);
    };
    let (heard, ()) = tokio::join!(calls, looks);
    assert!(heard.0.is_ok() && heard.1.is_ok());
    drop(credits);
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn where_no_worker_is_usable_nobody_waits_for_one() {
    let bench = Bench::new("a", |_, _| slow(1), |setup| setup.slots = 1);
    bench.members[0].guard().force_open(ms(9_000));
    let credits: Vec<_> = (0..5).filter_map(|_| bench.admit(0).ok()).collect();
    assert_eq!(credits.len(), 5);
    assert!(
        matches!(bench.routes.admit(2), Admission::Refused),
        "there is no such room"
    );
    assert_eq!(bench.routes.interval(2), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn slots_come_free_as_often_as_calls_that_served_have_shown() {
    let script = |_: &str, nth: usize| if nth < 2 { slow(3_500) } else { crate::fixtures::bad() };
    let bench = Bench::new("a", script, |setup| {
        setup.slots = 2;
        setup.config.retry_attempts = 1;
    });
    let interval = |room| bench.routes.interval(room);
    assert_eq!(interval(0), Duration::ZERO);
    for _ in 0..2 {
        bench.answer(&streamed()).await.unwrap();
    }
    assert_eq!(interval(0), ms(1_750));
    // Calls that fail at once, and requests that are not called at all.
    for _ in 0..100 {
        bench.answer(&streamed()).await.unwrap_err();
    }
    assert_eq!(bench.states(), ["open"]);
    bench.members[0].guard().reset();
    assert_eq!(interval(0), ms(1_750));
}

#[tokio::test(start_paused = true)]
async fn streams_that_wait_apart_have_an_interval_of_their_own() {
    let bench = Bench::new(
        "a",
        |_, nth| slow(1_000 + 1_000 * nth as u64),
        |setup| {
            setup.slots = 4;
            setup.route.stream_soft_limit = Some(1);
        },
    );
    for is_stream in [true, false] {
        bench.answer(&prompt(is_stream)).await.unwrap();
    }
    assert_eq!([0, 1].map(|room| bench.routes.interval(room)), [ms(500), ms(1_000)]);
}

#[tokio::test(start_paused = true)]
async fn no_more_are_let_on_than_a_limit_of_calls_a_minute_lets_through() {
    let bench = Bench::new(
        "a",
        |_, _| slow(1),
        |setup| {
            setup.config.requests_per_minute = 600;
            setup.config.requests_burst = 2;
            setup.head_start = 1;
        },
    );
    let admitted = || std::iter::from_fn(|| bench.admit(0).ok()).take(20).collect::<Vec<_>>();
    assert_eq!(admitted().len(), 3);
    for _ in 0..2 {
        bench.answer(&streamed()).await.unwrap();
    }
    let ahead = admitted();
    assert_eq!((ahead.len(), bench.admit(0).unwrap_err()), (1, "full"));
    tokio::time::advance(ms(100)).await;
    assert_eq!(admitted().len(), 1);
    drop(ahead);
    bench.is_at_rest();
}

/// How many of `threads` racers that each ask three times are let on, and hold what they get.
fn let_on(routes: &Arc<Routes>, threads: usize) -> usize {
    let barrier = Barrier::new(threads);
    let race = || {
        barrier.wait();
        let held: Vec<_> = (0..3).map(|_| routes.admit(0)).collect();
        barrier.wait();
        held.iter()
            .filter(|admission| matches!(admission, Admission::Granted(_)))
            .count()
    };
    thread::scope(|scope| {
        let racers: Vec<_> = (0..threads).map(|_| scope.spawn(race)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    })
}

#[tokio::test]
async fn of_many_racers_exactly_as_many_as_the_hard_limit_says_are_let_on() {
    for _ in 0..20 {
        let bench = Bench::new("a", |_, _| slow(1), |setup| setup.route.hard_limit = Some(9));
        assert_eq!(let_on(&bench.routes, 8), 9);
        bench.is_at_rest();
    }
}

#[tokio::test]
async fn of_many_racers_never_more_than_slots_and_head_start_are_let_on_and_never_none() {
    for _ in 0..20 {
        let bench = Bench::new(
            "a",
            |_, _| slow(1),
            |setup| {
                setup.slots = 5;
                setup.head_start = 8;
            },
        );
        let let_on = let_on(&bench.routes, 8);
        assert!((8..=13).contains(&let_on), "{let_on}");
        bench.is_at_rest();
    }
}
