use super::*;
use expect_test::{Expect, expect};

fn no_environment(_: &str) -> Option<String> {
    None
}

fn findings(text: &str) -> String {
    parse(Path::new("p.toml"), text, &no_environment)
        .expect_err("the document is wrong")
        .to_string()
}

fn check(text: &str, expected: &Expect) {
    expected.assert_eq(&findings(text));
}

#[test]
fn the_document_of_the_interfaces_loads_as_it_stands() {
    let text = r#"
[pipeline]
name = "production-gpt4"
version = "1.0"
[pipeline.stages.rag]
enabled = true
timeout_ms = 5000
max_context_tokens = 2048
[pipeline.stages.inference]
worker = "openai"
model = "gpt-4"
max_tokens = 1024
temperature = 0.7
[pipeline.resilience]
retry_attempts = 3
retry_base_ms = 100
retry_max_ms = 5000
circuit_breaker_threshold = 5
circuit_breaker_timeout_s = 60
[pipeline.deduplication]
enabled = true
window_s = 300
max_entries = 10000
"#;
    let config = parse(Path::new("p.toml"), text, &no_environment).unwrap().config;
    let (name, worker) = config.worker().unwrap();
    assert_eq!((name, worker.provider), ("openai", ProviderName::OpenAi));
    assert_eq!(config.pipeline.deduplication.window_s, 300);
}

#[test]
fn the_example_loads_and_says_what_it_claims() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipeline.example.toml");
    let config = load(&file, &no_environment).unwrap().config;
    assert_eq!(config.worker().unwrap().1.provider, ProviderName::Echo);
    assert_eq!(config.pipeline.resilience, orchestrator_resilience::Config::default());
    assert_eq!(config.pipeline.lanes, orchestrator_pipeline::LanesConfig::default());
    assert_eq!(config.pipeline.answers, orchestrator_pipeline::AnswersConfig::default());
    assert_eq!(config.shutdown, crate::ShutdownConfig::default());
    assert_eq!(config.server.listen, orchestrator_gateway::Config::default().listen);
}

#[test]
fn an_empty_document_is_the_program_without_one() {
    assert_eq!(
        parse(Path::new("p.toml"), "", &no_environment).unwrap().config,
        Config::dev()
    );
    assert_eq!(
        parse(Path::new("p.toml"), "\u{feff}", &no_environment).unwrap().config,
        Config::dev()
    );
}

#[test]
fn what_was_loaded_survives_a_round_trip() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipeline.example.toml");
    let config = load(&file, &no_environment).unwrap().config;
    let again = toml::to_string(&config).unwrap();
    assert_eq!(
        parse(Path::new("p.toml"), &again, &no_environment).unwrap().config,
        config
    );
}

#[test]
fn an_unknown_key_is_shown_where_it_stands() {
    check(
        "[pipeline]\nname = \"x\"\nnmae = \"y\"\n",
        &expect![[r#"
            error: unknown field `nmae`, expected one of `name`, `version`, `stages`, `lanes`, `resilience`, `deduplication`, `answers`
              --> p.toml:3:1
               |
               | nmae = "y"
               | ^"#]],
    );
}

#[test]
fn a_wrong_type_is_shown_where_it_stands() {
    check(
        "[server]\nmax_in_flight = \"many\"\n",
        &expect![[r#"
            error: invalid type: string "many", expected usize
              --> p.toml:2:17
               |
               | max_in_flight = "many"
               |                 ^"#]],
    );
}

#[test]
fn broken_toml_is_shown_where_it_breaks() {
    let text = findings("[server\nlisten = 1\n");
    assert!(text.contains("p.toml:1:"), "{text}");
}

#[test]
fn a_worker_that_does_not_exist_is_named_with_its_neighbour() {
    check(
        "[pipeline.stages.inference]\nworker = \"opnai\"\n[workers.local]\nprovider = \"ollama\"\n",
        &expect![[r"
            error: no worker is called `opnai`: there are local, anthropic, ollama, openai, llama_cpp, vllm, echo; did you mean `openai`? (at pipeline.stages.inference.worker)
              --> p.toml"]],
    );
}

#[test]
fn all_rules_speak_at_once() {
    let text = findings(
        r#"
[pipeline.stages.assemble]
template = "{% for"
[pipeline.resilience]
retry_base_ms = 9000
circuit_breaker_timeout_s = 400
[pipeline.answers]
max_answer_bytes = 2000
max_log_bytes = 1500
[server]
admin_listen = "127.0.0.1:8080"
admin_token = "${NOT_SET}"
[workers.w]
provider = "openai"
api_key = "${file:/does/not/exist}"
[shutdown]
grace_ms = 1000
"#,
    );
    let paths = [
        "workers.w.api_key",
        "server.admin_token",
        "server.admin_listen",
        "pipeline.resilience.retry_base_ms",
        "pipeline.resilience.open_max_s",
        "shutdown.grace_ms",
        "pipeline.answers.max_log_bytes",
        "pipeline.stages.assemble.template",
    ];
    for path in paths {
        assert!(text.contains(&format!("(at {path})")), "{path} is missing in\n{text}");
    }
}

#[test]
fn secrets_are_found_in_the_environment_or_by_default() {
    let text = "[workers.w]\nprovider = \"openai\"\napi_key = \"${KEY}\"\n[server]\nadmin_token = \"${TOKEN:-}\"\n";
    assert!(findings(text).contains("the environment variable KEY is not set"));
    let set = |name: &str| (name == "KEY").then(|| "sk-secret".to_owned());
    let config = parse(Path::new("p.toml"), text, &set).unwrap().config;
    assert!(!format!("{config:?}").contains("sk-secret"), "it stays a reference");
}

#[test]
fn files_that_are_no_documents_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        load(&file, &no_environment).unwrap_err().to_string()
    };
    assert!(
        load(folder.path(), &no_environment)
            .unwrap_err()
            .to_string()
            .contains("this is a directory")
    );
    assert!(
        load(&folder.path().join("none"), &no_environment)
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
    assert!(file("bytes", b"a = \xff").contains("not UTF-8: byte 4"));
    assert!(file("nul", b"a = 1\0").contains("nul:1"));
}

#[test]
fn every_field_is_described_in_the_schema() {
    let schema = serde_json::to_value(schema()).unwrap();
    let mut bare = Vec::new();
    walk("", &schema, &mut bare);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        walk(name, definition, &mut bare);
    }
    assert!(bare.is_empty(), "no description: {bare:?}");
}

fn walk(at: &str, schema: &serde_json::Value, bare: &mut Vec<String>) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    for (name, property) in properties {
        if property["description"].as_str().is_none_or(str::is_empty) {
            bare.push(format!("{at}.{name}"));
        }
    }
}
