//! What clients get when no worker can answer, and what operators are told of it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a fault in here shall end the test"
)]

use orchestrator_e2e::{CHAT, Http, Program, chat, get, post, worker};
use orchestrator_testkit::{ModelServer, Script};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long a test waits for what comes by the clock.
const PATIENCE: Duration = Duration::from_secs(20);
const PATH: &str = "/api/v1/degradation";

/// A program whose workers stand before one server and those of the reduced mode before another.
struct Scene {
    live: ModelServer,
    reduced: ModelServer,
    program: Program,
}

impl Scene {
    fn start(chain: &str, more: &str) -> Self {
        let (live, reduced) = (ModelServer::start(), ModelServer::start());
        let document = format!(
            "{}{}[routes.all]\nprimary = [\"big\"]\n[pipeline.resilience]\nretry_attempts = 1\n\
             [degradation]\nchain = [{chain}]\nmessage = \"Come back later.\"\n{more}",
            worker("big", &live.url(), ""),
            worker("small", &reduced.url(), "model = \"mini\""),
        );
        Scene {
            program: Program::start(&document),
            live,
            reduced,
        }
    }

    fn ask(&self, text: &str) -> Http {
        post(self.program.address, CHAT, "", &chat(text, ""))
    }

    /// What answered and what it says; a failure's code where nothing did.
    fn told(&self, text: &str) -> (Option<String>, String) {
        let reply = self.ask(text);
        let by = reply.header("x-orchestrator-degraded").map(str::to_owned);
        let body = reply.json();
        let said = match reply.status {
            200 => &body["choices"][0]["message"]["content"],
            _ => &body["error"]["code"],
        };
        (by, said.as_str().unwrap().to_owned())
    }

    fn operator(&self, path: &str) -> Value {
        get(self.program.admin_address, path).json()
    }
}

fn by(name: &str, said: &str) -> (Option<String>, String) {
    (Some(name.to_owned()), said.to_owned())
}

const ALL: &str = r#""cache", "reduced", "message""#;
const SMALL: &str = "[degradation.reduced]\nworkers = [\"small\"]\nmax_tokens = 16\n";

#[test]
fn when_the_workers_die_each_request_is_still_answered_and_says_by_what() {
    let scene = Scene::start(ALL, SMALL);
    let (none, fresh) = scene.told("known");
    assert_eq!(none, None);
    scene.live.script(Script::failing(503));
    let small = Script {
        pieces: vec!["small".to_owned()],
        ..Script::default()
    };
    scene.reduced.script(small);
    assert_eq!(scene.told("known"), by("cache", &fresh));
    assert_eq!(scene.told("new"), by("reduced", "small"));
    scene.reduced.script(Script::failing(500));
    assert_eq!(scene.told("newer"), by("message", "Come back later."));
    let cached = scene.ask("known");
    assert_eq!(
        (
            cached.status,
            cached.header("x-orchestrator-worker"),
            cached.header("age")
        ),
        (200, Some("none"), Some("0"))
    );

    let stats = scene.operator(&format!("{PATH}/stats"));
    let expected = json!({ "all": 4, "cache": 2, "stale": 0, "reduced": 1, "message": 1, "none": 0 });
    assert_eq!(stats["requests"], expected);
    let shown = scene.operator(PATH);
    assert_eq!(shown["episodes"][0]["cause"], "upstream_error");
    assert_eq!(shown["episodes"][0]["requests"], expected);
    for (by, count) in [("cache", 2.0), ("reduced", 1.0), ("message", 1.0)] {
        let counter = format!("orchestrator_degraded_total{{by=\"{by}\",route=\"all\"}}");
        assert_eq!(scene.program.metric(&counter), count, "{by}");
    }
}

#[test]
fn once_the_breaker_is_open_the_chain_answers_without_a_call_and_ends_with_the_outage() {
    let more = "[pipeline.deduplication]\nwindow_s = 300\n";
    let scene = Scene::start(r#""message""#, more);
    scene.live.script(Script::failing(503));
    for number in 0..50 {
        assert_eq!(scene.told(&format!("ask {number}")), by("message", "Come back later."));
    }
    let calls = scene.live.stats().total.calls;
    assert!(
        (5..=10).contains(&calls),
        "five open the breaker, then one a second: {calls}"
    );
    scene.live.script(Script::default());
    // What only stood in is not replayed, though it is within the window.
    let began = Instant::now();
    while scene.told("ask 0").0.is_some() {
        assert!(
            began.elapsed() < PATIENCE,
            "one request a second finds out that they are well"
        );
    }
}

#[test]
fn a_reduced_request_is_smaller_and_a_stream_is_degraded_as_well() {
    let scene = Scene::start(r#""reduced""#, SMALL);
    scene.live.script(Script::failing(503));
    let reply = post(
        scene.program.address,
        CHAT,
        "",
        &chat("hi", r#","stream":true,"max_tokens":100"#),
    );
    assert_eq!(
        (reply.status, reply.header("x-orchestrator-degraded")),
        (200, Some("reduced"))
    );
    assert!(reply.body.contains("data: [DONE]"), "{}", reply.body);
    let asked = scene.reduced.received().pop().unwrap();
    let asked: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!((&asked["model"], &asked["max_tokens"]), (&json!("mini"), &json!(16)));
}

#[test]
fn a_stream_whose_status_has_left_says_in_a_comment_what_answers() {
    let hasty = format!("{SMALL}patience_ms = 200\n[server]\nkeepalive_ms = 20\n");
    let scene = Scene::start(r#""reduced", "message""#, &hasty);
    scene.live.script(Script::failing(503));
    scene.reduced.script(Script {
        first_ms: 60_000,
        ..Script::default()
    });
    let reply = post(scene.program.address, CHAT, "", &chat("hi", r#","stream":true"#));
    let (before, said) = reply.body.split_once("data: ").unwrap();
    assert_eq!((reply.status, reply.header("x-orchestrator-degraded")), (200, None));
    assert!(
        before.ends_with(": ping\n\n: x-orchestrator-degraded: message\n\n"),
        "{before}"
    );
    assert!(
        said.contains("Come back later.") && said.contains("data: [DONE]"),
        "{said}"
    );
}

#[test]
fn without_a_step_that_can_the_failure_is_as_clear_as_ever() {
    let scene = Scene::start(r#""cache", "reduced""#, SMALL);
    for server in [&scene.live, &scene.reduced] {
        server.script(Script::failing(503));
    }
    let reply = scene.ask("hi");
    assert_eq!(
        (reply.status, reply.json()["error"]["code"].as_str()),
        (502, Some("upstream_error"))
    );
    let tried = post(scene.program.admin_address, &format!("{PATH}/test"), "", "");
    assert_eq!(tried.status, 403, "without a token nobody changes or tries anything");
}

#[test]
fn a_rule_spares_workers_that_fail_too_often() {
    let rule = "[[degradation.rules]]\nname = \"dying\"\nmode = \"message\"\nfailure_rate = 0.5\nmin_requests = 4\nhold_s = 600\n";
    let breakers = "[workers.big.resilience]\ncircuit_breaker_threshold = 0\nfailure_rate = 0.0\n";
    let scene = Scene::start(r#""message", "reduced""#, &format!("{SMALL}{rule}{breakers}"));
    scene.live.script(Script::failing(503));
    for number in 0..40 {
        assert_eq!(scene.told(&format!("ask {number}")), by("message", "Come back later."));
    }
    let calls = scene.live.stats().total.calls;
    assert!(
        (4..=10).contains(&calls),
        "four tell the rule, then one a second: {calls}"
    );
    let shown = scene.operator(PATH);
    assert_eq!(
        (&shown["rules"][0]["holds"], &shown["rules"][0]["route"]),
        (&json!(true), &json!("all"))
    );
    let rules = shown["rules"].as_array().unwrap().len();
    assert_eq!(rules, 1, "no rule is watched for the route of the reduced mode");
    let gauge = r#"orchestrator_degradation_rule_holds{route="all",rule="dying"}"#;
    assert_eq!(scene.program.metric(gauge), 1.0);
}
