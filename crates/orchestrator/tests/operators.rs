//! What operators are told is what happens, and what they do is done.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a fault in here shall end the test"
)]

mod support;

use orchestrator_testkit::{ModelServer, Script, client};
use serde_json::{Value, json};
use support::{Document, Program};

const TOKEN: &str = "authorization: Bearer t0ken\r\n";

/// A program before one worker, `w`, that is called once for each request and whose breaker opens after five failures.
fn program(server: &ModelServer) -> Program {
    let url = server.url();
    let document = Document::new(&format!(
        "[server]\nadmin_token = \"${{TOKEN}}\"\n[pipeline.stages.inference]\nworker = \"w\"\n\
         [pipeline.resilience]\nretry_attempts = 1\n[pipeline.deduplication]\nwindow_s = 0\n\
         [workers.w]\nprovider = \"openai\"\nbase_url = \"{url}/v1\"\n"
    ));
    let mut run = document.command(&["run", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    Program::spawn(run.env("TOKEN", "t0ken"))
}

/// Name, state and cause of the one breaker, and its state in the metrics.
fn told(program: &Program) -> (Value, String) {
    let breakers = body(&program.operate_with("/api/v1/circuit-breakers", TOKEN));
    let brief = json!([breakers[0]["name"], breakers[0]["state"], breakers[0]["cause"]]);
    let metrics = program.operate_with("/metrics", TOKEN);
    let is_state = |line: &&str| line.starts_with("orchestrator_breaker_state{");
    let state = metrics.lines().find(is_state).unwrap().to_owned();
    (brief, state)
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[test]
fn a_breaker_is_open_wherever_one_looks_and_an_operator_closes_it() {
    let server = ModelServer::following(Script::failing(500));
    let mut program = program(&server);
    for nth in 0..5 {
        assert!(program.complete(&format!("ask {nth}")).starts_with("HTTP/1.1 502"));
    }
    let open = r#"orchestrator_breaker_state{worker="w"} 2"#.to_owned();
    assert_eq!(told(&program), (json!(["w", "open", "failures_in_row"]), open));

    server.script(Script::default());
    let reset = client::post(program.admin, "/api/v1/circuit-breakers/w/reset", TOKEN, "");
    assert_eq!((reset.status, &reset.json()["state"]), (200, &json!("closed")));
    let line = program.says("an operator has reset the breaker");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["level"], &line["worker"]), (&json!("INFO"), &json!("w")));
    let closed = r#"orchestrator_breaker_state{worker="w"} 0"#.to_owned();
    assert_eq!(told(&program), (json!(["w", "closed", null]), closed));
    assert!(program.complete("again").starts_with("HTTP/1.1 200"));
    let history = body(&program.operate_with("/api/v1/circuit-breakers/w/history", TOKEN));
    let causes: Vec<&Value> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|change| &change["cause"])
        .collect();
    assert_eq!(causes, ["failures_in_row", "reset"]);
}

#[test]
fn a_worker_that_an_operator_has_opened_is_not_called() {
    let server = ModelServer::start();
    let program = program(&server);
    let path = "/api/v1/circuit-breakers/w/force-open";
    assert_eq!(client::post(program.admin, path, "", r#"{"for_s":60}"#).status, 401);
    assert!(program.complete("before").starts_with("HTTP/1.1 200"));
    assert_eq!(client::post(program.admin, path, TOKEN, r#"{"for_s":60}"#).status, 200);
    assert!(program.complete("after").starts_with("HTTP/1.1 503"));
    assert_eq!(server.counts("after").calls, 0);
    let [worker] = body(&program.operate_with("/api/v1/workers", TOKEN))
        .as_array()
        .unwrap()
        .clone()
        .try_into()
        .unwrap();
    assert_eq!((&worker["state"], &worker["free"]), (&json!("open"), &json!(0)));
}

#[test]
fn what_a_document_declares_is_shown_to_whoever_sits_at_the_machine_and_changed_by_nobody() {
    let program = Program::start(
        "[workers.fast]\nprovider = \"echo\"\nmax_concurrent = 3\npool = \"fast\"\n[workers.spare]\nprovider = \"echo\"\n\
         [pools]\nfast = 2\n[pipeline.resilience]\nretry_attempts = 2\n\
         [routes.all]\nprimary = [\"fast\"]\nbackup = [\"spare\"]\nbalance = \"weighted\"\nweights = { fast = 5 }\n\
         soft_limit = 4\nretry_budget_min = 9\n",
    );
    let read = |path: &str| body(&program.operate(&format!("/api/v1/{path}")));
    let route = &read("routes")[0];
    let tiers = json!({
        "primary": [{"worker": "fast", "weight": 5}],
        "secondary": [],
        "backup": [{"worker": "spare", "weight": 1}],
    });
    assert_eq!((&route["name"], &route["tiers"]), (&json!("all"), &tiers));
    assert_eq!(route["limits"]["soft_limit"], 4);
    let workers = read("workers");
    let shown = ["name", "routes", "max_concurrent", "free"].map(|member| &workers[0][member]);
    let seats = json!([{"route": "all", "tier": "primary"}]);
    assert_eq!(
        shown,
        [&json!("fast"), &seats, &json!(3), &json!(2)],
        "as its pool has room"
    );
    let retry = &read("retry")[0];
    let shown = ["retry_attempts", "retry_budget_left"].map(|member| &retry[member]);
    assert_eq!(shown, [2, 9]);
    let balancing = json!([{"route": "all", "balance": "weighted", "weights": {"fast": 5, "spare": 1}}]);
    assert_eq!(read("load-balancing"), balancing);
    let opened = client::post(
        program.admin,
        "/api/v1/circuit-breakers/fast/force-open",
        "",
        r#"{"for_s":60}"#,
    );
    assert_eq!(
        (opened.status, &read("circuit-breakers/fast")["state"]),
        (403, &json!("closed"))
    );
}

#[test]
fn what_stands_in_for_the_workers_is_told_and_can_be_tried() {
    let server = ModelServer::following(Script::failing(500));
    let url = server.url();
    let document = Document::new(&format!(
        "[server]\nadmin_token = \"${{TOKEN}}\"\n[pipeline.stages.inference]\nworker = \"w\"\n\
         [workers.w]\nprovider = \"openai\"\nbase_url = \"{url}/v1\"\n\
         [degradation]\nchain = [\"cache\", \"message\"]\nmessage = \"Come back later.\"\n"
    ));
    let mut run = document.command(&["run", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let mut program = Program::spawn(run.env("TOKEN", "t0ken"));
    let path = "/api/v1/degradation";
    let tried = client::post(program.admin, &format!("{path}/test"), TOKEN, "").json();
    assert_eq!(
        (&tried["answers"], tried["steps"].as_array().unwrap().len()),
        (&json!("message"), 2)
    );
    let told = |program: &Program| body(&program.operate_with(path, TOKEN));
    assert_eq!(
        (server.stats().total.calls, told(&program)["episodes"].clone()),
        (0, json!([]))
    );

    let answer = program.complete("ask");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("Come back later."),
        "{answer}"
    );
    let episodes = told(&program)["episodes"].clone();
    assert_eq!(
        (&episodes[0]["route"], &episodes[0]["requests"]["message"]),
        (&json!("default"), &json!(1))
    );
    assert_eq!(
        told(&program)["episodes"][0]["began"],
        episodes[0]["began"],
        "looking changes nothing"
    );
    let line = program.says("answered by something else than its workers");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["level"], &line["cause"]),
        (&json!("WARN"), &json!("upstream_error"))
    );
}
