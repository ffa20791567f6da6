//! The official OpenAI SDK, against the program.
#![allow(clippy::unwrap_used, reason = "a fault in here shall end the test")]

use orchestrator_e2e::{Program, python, run};
use orchestrator_testkit::{ModelServer, Script};
use std::path::Path;

/// Runs a script of `python/` against the program.
fn sdk(script: &str, program: &Program) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    let url = format!("http://{}/v1", program.address);
    run(python(), &[script.to_str().unwrap(), &url]);
}

/// The events of a call of a tool, in pieces as OpenAI sends them.
fn tool_events() -> String {
    let choice = |delta: &str, finish: &str| format!(r#"{{"index":0,"delta":{delta},"finish_reason":{finish}}}"#);
    let call = |inner: &str| format!(r#"{{"tool_calls":[{{"index":0,{inner}}}]}}"#);
    let first = r#""id":"call_1","type":"function","function":{"name":"weather","arguments":""}"#;
    let choices = [
        choice(r#"{"role":"assistant","content":null}"#, "null"),
        choice(&call(first), "null"),
        choice(&call(r#""function":{"arguments":"{\"city\":"}"#), "null"),
        choice(&call(r#""function":{"arguments":"\"Ulm\"}"}"#), "null"),
        choice("{}", r#""tool_calls""#),
    ];
    let event = |choice| {
        let head = r#""id":"c","object":"chat.completion.chunk","created":1,"model":"tools""#;
        format!("data: {{{head},\"choices\":[{choice}]}}\n\n")
    };
    choices.into_iter().map(event).collect::<String>() + "data: [DONE]\n\n"
}

#[test]
fn the_sdk_is_content_with_the_echo() {
    let program = Program::start("[pipeline.stages.inference]\nworker = \"echo\"\nmodel = \"echo\"\n");
    sdk("echo.py", &program);
}

#[test]
fn the_sdk_understands_what_a_model_server_does() {
    let server = ModelServer::start();
    let tools = Script {
        body: Some(tool_events()),
        ..Script::default()
    };
    let broken = Script {
        cut_after: Some(600),
        ..Script::paced(50, 1)
    };
    for (model, script) in [
        ("good", Script::default()),
        ("tools", tools.header("content-type", "text/event-stream")),
        ("busy", Script::failing(503)),
        ("limited", Script::failing(429).header("retry-after", "7")),
        ("refused", Script::failing(400)),
        ("broken", broken),
        ("endless", Script::paced(100_000, 20)),
    ] {
        server.script_for(model, script);
    }
    // Faults that are meant do not keep the next call away.
    let document = "[pipeline.resilience]\nretry_attempts = 1\ncircuit_breaker_threshold = 0\n";
    sdk("model.py", &Program::before(&server.url(), document));
    assert!(server.stats().total.aborted >= 2, "{:?}", server.stats());
}
