//! Whatever an operator sends, an answer comes, and reading changes nothing.

use crate::fixtures::{Bench, paused};
use http::Method;
use orchestrator_resilience::Guard;
use proptest::prelude::*;
use serde_json::Value;

/// Pieces of paths: those that mean something, and any others.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("circuit-breakers".to_owned()),
        Just("workers".to_owned()),
        Just("retry".to_owned()),
        Just("fast".to_owned()),
        Just("eu%2Fllama%203".to_owned()),
        Just("history".to_owned()),
        Just("reset".to_owned()),
        Just("force-open".to_owned()),
        "[a-z%0-9.~-]{0,12}",
    ]
}

fn path() -> impl Strategy<Value = String> {
    let below = prop::collection::vec(piece(), 0..5).prop_map(|pieces| format!("/api/v1/{}", pieces.join("/")));
    prop_oneof![
        6 => below,
        4 => "(routes|retry|load-balancing)/(default|code)|workers/(fast|local)|pools".prop_map(|path| format!("/api/v1/{path}")),
        2 => "(fast|strong|local)/(reset|force-open)".prop_map(|act| format!("/api/v1/circuit-breakers/{act}")),
        1 => "/[a-z/%?&=]{0,30}",
    ]
}

fn method() -> impl Strategy<Value = Method> {
    let any = "[A-Z]{1,12}".prop_map(|word| Method::from_bytes(word.as_bytes()).unwrap());
    prop_oneof![
        Just(Method::GET),
        Just(Method::HEAD),
        Just(Method::POST),
        Just(Method::PATCH),
        any
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 0..64),
        any::<i64>().prop_map(|held| format!(r#"{{"for_s":{held}}}"#).into_bytes()),
        (1_u64..90_000).prop_map(|held| format!(r#"{{"for_s":{held}}}"#).into_bytes()),
        "\\{\"(hard_limit|weights|retry_budget_min|max_concurrent|fast)\":([0-9]{1,4}|null|\"x\"|\\{\\})\\}"
            .prop_map(String::into_bytes),
        "[{}\\[\\]\":,a-z0-9 ]{0,40}".prop_map(String::into_bytes),
    ]
}

/// All that is known of the guards, and what is in force.
fn seen(bench: &Bench) -> String {
    let now = tokio::time::Instant::now();
    let seen = |guard: &Guard| format!("{:?} {:?} {}", guard.view(now), guard.history(), guard.max_concurrent());
    let guards = bench.members.iter().map(|member| seen(member.guard()));
    let routes = bench.routes.all().iter();
    let in_force = routes.map(|route| format!("{:?} {}", route.config(), route.retries_left(now)));
    let pools = &bench.keeper.slots;
    let pools = format!("{} {}", pools.fast.max(), pools.slow.max());
    guards.chain(in_force).chain([pools]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_request_is_answered_with_json_and_only_what_acts_and_went_well_changes_anything(
        asked in prop::collection::vec((method(), path(), body()), 1..12),
    ) {
        paused(async {
            let bench = Bench::new();
            bench.fail("strong", 2);
            for (method, path, body) in asked {
                let before = seen(&bench);
                let reply = bench.ask(method.clone(), &path, body);
                let told: Value = serde_json::from_slice(reply.body()).unwrap();
                let is_problem = told.get("detail").is_some_and(Value::is_string);
                prop_assert_eq!(reply.status().is_success(), !is_problem);
                if ![Method::POST, Method::PATCH].contains(&method) || is_problem {
                    prop_assert_eq!(before, seen(&bench), "{} {}", method, path);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_breaker_is_held_open_for_just_the_seconds_that_it_may_be(held in prop_oneof![any::<u64>(), 0_u64..90_000]) {
        paused(async {
            let bench = Bench::new();
            let told = bench.post("fast/force-open", &format!(r#"{{"for_s":{held}}}"#));
            let due = bench.guard("fast").view(tokio::time::Instant::now()).due.as_secs();
            match (1..=86_400).contains(&held) {
                true => prop_assert_eq!(due, held),
                false => {
                    prop_assert!(told.starts_with("422"), "{}", told);
                    prop_assert_eq!(due, 0);
                }
            }
            Ok(())
        })?;
    }
}
