//! Settings that an operator changes while the program works: the next request feels them, and what no document could hold
//! changes nothing.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a fault in here shall end the test"
)]

#[path = "support/steered.rs"]
mod steered;
mod support;

use expect_test::expect;
use orchestrator_testkit::client::{self, Http};
use serde_json::{Value, json};
use std::thread;
use steered::{Bench, TOKEN, by, told};
use support::Program;

/// What comes after the first worker.
const BACKUP: &str = "backup = [\"v\"]\n";

#[test]
fn a_limit_holds_for_the_next_request_and_leaves_those_alone_that_run() {
    let bench = Bench::new("", BACKUP);
    let held = [bench.hold("one"), bench.hold("two")];
    let route = bench.set("routes/default", &json!({"hard_limit": 1}));
    let shown = (
        &route["limits"]["hard_limit"],
        &route["running"]["primary"],
        &route["requests"],
    );
    assert_eq!(shown, (&json!(1), &json!(2), &json!(2)));
    assert_eq!(bench.ask("refused"), by("503", ""));
    let [first, second] = held;
    drop(first);
    bench.until("routes/default", |route| route["requests"] == 1);
    assert_eq!(bench.ask("still refused"), by("503", ""), "one runs, and one may");
    drop(second);
    bench.until("routes/default", |route| route["requests"] == 0);
    assert_eq!(bench.ask("let on"), by("200", "w"));
    let _held = bench.hold("hold");
    assert_eq!(bench.ask("refused again"), by("503", ""));
    bench.set("routes/default", &json!({"hard_limit": null, "soft_limit": 1}));
    assert_eq!(bench.ask("over to the backup"), by("200", "v"));
    bench.set("routes/default", &json!({"soft_limit": null}));
    assert_eq!(bench.ask("as before"), by("200", "w"));
}

#[test]
fn who_waits_goes_on_when_there_is_more_room() {
    for (path, more) in [
        ("workers/w", json!({"max_concurrent": 2})),
        ("pools", json!({"fast": 2})),
    ] {
        let is_pool = path == "pools";
        let bench = Bench::new(
            if is_pool {
                "pool = \"fast\""
            } else {
                "max_concurrent = 1"
            },
            &format!("{BACKUP}overflow_after_ms = 600000"),
        );
        if is_pool {
            bench.set("pools", &json!({"fast": 1}));
        }
        let _held = bench.hold("hold");
        let asked = thread::scope(|scope| {
            let asked = scope.spawn(|| bench.ask("waits"));
            bench.until("routes/default", |route| route["requests"] == 2);
            assert_eq!(bench.server.counts("waits").calls, 0, "it has not come to the worker");
            bench.set(path, &more);
            asked.join().unwrap()
        });
        assert_eq!(asked, by("200", "w"), "{path}");
    }
}

#[test]
fn whoever_waits_at_the_gate_is_shown_there_and_goes_on_when_a_limit_is_raised() {
    let bench = Bench::new("max_concurrent = 1", "");
    let held = bench.hold("hold");
    let asked: Vec<_> = thread::scope(|scope| {
        let asked: Vec<_> = ["one", "two", "three", "four"]
            .map(|prompt| scope.spawn(|| bench.ask(prompt)))
            .into();
        // One of them has the head start of the one core.
        bench.until("pipeline", |line| line["lanes"][1]["waiting"] == 3);
        let line = bench.read("pipeline");
        assert_eq!(
            (&line["in_flight"], &line["lanes"][1]["name"]),
            (&json!(5), &json!("normal"))
        );
        let worker = bench.set("workers/w", &json!({"max_concurrent": 5}));
        assert_eq!(worker["max_concurrent"], 5);
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(asked, vec![by("200", "w"); 4]);
    drop(held);
    bench.until("pipeline", |line| line["in_flight"] == 0);
    assert_eq!(bench.read("pipeline")["lanes"][1]["waiting"], 0);
}

#[test]
fn the_pipeline_shows_its_stages_over_all_cores_in_the_order_of_a_request() {
    let program = Program::start(
        "[server]\nthreads = 3\nmax_in_flight = 50\n[pipeline]\nname = \"p\"\nversion = \"7\"\n\
         [pipeline.stages.rag]\nwidth = 5\ncapacity = 2\n[pipeline.lanes]\ncapacity = 40\n[workers.echo]\nprovider = \"echo\"\n",
    );
    let line = client::get(program.admin, "/api/v1/pipeline").json();
    let member = |stage: &Value| ["name", "width", "capacity", "depth"].map(|member| stage[member].to_string());
    let stages = line["stages"].as_array().unwrap().iter();
    let stages: String = stages.map(|stage| member(stage).join(" ") + "\n").collect();
    expect![[r#"
        "dedup" 192 192 0
        "gate" 150 192 0
        "rag" 15 6 0
        "assemble" 192 192 0
        "inference" 3072 192 0
        "post_process" 192 192 0
        "stream" 49152 192 0
    "#]]
    .assert_eq(&stages);
    assert_eq!(
        (&line["name"], &line["version"], &line["lines"]),
        (&json!("p"), &json!("7"), &json!(3))
    );
    let lanes = json!([
        {"name": "high", "weight": 16, "waiting": 0, "capacity": 40},
        {"name": "normal", "weight": 4, "waiting": 0, "capacity": 40},
        {"name": "low", "weight": 1, "waiting": 0, "capacity": 40},
    ]);
    assert_eq!((&line["lanes"], &line["max_in_flight"]), (&lanes, &json!(50)));
}

#[test]
fn balance_and_weights_say_who_is_called_next() {
    let bench = Bench::new("", &format!("{BACKUP}secondary = [\"echo\"]"));
    let plan = |bench: &Bench| {
        let plan = client::post(bench.program.address, "/v1/ask/dry-explain", "", r#"{"prompt":"who"}"#);
        plan.json()
    };
    assert_eq!(plan(&bench)["balance"], "p2c_ewma");
    let balancing = bench.set(
        "load-balancing/default",
        &json!({"balance": "weighted", "weights": {"w": 7}}),
    );
    let expected = json!({"route": "default", "balance": "weighted", "weights": {"w": 7, "echo": 1, "v": 1}});
    assert_eq!(balancing, expected);
    bench.set(
        "retry/default",
        &json!({"retry_budget_min": 2, "retry_budget_percent": 0}),
    );
    let told = plan(&bench);
    assert_eq!(
        (&told["balance"], &told["limits"]["retries_left"]),
        (&json!("weighted"), &json!(2))
    );
    assert_eq!(
        bench.read("routes")[0]["tiers"]["primary"],
        json!([{"worker": "w", "weight": 7}])
    );
}

#[test]
fn what_a_route_chooses_by_is_changed_for_the_next_request() {
    let bench = Bench::new("", BACKUP);
    let long = "word ".repeat(9);
    let strong = json!({"strong": "backup", "length_bytes": 40});
    let route = bench.set("routes/default", &json!({"complexity": strong}));
    let expected = json!({
        "cheap": "primary", "strong": "backup", "length_bytes": 40, "turns": 12, "tools": 6, "code_blocks": 3,
    });
    assert_eq!(route["complexity"], expected);
    assert_eq!([bench.ask("short"), bench.ask(&long)], [by("200", "w"), by("200", "v")]);
    let nobody = refusal(&bench.patch("routes/default", r#"{"complexity":{"strong":"secondary"}}"#));
    assert!(
        nobody.contains("routes.default.complexity.strong: the route has no secondary worker"),
        "{nobody}"
    );
    let route = bench.set("routes/default", &json!({"complexity": null, "latency_budget_ms": 700}));
    assert_eq!(
        (&route["complexity"], &route["limits"]["latency_budget_ms"]),
        (&Value::Null, &json!(700))
    );
    assert_eq!(bench.ask(&format!("{long}again")), by("200", "w"));
}

/// What is told of an edit that is refused: its status and all that is wrong, a line each.
fn refusal(answer: &Http) -> String {
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let errors = problem["errors"].as_array().into_iter().flatten();
    let told = errors.map(|error| {
        let [path, message] = ["path", "message"].map(|member| error[member].as_str().unwrap());
        let notes = ["allowed", "help"].map(|member| error[member].as_str().map(|note| format!("; {note}")));
        format!(
            "\n  {path}: {message}{}",
            notes.into_iter().flatten().collect::<String>()
        )
    });
    let detail = match problem["errors"].is_array() {
        true => String::new(),
        false => format!(" {}", problem["detail"].as_str().unwrap()),
    };
    format!("{}{detail}{}", answer.status, told.collect::<String>())
}

#[test]
fn what_no_document_could_hold_is_refused_with_all_that_is_wrong_and_changes_nothing() {
    let bench = Bench::new("max_concurrent = 4", "soft_limit = 40\nhard_limit = 80\n");
    let before = bench.all();
    let bad = [
        ("routes/default", r#"{"hard_limit":0,"soft_limit":"many"}"#),
        ("routes/default", r#"{"hard_limit":39,"stream_hard_limit":2}"#),
        ("routes/default", r#"{"hard_limit":1000001,"hard_limt":5}"#),
        ("routes/default", r#"{"primary":["v"],"hard_limit":70}"#),
        ("routes/default", r#"{"weights":{"v":2,"w":0}}"#),
        ("load-balancing/default", r#"{"balance":"wieghted"}"#),
        ("load-balancing/default", r#"{"hard_limit":50}"#),
        ("retry/default", r#"{"retry_budget_percent":1001,"retry_attempts":9}"#),
        ("workers/w", r#"{"max_concurrent":100001,"base_url":"http://x"}"#),
        ("pools", r#"{"fast":0,"slow":"text"}"#),
        ("pools", r#"{"fast":1001,"slow":5}"#),
        ("pools", "fast=5"),
        ("pools", "[]"),
        ("routes/defualt", "{}"),
        ("workers/v", r#"{"max_concurrent":1}"#),
        ("pipeline", "{}"),
    ];
    let told = bad.map(|(path, body)| format!("{path} {body}: {}\n", refusal(&bench.patch(path, body))));
    expect![[r#"
        routes/default {"hard_limit":0,"soft_limit":"many"}: 422
          routes.default.soft_limit: wrong type: a string where an integer is wanted; an integer, 1 to 1000000
          routes.default.hard_limit: 0 is too small; an integer, 1 to 1000000
        routes/default {"hard_limit":39,"stream_hard_limit":2}: 422
          routes.default.soft_limit: 40 is more than `hard_limit`, which is 39; at most 39; lower `soft_limit` or raise `hard_limit`
        routes/default {"hard_limit":1000001,"hard_limt":5}: 422
          routes.default.hard_limt: unknown key `hard_limt`; `balance`, `weights`, `soft_limit`, `hard_limit`, `stream_soft_limit`, `stream_hard_limit`, `overflow_after_ms`, `latency_budget_ms`, `complexity`, `retry_budget_percent`, `retry_budget_min`; did you mean `hard_limit`?
          routes.default.hard_limit: 1000001 is too large; an integer, 1 to 1000000
        routes/default {"primary":["v"],"hard_limit":70}: 422
          routes.default.primary: this takes effect with a restart only; `balance`, `weights`, `soft_limit`, `hard_limit`, `stream_soft_limit`, `stream_hard_limit`, `overflow_after_ms`, `latency_budget_ms`, `complexity`, `retry_budget_percent`, `retry_budget_min`; change it in the document, and start the program anew
        routes/default {"weights":{"v":2,"w":0}}: 422
          routes.default.weights.w: 0 is too small; an integer, 1 to 1000
        load-balancing/default {"balance":"wieghted"}: 422
          routes.default.balance: unknown value `wieghted`; `round_robin`, `weighted`, `least_connections`, `p2c_ewma`, `consistent_hash`; did you mean `weighted`?
        load-balancing/default {"hard_limit":50}: 422
          routes.default.hard_limit: this is not changed here; `balance`, `weights`
        retry/default {"retry_budget_percent":1001,"retry_attempts":9}: 422
          routes.default.retry_attempts: unknown key `retry_attempts`; `retry_budget_percent`, `retry_budget_min`; `retry_attempts` belongs in `[pipeline.resilience]`
          routes.default.retry_budget_percent: 1001 is too large; an integer, 0 to 1000
        workers/w {"max_concurrent":100001,"base_url":"http://x"}: 422
          workers.w.base_url: this takes effect with a restart only; `max_concurrent`; change it in the document, and start the program anew
          workers.w.max_concurrent: 100001 is too large; an integer, 1 to 100000
        pools {"fast":0,"slow":"text"}: 422
          pools.fast: 0 is too small; an integer, 1 to 100000
          pools.slow: wrong type: a string where an integer is wanted; an integer, 1 to 100000
        pools {"fast":1001,"slow":5}: 422
          pools.fast: 1001 is more than `ceiling`, which is 1000; at most 1000; lower `fast` or raise `ceiling`
        pools fast=5: 400 The body is not JSON: expected ident at line 1 column 3.
        pools []: 400 The body is not a JSON object.
        routes/defualt {}: 404 No route has this name. Did you mean `default`?
        workers/v {"max_concurrent":1}: 404 No route has a worker of this name. Did you mean `w`?
        pipeline {}: 405 This path takes GET, HEAD only.
    "#]].assert_eq(&told.concat());
    assert_eq!(bench.all(), before);
    assert_eq!(bench.ask("as before"), by("200", "w"));
}

#[test]
fn who_edits_sends_the_token_and_who_reads_changes_nothing() {
    let bench = Bench::new("", "");
    let before = bench.all();
    for headers in ["", "authorization: Bearer other\r\n"] {
        let refused = client::patch(bench.program.admin, "/api/v1/pools", headers, r#"{"fast":5}"#);
        assert_eq!(refused.status, 401, "{}", refused.body);
    }
    for _ in 0..5 {
        assert_eq!(bench.all(), before);
    }
    let pools = bench.set("pools", &json!({"fast": 5}));
    assert_eq!(
        pools,
        json!({"fast": 5, "slow": 100, "running": {"fast": 0, "slow": 0}})
    );
    assert_eq!((&before["pools"]["fast"], bench.read("pools")), (&json!(9), pools));
    let metrics = bench.program.operate_with("/metrics", TOKEN);
    assert!(
        metrics.contains("orchestrator_worker_free_slots{worker=\"w\"} 95"),
        "{metrics}"
    );
    bench.set("workers/w", &json!({"max_concurrent": 3}));
    let metrics = bench.program.operate_with("/metrics", TOKEN);
    assert!(
        metrics.contains("orchestrator_worker_free_slots{worker=\"w\"} 3"),
        "{metrics}"
    );
}

#[test]
fn each_setting_that_changes_is_logged_with_what_it_was() {
    let mut bench = Bench::new("", "");
    bench.set(
        "routes/default",
        &json!({"hard_limit": 9, "balance": "p2c_ewma", "weights": {"w": 2}}),
    );
    let mut line = |setting: &str| {
        let line = bench.program.says(setting);
        let line: Value = serde_json::from_str(&line).unwrap();
        let told = ["level", "message", "setting", "from", "to"].map(|field| line[field].as_str().unwrap().to_owned());
        told.join(" | ")
    };
    expect![[r#"
        INFO | an operator has changed a setting | routes.default.hard_limit | null | 9
        INFO | an operator has changed a setting | routes.default.weights | {} | {"w":2}"#]]
    .assert_eq(&[line("routes.default.hard_limit"), line("routes.default.weights")].join("\n"));
}

#[test]
fn of_edits_at_the_same_time_each_is_whole_and_the_last_one_stays() {
    let bench = Bench::new("", "");
    thread::scope(|scope| {
        for editor in 0..4_u32 {
            let bench = &bench;
            scope.spawn(move || {
                for number in 1..6_u32 {
                    let limit = editor * 10 + number;
                    let limits = json!({"soft_limit": limit, "hard_limit": limit, "stream_hard_limit": limit});
                    bench.set("routes/default", &limits);
                }
            });
        }
    });
    let limits = bench.read("routes/default")["limits"].clone();
    assert!(limits["soft_limit"].is_u64(), "{limits}");
    for limit in ["hard_limit", "stream_hard_limit"] {
        assert_eq!(limits[limit], limits["soft_limit"], "{limits}");
    }
    let taken_out = bench.set(
        "routes/default",
        &json!({"soft_limit": null, "hard_limit": null, "stream_hard_limit": null}),
    );
    assert_eq!(taken_out["limits"]["hard_limit"], Value::Null);
    assert_eq!(bench.ask("fine"), by("200", "w"));
}

#[test]
fn what_runs_without_a_document_is_edited_as_well() {
    let mut dev = support::command(["dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let program = Program::spawn(dev.env("ORCHESTRATOR__SERVER__ADMIN_TOKEN", "t0ken"));
    let patch = |path: &str, body: &str| client::patch(program.admin, &format!("/api/v1/{path}"), TOKEN, body);
    let worker = patch("workers/echo", r#"{"max_concurrent":2}"#);
    assert_eq!(
        (worker.status, &worker.json()["max_concurrent"]),
        (200, &json!(2)),
        "{}",
        worker.body
    );
    let route = patch("routes/default", r#"{"hard_limit":1}"#);
    assert_eq!((route.status, &route.json()["limits"]["hard_limit"]), (200, &json!(1)));
    assert_eq!(told(&program.complete("fine")), by("200", "echo"));
    let stranger = patch("workers/echo", r#"{"max_concurrency":2}"#);
    let stranger = refusal(&stranger);
    assert!(
        stranger.ends_with("did you mean `max_concurrent`?") && !stranger.contains("t0ken"),
        "{stranger}"
    );
}
