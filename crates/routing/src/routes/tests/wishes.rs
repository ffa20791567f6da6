//! What a request's words and wishes choose, as the dry run tells it.

use super::*;
use crate::{Balance, Complexity};
use expect_test::expect;
use orchestrator_core::Tier;
use serde_json::json;

fn bench() -> Bench {
    Bench::new(
        "a | b",
        |_, _| slow(1),
        |setup| {
            setup.route.models = vec!["m".to_owned(), "*".to_owned()];
            setup.route.complexity = Some(Complexity {
                turns: 0,
                length_bytes: 3,
                ..Complexity::default()
            });
        },
    )
}

fn saying(text: &str) -> Request {
    chat(json!({"model": "n", "messages": [{"role": "user", "content": text}]}).to_string())
}

/// The first candidate of a plan, as in `a primary primary_normal`.
fn first(plan: &Value) -> String {
    let first = ["worker", "tier", "reason"].map(|member| plan["candidates"][0][member].as_str().unwrap());
    first.join(" ")
}

#[tokio::test(start_paused = true)]
async fn the_plan_tells_how_complex_a_request_is_and_where_that_leads() {
    let bench = bench();
    for (text, expected) in [
        (
            "x",
            r#"{"score":0.333,"complex":false,"tier":"primary"} a primary primary_normal"#,
        ),
        (
            "xxx",
            r#"{"score":1.0,"complex":true,"tier":"secondary"} b secondary complexity"#,
        ),
    ] {
        let plan = bench.routes.plan(&saying(text)).unwrap();
        assert_eq!(format!("{} {}", plan["complexity"], first(&plan)), expected);
    }
    bench.routes.all()[0].change(RouteConfig::default());
    let plan = bench.routes.plan(&saying("xxx")).unwrap();
    assert_eq!(
        (&plan["complexity"], &*first(&plan)),
        (&Value::Null, "a primary primary_normal")
    );
}

#[tokio::test(start_paused = true)]
async fn the_plan_tells_what_is_left_of_a_latency_budget() {
    let bench = bench();
    let mut request = saying("x");
    request.wanted_by = Some(Instant::now() + ms(300));
    tokio::time::advance(ms(120)).await;
    let left = |request: &Request| bench.routes.plan(request).unwrap()["latency_budget_ms"].clone();
    assert_eq!((left(&request), left(&saying("x"))), (json!(180), Value::Null));
    bench.routes.all()[0].change(RouteConfig {
        latency_budget_ms: Some(70),
        ..RouteConfig::default()
    });
    assert_eq!((left(&request), left(&saying("x"))), (json!(180), json!(70)));
}

#[tokio::test(start_paused = true)]
async fn only_a_client_that_names_a_model_of_the_route_has_chosen_it() {
    let bench = bench();
    let usual = |body: &str| {
        let mut request = chat(body.to_owned());
        request.model = "m".into();
        request
    };
    let turn = r#""messages":[{"role":"user","content":"x"}]"#;
    for (request, expected) in [
        (chat(format!(r#"{{"model":"m",{turn}}}"#)), "explicit_model"),
        (chat(format!(r#"{{"model":"mm",{turn}}}"#)), "primary_normal"),
        (usual(&format!("{{{turn}}}")), "primary_normal"),
    ] {
        let plan = bench.routes.plan(&request).unwrap();
        assert_eq!(first(&plan), format!("a primary {expected}"), "{}", request.model);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_is_told_of_its_own_worker() {
    let bench = Bench::new(
        "a b c",
        |_, _| slow(1),
        |setup| setup.route.balance = Balance::ConsistentHash,
    );
    let mut request = saying("x");
    assert!(first(&bench.routes.plan(&request).unwrap()).ends_with("primary_normal"));
    request.session = Some("s".into());
    let told = first(&bench.routes.plan(&request).unwrap());
    assert!(told.ends_with("sticky"), "{told}");
    let own = bench
        .members
        .iter()
        .find(|member| told.starts_with(&**member.name()))
        .unwrap();
    own.guard().force_open(ms(9_000));
    let moved = first(&bench.routes.plan(&request).unwrap());
    assert!(
        moved.ends_with("primary_normal") && !moved.starts_with(&**own.name()),
        "{moved}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_worker_that_a_prompt_is_made_for_is_the_first_of_its_tier() {
    let bench = bench();
    let first = |text: &str| bench.routes.first_worker(&saying(text)).unwrap().to_string();
    assert_eq!([first("x"), first("xxx")], ["a", "b"]);
    let route = &bench.routes.all()[0];
    route.change(RouteConfig {
        complexity: Some(Complexity {
            strong: Tier::Backup,
            length_bytes: 1,
            ..Complexity::default()
        }),
        ..RouteConfig::default()
    });
    assert_eq!(first("x"), "a", "nobody stands in the strong tier");
}

#[tokio::test(start_paused = true)]
async fn requests_that_no_route_serves_are_counted() {
    let bench = Bench::new(
        "a",
        |_, _| slow(1),
        |setup| setup.route.models = vec!["gpt-*".to_owned()],
    );
    for model in ["llama", "gpt"] {
        assert_eq!(
            bench.routes.room(&asking_for(model)).unwrap_err().code(),
            Code::ModelNotFound
        );
    }
    assert!(bench.routes.plan(&asking_for("llama")).is_err(), "a dry run is not");
    assert!(bench.routes.room(&asking_for("gpt-4")).is_ok());
    expect![[r#"
        orchestrator_route_refusals_total{reason="unknown_model",route=""} 2
    "#]]
    .assert_eq(&bench.shown("refusals"));
}
