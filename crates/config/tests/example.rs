//! The example document: it uses every option, and runs as it stands.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a fault in here shall end the test"
)]

mod support;

use orchestrator_config::{Config, Environment, Loaded, load};
use std::path::{Path, PathBuf};
use support::{Field, all_fields};
use toml::{Table, Value};

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipeline.example.toml")
}

fn document() -> Table {
    std::fs::read_to_string(file()).unwrap().parse().unwrap()
}

/// Whether a document has the field; any worker may have it, and any item of an array.
fn uses(value: &Value, steps: &[&str]) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        return true;
    };
    let (key, is_array) = step.strip_suffix("[0]").map_or((*step, false), |key| (key, true));
    match (value.get(key), value) {
        (Some(Value::Array(items)), _) if is_array => items.iter().any(|item| uses(item, rest)),
        (Some(value), _) => uses(value, rest),
        (None, Value::Table(entries)) if key == "w" => entries.values().any(|entry| uses(entry, rest)),
        (None, _) => false,
    }
}

#[test]
fn the_example_uses_every_option() {
    let document = Value::Table(document());
    let is_missing = |field: &Field| !uses(&document, &field.path.split('.').collect::<Vec<_>>());
    let missing: Vec<String> = all_fields()
        .into_iter()
        .filter(is_missing)
        .map(|field| field.path)
        .collect();
    assert!(
        missing.is_empty(),
        "pipeline.example.toml lacks: {}",
        missing.join(", ")
    );
}

#[test]
fn the_example_loads_without_findings_and_without_a_key() {
    let Loaded { config, warnings } = load(&file(), &Environment::default()).unwrap();
    assert!(warnings.is_empty(), "{}", warnings[0]);
    assert_eq!(config.workers_in_use()["echo"].provider.as_str(), "echo");
}

#[test]
fn what_the_example_calls_a_default_is_one() {
    let Loaded { config, .. } = load(&file(), &Environment::default()).unwrap();
    let default = Config::default();
    assert_eq!(config.pipeline.resilience, default.pipeline.resilience);
    assert_eq!(config.pipeline.lanes, default.pipeline.lanes);
    assert_eq!(config.pipeline.answers, default.pipeline.answers);
    assert_eq!(config.pipeline.stages.dedup, default.pipeline.stages.dedup);
    assert_eq!(config.pipeline.stages.stream, default.pipeline.stages.stream);
    assert_eq!(
        config.pipeline.stages.assemble.template,
        default.pipeline.stages.assemble.template
    );
    assert_eq!(config.telemetry, default.telemetry);
    assert_eq!(config.chaos.workers["spare"], Default::default());
    let chaos = orchestrator_resilience::chaos::Config {
        workers: default.chaos.workers.clone(),
        ..config.chaos
    };
    assert_eq!(chaos, default.chaos);
    assert_eq!(config.shutdown, default.shutdown);
    let server = orchestrator_gateway::Config {
        threads: default.server.threads,
        allowed_origins: default.server.allowed_origins.clone(),
        admin_token: default.server.admin_token.clone(),
        ..config.server
    };
    assert_eq!(server, default.server);
}

#[test]
fn every_option_of_the_example_that_is_no_default_says_so() {
    let text = std::fs::read_to_string(file()).unwrap();
    for key in [
        "window_s",
        "threads",
        "stop",
        "allowed_origins",
        "base_url",
        "max_tokens",
        "temperature",
    ] {
        // The same key may stand in another table with its default.
        let mut lines = text.lines().filter(|line| line.starts_with(&format!("{key} =")));
        assert!(
            lines.any(|line| line.contains("default") || line.contains("the same")),
            "{key}"
        );
    }
}

#[test]
fn an_option_that_is_missing_is_missed() {
    let whole = document();
    for path in [
        "server",
        "pipeline.stages.rag.top_k",
        "workers.echo.resilience",
        "pipeline.stages.post_process.redact",
    ] {
        let mut document = whole.clone();
        let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
        let table = table.split('.').filter(|key| !key.is_empty());
        let table = table.fold(&mut document, |table, key| table[key].as_table_mut().unwrap());
        table.remove(key).unwrap();
        let document = Value::Table(document);
        let missing = all_fields()
            .iter()
            .filter(|field| !uses(&document, &field.path.split('.').collect::<Vec<_>>()))
            .count();
        assert!(missing > 0, "{path}");
    }
}
