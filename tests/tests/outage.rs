//! Outages under load, with the outcome of every request counted against what the servers saw.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a fault in here shall end the test"
)]

use futures_util::future::join_all;
use orchestrator_e2e::{CHAT, Call, Http, Tiers, chat};
use orchestrator_testkit::Script;
use std::time::Duration;
use tokio::time::Instant;

/// Calls beyond a request's first that a route may make in ten seconds, however few its requests are.
const LEAST_BUDGET: u64 = 30;
/// How long a breaker, which is open for two seconds at most, may keep a worker out that serves again; most of it is for a
/// machine with other work.
const PATIENCE: Duration = Duration::from_secs(10);

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(test)
}

/// The replies to so many requests, a number of which are under way at once; `model` names that of each.
async fn load(
    tiers: &Tiers,
    tag: &str,
    (requests, at_once): (usize, usize),
    model: impl Fn(usize) -> &'static str,
) -> Vec<Http> {
    let (address, model) = (tiers.program.address, &model);
    let client = |client: usize| async move {
        let mut replies = Vec::new();
        for number in (client..requests).step_by(at_once) {
            let body = chat(&format!("{tag} {number}"), "").replace(r#""m""#, &format!("\"{}\"", model(number)));
            replies.push(Call::post(address, CHAT, &body).await.answer().await);
        }
        replies
    };
    join_all((0..at_once).map(client)).await.concat()
}

/// That every request has one outcome, which says what happened and, where another try may help, when. How many were served.
fn served(replies: &[Http]) -> usize {
    for reply in replies {
        let code = (reply.status != 200).then(|| reply.json()["error"]["code"].as_str().unwrap().to_owned());
        match (reply.status, code.as_deref()) {
            (200, None) => assert!(reply.body.contains("tok3"), "{}", reply.body),
            (502, Some("upstream_error" | "upstream_connect")) => {}
            (503, Some("server_is_overloaded")) => {
                let after = reply.header("retry-after").unwrap();
                assert!((1..=60).contains(&after.parse().unwrap()), "{after}");
            }
            other => panic!("no clear outcome: {other:?}: {}", reply.body),
        }
    }
    replies.iter().filter(|reply| reply.status == 200).count()
}

fn at_rest(tiers: &Tiers) {
    for gauge in [
        "orchestrator_in_flight_requests",
        r#"orchestrator_worker_in_flight{worker="a"}"#,
        r#"orchestrator_route_calls{route="all",tier="primary"}"#,
        r#"orchestrator_route_calls{route="all",tier="backup"}"#,
        r#"orchestrator_queue_depth{stage="gate"}"#,
    ] {
        assert_eq!(tiers.program.metric(gauge), 0.0, "{gauge}");
    }
}

#[test]
fn an_outage_of_all_workers_costs_few_calls_and_ends_soon_after_they_recover() {
    const REQUESTS: usize = 600;
    let resilience = "[pipeline.resilience]\ncircuit_breaker_timeout_s = 1\nopen_max_s = 2\n";
    let tiers = Tiers::start([(); 3].map(|()| Script::failing(503)), resilience);
    let replies = run(load(&tiers, "down", (REQUESTS, 40), |_| "m"));
    let calls: u64 = tiers.calls().iter().sum();
    assert_eq!((replies.len(), served(&replies)), (REQUESTS, 0));
    assert!(
        (15..200).contains(&calls),
        "three breakers open after five failures each, and those under way: {calls}"
    );
    tiers.follow(&Script::default());
    let (recovered, mut rounds) = (Instant::now(), 0);
    loop {
        let replies = run(load(&tiers, &format!("up {rounds}"), (40, 40), |_| "m"));
        rounds += 1;
        if served(&replies) == replies.len() {
            break;
        }
        assert!(
            recovered.elapsed() < PATIENCE,
            "it did not come back in {rounds} rounds"
        );
    }
    at_rest(&tiers);
}

#[test]
fn without_breakers_the_retry_budget_alone_bounds_the_calls_of_an_outage() {
    const REQUESTS: u64 = 600;
    let resilience = "[pipeline.resilience]\ncircuit_breaker_threshold = 0\nfailure_rate = 0.0\n";
    let tiers = Tiers::start([(); 3].map(|()| Script::failing(503)), resilience);
    let replies = run(load(&tiers, "down", (REQUESTS as usize, 40), |_| "m"));
    assert_eq!((replies.len() as u64, served(&replies)), (REQUESTS, 0));
    let calls: u64 = tiers.calls().iter().sum();
    let most = REQUESTS + (REQUESTS / 5).max(LEAST_BUDGET);
    assert!(
        (REQUESTS..=most).contains(&calls),
        "{calls} calls for {REQUESTS} requests"
    );
    assert!(
        tiers
            .program
            .metric(r#"orchestrator_retry_budget_spent_total{route="all"}"#)
            > 0.0,
        "the budget was spent"
    );
    at_rest(&tiers);
}

/// A worker that takes so many milliseconds.
fn taking(head_ms: u64) -> Script {
    Script {
        head_ms,
        ..Script::default()
    }
}

/// The part of a tier's calls that its first worker gets once it has shown what ails it. Requests for the model `ill`,
/// three of ten, are answered by the first worker as `ill` says, all others as `rest` says.
fn share_of_the_first(rest: Script, ill: Script) -> f64 {
    let route = "primary = [\"a\", \"b\", \"c\"]";
    let tiers = Tiers::routed([rest, taking(20), taking(20)], route, "");
    tiers.servers[0].script_for("ill", ill);
    let model = |number: usize| if number * 7 % 10 < 3 { "ill" } else { "well" };
    let first = run(load(&tiers, "first", (200, 6), model));
    let before = tiers.calls();
    let then = run(load(&tiers, "then", (600, 6), model));
    let calls = tiers.calls();
    assert_eq!(
        (served(&first), served(&then)),
        (200, 600),
        "another worker answers whatever the first one does"
    );
    at_rest(&tiers);
    let calls: Vec<u64> = calls.iter().zip(before).map(|(now, before)| now - before).collect();
    calls[0] as f64 / calls.iter().sum::<u64>() as f64
}

#[test]
fn a_worker_that_fails_three_calls_of_ten_gets_next_to_none_of_its_tier() {
    let share = share_of_the_first(taking(20), Script::failing(500));
    assert!(share <= 0.05, "{share}");
}

#[test]
fn a_worker_that_fails_every_call_at_once_gets_next_to_none_of_its_tier() {
    let share = share_of_the_first(Script::failing(500), Script::failing(500));
    assert!(share <= 0.05, "{share}");
}

/// Ten times slower is slow enough where the clock is paused (`routing`'s tests); here the machine's own load is added to
/// what each worker takes, and makes them look alike.
#[test]
fn a_worker_that_is_fifty_times_slower_gets_next_to_none_of_its_tier() {
    let share = share_of_the_first(taking(1_000), taking(1_000));
    assert!(share <= 0.05, "{share}");
}
