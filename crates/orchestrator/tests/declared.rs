//! What a document declares is what runs, seen through the doors.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a fault in here shall end the test"
)]

mod support;

use orchestrator_testkit::{ModelServer, Script};
use support::{Document, Program};

/// A document with one worker, `w`, at this server.
fn before(server: &ModelServer, more: &str) -> String {
    let url = server.url();
    format!(
        "[pipeline.stages.inference]\nworker = \"w\"\n[workers.w]\nprovider = \"openai\"\nbase_url = \"{url}/v1\"\n{more}"
    )
}

/// The names of the models that clients may ask for, with who owns them.
fn models(text: &str) -> String {
    let program = Program::start(text);
    let answer = program.get("/v1/models");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let models = body["data"].as_array().unwrap();
    let models = models
        .iter()
        .map(|model| format!("{} {}", model["id"], model["owned_by"]).replace('"', ""));
    models.collect::<Vec<_>>().join(", ")
}

/// A route of its own to the worker `fast`, for requests for such models.
fn route(models: &str) -> String {
    format!("[routes.\"{models}\"]\nmodels = [\"{models}\"]\nprimary = [\"fast\"]\n")
}

fn stage(model: &str) -> String {
    format!("[pipeline.stages.inference]\nmodel = \"{model}\"\n")
}

#[test]
fn the_models_are_those_of_the_stage_and_of_its_worker() {
    let worker = "[workers.w]\nprovider = \"ollama\"\n";
    let stage = "[pipeline.stages.inference]\nworker = \"w\"\n";
    let cases = [
        ("", "echo echo"),
        (&format!("{stage}{worker}"), "w ollama"),
        (&format!("{stage}model = \"a\"\n{worker}"), "a ollama"),
        (
            &format!("{stage}model = \"a\"\n{worker}model = \"b\"\n"),
            "a ollama, b ollama",
        ),
        (&format!("{stage}model = \"a\"\n{worker}model = \"a\"\n"), "a ollama"),
    ];
    for (text, expected) in cases {
        assert_eq!(models(text), expected, "{text}");
    }
}

#[test]
fn the_models_are_those_that_routes_serve() {
    let [gpt, o3, rest] = ["gpt-*", "o3", "*"].map(route);
    let fast = "[workers.fast]\nprovider = \"vllm\"\n";
    for (text, expected) in [
        (format!("{gpt}{fast}"), ""),
        (format!("{}{gpt}{fast}", stage("gpt-4")), "gpt-4 vllm"),
        (format!("{gpt}{rest}{fast}"), "fast vllm"),
        (format!("{}{o3}{rest}{fast}", stage("gpt-4")), "o3 vllm, gpt-4 vllm"),
        (format!("{}{o3}{fast}", stage("o3")), "o3 vllm"),
    ] {
        assert_eq!(models(&text), expected, "{text}");
    }
}

#[test]
fn a_request_without_a_model_means_that_of_the_stage_else_the_first() {
    let [gpt, o3, rest] = ["gpt-*", "o3", "*"].map(route);
    let fast = "[workers.fast]\nprovider = \"echo\"\n";
    let folder = tempfile::tempdir().unwrap();
    let (file, body) = (
        folder.path().join("r.json"),
        r#"{"messages":[{"role":"user","content":"x"}]}"#,
    );
    std::fs::write(&file, body).unwrap();
    for (text, expected) in [
        (format!("{}{o3}{rest}{fast}", stage("gpt-4")), Some(("gpt-4", "*"))),
        (format!("{o3}{rest}{fast}"), Some(("o3", "o3"))),
        (format!("{}{o3}{gpt}{fast}", stage("gpt-4")), Some(("gpt-4", "gpt-*"))),
        (format!("{gpt}{fast}"), None),
    ] {
        let answer = Program::start(&text).chat(body);
        let told = Document::new(&text).ask(&["explain", "--request", file.to_str().unwrap()]);
        match expected {
            Some((model, route)) => {
                let header = format!("x-orchestrator-model: {model}\r\n");
                assert!(answer.contains(&header), "{text}{answer}");
                assert_eq!(told.json()["route"], route, "{text}");
            }
            None => {
                let missing = "You must provide a model parameter.";
                assert!(
                    answer.starts_with("HTTP/1.1 400") && answer.contains(missing),
                    "{answer}"
                );
                assert!(told.stderr.contains(missing), "{told:?}");
            }
        }
    }
}

#[test]
fn filters_are_in_the_line() {
    let program = Program::start(
        "[pipeline.stages.post_process]\nstop = [\"STOP\"]\ntrim = \"both\"\n\
         redact = [{ name = \"card\", pattern = \"[0-9]{4}\", replacement = \"#\" }]\n",
    );
    let answer = program.complete("pay 1234 now STOP later");
    assert!(answer.contains(r#""pay # now""#), "{answer}");
    assert!(
        program
            .operate("/metrics")
            .contains("orchestrator_redactions_total{name=\"card\"} 1")
    );
}

#[test]
fn limits_of_the_doors_are_obeyed() {
    let program = Program::start("[server]\nmax_body_bytes = 1024\n");
    assert!(program.complete("short").starts_with("HTTP/1.1 200"));
    assert!(program.complete(&"long ".repeat(500)).starts_with("HTTP/1.1 413"));
}

#[test]
fn no_more_requests_run_than_may_be_in_flight() {
    let program = Program::start(
        "[server]\nmax_in_flight = 1\nkeepalive_ms = 50\n[pipeline.lanes]\ncapacity = 1\n\
         [workers.echo]\nprovider = \"echo\"\ndelay_ms = 5000\n",
    );
    let first = program.streaming("one two three");
    let second = program.complete("another");
    assert!(
        second.starts_with("HTTP/1.1 429") || second.starts_with("HTTP/1.1 503"),
        "{second}"
    );
    drop(first);
}

#[test]
fn equal_requests_are_replayed_within_the_window_and_called_for_without_one() {
    for (window, calls) in [(300, 1), (0, 2)] {
        let server = ModelServer::start();
        let program = Program::start(&before(
            &server,
            &format!("[pipeline.deduplication]\nwindow_s = {window}\n"),
        ));
        for _ in 0..2 {
            let answer = program.complete("the same");
            assert!(answer.contains("tok0"), "{answer}");
        }
        assert_eq!(server.counts("the same").calls, calls, "{window}");
    }
}

#[test]
fn the_worker_s_key_and_model_are_what_its_server_is_asked_with() {
    let server = ModelServer::start();
    let document = Document::new(&before(&server, "api_key = \"${KEY}\"\nmodel = \"gpt-4o\"\n"));
    let mut run = document.command(&["run", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let program = Program::spawn(run.env("KEY", "sk-one"));
    assert!(program.complete("hi").contains("tok0"));
    let received = format!("{:?}", server.received());
    assert!(received.contains("Bearer sk-one"), "{received}");
    assert!(received.contains("gpt-4o"), "{received}");
}

#[test]
fn a_request_is_tried_as_often_as_the_document_says() {
    for (attempts, calls) in [(1, 1), (3, 3)] {
        let server = ModelServer::following(Script::failing(500));
        let more = format!("[pipeline.resilience]\nretry_attempts = {attempts}\nretry_base_ms = 1\nretry_max_ms = 1\n");
        let program = Program::start(&before(&server, &more));
        assert!(program.complete("fail").starts_with("HTTP/1.1 5"));
        assert_eq!(server.counts("fail").calls, calls);
    }
}

#[test]
fn metrics_ask_for_the_token_that_the_environment_holds() {
    let document = Document::new("[server]\nadmin_token = \"${TOKEN}\"\n");
    let mut run = document.command(&["run", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let program = Program::spawn(run.env("TOKEN", "t0ken"));
    assert!(program.operate("/metrics").starts_with("HTTP/1.1 401"));
    assert!(
        program.operate("/livez").starts_with("HTTP/1.1 200"),
        "health needs no token"
    );
}

#[test]
fn what_an_operator_should_know_is_said_before_the_first_request() {
    let program = Program::start("");
    let words = program.started.concat();
    assert!(words.contains("retrieval is on but names no `folder`"), "{words}");
    let document = Document::new("[pipeline.stages.rag]\nenabled = false\n");
    let mut open = document.command(&["run", "--listen", "0.0.0.0:0", "--admin-listen", "127.0.0.1:0"]);
    let words = Program::spawn(&mut open).started.concat();
    assert!(words.contains("everybody who reaches this address may ask"), "{words}");
    assert!(!words.contains("folder"), "{words}");
}

#[test]
fn passages_come_from_the_folder_of_the_document() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("birds.md"),
        "# Birds\n\nThe kakapo is a parrot that cannot fly.\n",
    )
    .unwrap();
    let server = ModelServer::start();
    let more = format!("[pipeline.stages.rag]\nfolder = \"{}\"\n", folder.path().display());
    let program = Program::start(&before(&server, &more));
    assert!(program.complete("Can the kakapo fly?").contains("tok0"));
    let received = format!("{:?}", server.received());
    assert!(received.contains("parrot that cannot fly"), "{received}");
}

#[test]
fn the_log_is_as_quiet_and_as_shaped_as_the_document_says() {
    let program = Program::start("[telemetry]\nformat = \"json\"\naccess_log = false\n[shutdown]\npre_stop_ms = 0\n");
    assert!(program.complete("hi").contains("hi"));
    program.signal("TERM");
    let ended = program.wait();
    assert!(!ended.stderr.contains("/v1/chat/completions"), "{ended:?}");
    let is_json = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    assert!(ended.stderr.lines().all(is_json), "{ended:?}");
}
