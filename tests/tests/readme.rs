//! What the README shows works as it stands there, but for the port.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a fault in here shall end the test"
)]

use orchestrator_e2e::{Program, get, python, run};

const README: &str = include_str!("../../README.md");
const EXAMPLE: &str = include_str!("../../pipeline.example.toml");

/// The block in this language that holds `word`, for the program that runs.
fn block(language: &str, word: &str, program: &Program) -> String {
    let opening = format!("```{language}\n");
    let blocks = README
        .split(&opening)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    let block = blocks.into_iter().find(|block| block.contains(word)).unwrap();
    block.replace("127.0.0.1:8080", &program.address.to_string())
}

#[test]
fn the_example_shows_tokens_to_curl_and_over_a_websocket() {
    let program = Program::start(EXAMPLE);
    let seen = run("bash", &["-c", &block("sh", "curl", &program)]);
    assert!(
        seen.contains("Hello") && seen.contains("line") && seen.ends_with("data: [DONE]\n\n"),
        "{seen}"
    );
    let plan = run("bash", &["-c", &block("sh", "dry-explain", &program)]);
    assert!(plan.contains(r#""reason":"primary_normal""#), "{plan}");
    let breakers = get(program.admin_address, "/api/v1/circuit-breakers");
    assert!(README.contains(":8081/api/v1/circuit-breakers") && breakers.body.contains("closed"));
    let seen = run(python(), &["-c", &block("python", "websockets", &program)]);
    assert!(
        seen.contains("\"type\":\"token\"") && seen.contains("\"type\":\"done\""),
        "{seen}"
    );
}

#[test]
fn an_operator_with_the_token_changes_a_limit() {
    let program = Program::start(&EXAMPLE.replace("${ORCHESTRATOR_ADMIN_TOKEN:-}", "t0ken"));
    let block = block("sh", "PATCH", &program).replace("127.0.0.1:8081", &program.admin_address.to_string());
    let route = run("bash", &["-c", &block.replace("$ORCHESTRATOR_ADMIN_TOKEN", "t0ken")]);
    assert!(route.contains(r#""soft_limit":30,"hard_limit":60"#), "{route}");
}

/// The commands that the README gives for a start and for the tests are those that the program and `.ci/run` know.
#[test]
fn the_two_commands_are_true() {
    assert!(README.contains("\ncargo run --release -p orchestrator -- run pipeline.example.toml\n"));
    assert!(README.contains("\ncargo test --workspace\n"));
    assert!(include_str!("../../.ci/run").contains("\nrun tests cargo test --workspace\n"));
    for command in ["dev", "validate", "explain", "schema"] {
        assert!(README.contains(&format!("`orchestrator {command}")), "{command}");
        assert_eq!(Program::output(&[command, "--help"]).code, Some(0), "{command}");
    }
}
