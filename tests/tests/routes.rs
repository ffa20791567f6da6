//! Which requests take which route, what its limits refuse, and what a plan tells beforehand.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a fault in here shall end the test"
)]

use futures_util::future::join_all;
use orchestrator_e2e::{CHAT, Call, Http, Program, STREAM, Tiers, chat, get, post, worker};
use orchestrator_testkit::{ModelServer, Script};
use serde_json::{Value, json};

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(test)
}

fn endless() -> Script {
    Script::paced(10_000, 20)
}

/// A 429 that asks for a rest of so many seconds.
fn resting(seconds: &str) -> Script {
    Script::failing(429).header("retry-after", seconds)
}

fn fine() -> Script {
    Script::default()
}

fn retry_after(reply: &Http) -> u64 {
    reply.header("retry-after").unwrap_or_default().parse().unwrap_or(0)
}

/// As [`chat`], for a model of this name.
fn chat_with(model: &str, text: &str, more: &str) -> String {
    chat(text, more).replace(r#""m""#, &format!("\"{model}\""))
}

/// Streams that run, each heard up to its first token.
async fn running(tiers: &Tiers, streams: usize) -> Vec<Call> {
    let streams = (0..streams).map(|number| async move {
        let mut call = Call::post(tiers.program.address, CHAT, &chat(&format!("runs {number}"), STREAM)).await;
        call.hear("tok0").await;
        call
    });
    join_all(streams).await
}

#[test]
fn a_worker_that_asks_for_a_rest_is_left_alone_and_another_answers() {
    let tiers = Tiers::start([resting("30"), fine(), fine()], "");
    for number in 0..10 {
        let reply = tiers.ask(&format!("request {number}"));
        assert_eq!((reply.status, reply.header("x-orchestrator-worker")), (200, Some("b")));
    }
    assert_eq!(tiers.calls(), [1, 10, 0]);
}

#[test]
fn when_all_rest_requests_are_refused_with_the_shortest_of_their_rests() {
    let tiers = Tiers::start([resting("40"), resting("20"), resting("50")], "");
    for number in 0..5 {
        let reply = tiers.ask(&format!("request {number}"));
        let told = (reply.status, reply.json()["error"]["code"].clone());
        assert_eq!(told, (429, json!("rate_limit_exceeded")), "{number}");
        assert!((19..=20).contains(&retry_after(&reply)), "{number}: {}", reply.head);
    }
    assert_eq!(tiers.calls(), [1, 1, 1], "none of them is asked again");
}

#[test]
fn a_worker_that_is_out_of_tokens_is_passed_over_and_another_answers() {
    let limit = "[workers.a.resilience]\ntokens_per_minute = 1\ntokens_burst = 20\n";
    let tiers = Tiers::start([fine(), fine(), fine()], limit);
    let ask = |number| tiers.ask(&format!("request {number}"));
    let workers = [0, 1, 2].map(|number| ask(number).header("x-orchestrator-worker").map(str::to_owned));
    assert_eq!(
        workers.each_ref().map(Option::as_deref),
        [Some("a"), Some("b"), Some("b")]
    );
    assert_eq!(tiers.calls(), [1, 2, 0]);
    let breaker = get(tiers.program.admin_address, "/api/v1/circuit-breakers/a").json();
    assert!(
        breaker["rate_limited_ms"].as_u64().unwrap() < 60_000,
        "the call has cost less than it took: {breaker}"
    );
}

#[test]
fn a_route_at_its_hard_limit_refuses_the_next_and_leaves_other_routes_alone() {
    let more = "hard_limit = 2\nmodels = [\"m\"]\n[routes.other]\nmodels = [\"other\"]\nprimary = [\"c\"]\n";
    let tiers = Tiers::routed(
        [endless(), fine(), fine()],
        "primary = [\"a\"]\nsecondary = [\"b\"]",
        more,
    );
    run(async {
        let streams = running(&tiers, 2).await;
        for more in ["", STREAM] {
            let refused = post(tiers.program.address, CHAT, "", &chat("one more", more));
            assert_eq!(refused.status, 503, "{}", refused.body);
            assert!(retry_after(&refused) >= 1, "{}", refused.head);
            assert_eq!(refused.json()["error"]["code"], "server_is_overloaded");
        }
        let other = post(tiers.program.address, CHAT, "", &chat_with("other", "x", ""));
        assert_eq!((other.status, other.header("x-orchestrator-worker")), (200, Some("c")));
        drop(streams);
        tiers.servers[0].until(|stats| stats.total.running == 0).await;
    });
    tiers.servers[0].script(fine());
    assert_eq!(tiers.ask("again").status, 200, "those who left gave their places back");
    assert_eq!(tiers.calls(), [3, 0, 1]);
    assert_eq!(
        tiers.program.metric(r#"orchestrator_shed_total{reason="hard_limit"}"#),
        2.0
    );
}

#[test]
fn streams_have_limits_of_their_own() {
    let limits = "stream_soft_limit = 1\nstream_hard_limit = 2\n";
    let tiers = Tiers::start([endless(), endless(), fine()], limits);
    run(async {
        let streams = running(&tiers, 2).await;
        assert_eq!(tiers.calls(), [1, 1, 0], "the second one overflows to the next tier");
        let refused = tiers.stream("one more");
        assert_eq!(refused.status, 503, "{}", refused.body);
        tiers.servers[0].script(fine());
        let whole = tiers.ask("whole");
        assert_eq!((whole.status, whole.header("x-orchestrator-worker")), (200, Some("a")));
        drop(streams);
    });
}

#[test]
fn workers_of_a_pool_never_run_more_than_the_pool() {
    // Both workers stand before one server, so that its peak is that of the pool.
    let server = ModelServer::following(Script::paced(5, 5));
    let (url, pool) = (server.url(), "pool = \"slow\"");
    let workers = [worker("a", &url, pool), worker("b", &url, pool)].concat();
    let more = "[routes.all]\nprimary = [\"a\"]\nsecondary = [\"b\"]\n[pools]\nslow = 3\n";
    let program = Program::start(&(workers + more));
    let replies = run(join_all((0..40).map(|number| async move {
        let stream = if number % 2 == 0 { STREAM } else { "" };
        let body = chat(&format!("request {number}"), stream);
        Call::post(program.address, CHAT, &body).await.answer().await
    })));
    assert!(replies.iter().all(|reply| reply.status == 200));
    let stats = server.stats();
    assert_eq!((stats.total.calls, stats.peak), (40, 3));
}

#[test]
fn the_closest_pattern_says_which_route_a_request_takes() {
    let more = "models = [\"gpt-*\"]\n[routes.exact]\nmodels = [\"gpt-4\", \"o3\"]\nprimary = [\"b\"]\n";
    let tiers = Tiers::routed([fine(), fine(), fine()], "primary = [\"a\"]", more);
    let ask = |model: &str| post(tiers.program.address, CHAT, "", &chat_with(model, model, ""));
    for (model, worker) in [("gpt-4", "b"), ("gpt-4o", "a"), ("gpt-", "a"), ("o3", "b")] {
        let reply = ask(model);
        assert_eq!(
            (reply.status, reply.header("x-orchestrator-worker")),
            (200, Some(worker)),
            "{model}: {}",
            reply.body
        );
    }
    for model in ["o3-mini", "gpt", "GPT-4"] {
        let reply = ask(model);
        let error = &reply.json()["error"];
        assert_eq!(
            (reply.status, &error["code"], &error["param"]),
            (404, &json!("model_not_found"), &json!("model")),
            "{model}"
        );
    }
    let listed = get(tiers.program.address, "/v1/models").json();
    let ids: Vec<&Value> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| &model["id"])
        .collect();
    assert_eq!(ids, ["gpt-4", "o3"], "the names that are exact");
}

/// What a dry run tells, by the header and by the path of its own: both tell the same.
fn planned(tiers: &Tiers, text: &str) -> Value {
    let dry = "x-orchestrator-dry-run: true\r\n";
    let by_header = post(tiers.program.address, CHAT, dry, &chat(text, ""));
    let question = json!({"prompt": text, "model": "m"}).to_string();
    let by_path = post(tiers.program.address, "/v1/ask/dry-explain", "", &question);
    assert_eq!((by_header.status, by_path.status), (200, 200), "{}", by_header.body);
    let steady = |reply: &Http| {
        let plan = reply.json();
        json!([
            plan["route"],
            plan["candidates"],
            plan["skipped"],
            plan["refused"]["reason"],
            plan["limits"]
        ])
    };
    assert_eq!(steady(&by_header), steady(&by_path));
    by_header.json()
}

fn step(worker: &str, tier: &str, reason: &str) -> Value {
    json!({"worker": worker, "tier": tier, "reason": reason})
}

#[test]
fn a_dry_run_calls_nobody_and_tells_what_the_request_then_does() {
    let resilience = "[pipeline.resilience]\ncircuit_breaker_threshold = 2\n";
    let tiers = Tiers::start([Script::failing(500), resting("30"), fine()], resilience);
    let plan = planned(&tiers, "x");
    assert_eq!(plan["route"], "all", "{plan}");
    assert_eq!(
        plan["candidates"],
        json!([
            step("a", "primary", "primary_normal"),
            step("b", "secondary", "secondary_normal"),
            step("c", "backup", "backup_outage")
        ])
    );
    assert_eq!((&plan["skipped"], &plan["refused"]), (&json!([]), &Value::Null));
    assert_eq!(tiers.calls(), [0, 0, 0], "a dry run calls nobody");
    // Two failures open the breaker of the first, one 429 rests the second.
    for (number, attempts) in [(0, "3"), (1, "2")] {
        let reply = tiers.ask(&format!("request {number}"));
        assert_eq!(
            (
                reply.header("x-orchestrator-worker"),
                reply.header("x-orchestrator-attempts")
            ),
            (Some("c"), Some(attempts))
        );
    }
    let (calls, plan) = (tiers.calls(), planned(&tiers, "x"));
    let skipped = json!([
        step("a", "primary", "primary_breaker_open"),
        step("b", "secondary", "secondary_resting")
    ]);
    assert_eq!(plan["skipped"], skipped, "{plan}");
    assert_eq!(
        plan["candidates"],
        json!([step("c", "backup", "backup_outage")]),
        "{plan}"
    );
    assert_eq!(tiers.calls(), calls);
    let decisions = r#"orchestrator_route_decisions_total{reason="backup_outage",route="all"}"#;
    let before = tiers.program.metric(decisions);
    let reply = tiers.ask("now");
    assert_eq!(
        (
            reply.header("x-orchestrator-worker"),
            reply.header("x-orchestrator-attempts")
        ),
        (Some("c"), Some("1"))
    );
    assert_eq!(tiers.program.metric(decisions), before + 1.0, "as the plan said");
}

#[test]
fn a_dry_run_tells_the_refusal_that_the_request_meets() {
    let tiers = Tiers::start([resting("40"), resting("20"), resting("50")], "");
    assert_eq!(tiers.ask("first").status, 429);
    let plan = planned(&tiers, "x");
    assert_eq!(
        (&plan["candidates"], &plan["refused"]["reason"]),
        (&json!([]), &json!("all_resting"))
    );
    let after = plan["refused"]["retry_after_ms"].as_u64().unwrap();
    assert!((10_000..=20_000).contains(&after), "{plan}");
    assert_eq!(plan["skipped"][2], step("c", "backup", "backup_resting"));
    assert_eq!(tiers.ask("x").status, 429);
    assert_eq!(tiers.calls(), [1, 1, 1]);
    let dry = "x-orchestrator-dry-run: true\r\n";
    let unknown = post(tiers.program.address, CHAT, dry, "{}");
    assert_eq!(unknown.status, 400, "what is wrong with a request is told as ever");
}
