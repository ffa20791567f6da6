use super::*;
use crate::{Environment, load::parse};
use expect_test::{Expect, expect};
use serde_json::json;
use std::path::Path as FilePath;

/// Two workers on a route, of which one has a weight, and one on another.
const DOCUMENT: &str = "
[workers.fast]
provider = \"echo\"
max_concurrent = 7
[workers.slow]
provider = \"echo\"
api_key = \"sk-plain\"
[routes.default]
primary = [\"fast\", \"slow\"]
weights = { fast = 3 }
soft_limit = 40
hard_limit = 80
[routes.\"of code\"]
models = [\"code-*\"]
primary = [\"slow\"]
[pools]
fast = 200
";

fn config() -> Config {
    let loaded = parse(FilePath::new("p.toml"), DOCUMENT, &Environment::default());
    loaded.unwrap().config.in_full()
}

fn object(patch: Value) -> Map<String, Value> {
    patch.as_object().unwrap().clone()
}

fn edited(section: &[&str], patch: Value) -> Result<Edited, Findings> {
    edit(&config(), section, None, &object(patch))
}

/// What is wrong, a line each with what is allowed and how to mend it below.
fn told(refused: Result<Edited, Findings>) -> String {
    let note = |note: &Option<String>| note.iter().map(|note| format!("  {note}\n")).collect::<String>();
    let told = |finding: &Finding| {
        let notes = [&finding.allowed, &finding.help].map(note).concat();
        format!("{}: {}\n{notes}", finding.path, finding.message)
    };
    refused.unwrap_err().0.iter().map(told).collect()
}

fn refuses(section: &[&str], patch: Value, expected: &Expect) {
    expected.assert_eq(&told(edited(section, patch)));
}

/// What has changed, a line each.
fn changes(section: &[&str], patch: Value) -> String {
    let changes = edited(section, patch).unwrap().changes;
    let told = changes
        .iter()
        .map(|Change { path, from, to }| format!("{path}: {from} -> {to}\n"));
    told.collect()
}

const DEFAULT: [&str; 2] = ["routes", "default"];

#[test]
fn what_an_edit_changes_is_told_and_nothing_else_changes() {
    let patch = json!({"hard_limit": 50, "balance": "weighted", "soft_limit": 40});
    let Edited { config: after, changes } = edited(&DEFAULT, patch).unwrap();
    let mut expected = config();
    let route = expected.routes.get_mut("default").unwrap();
    route.hard_limit = Some(50);
    route.balance = orchestrator_routing::Balance::Weighted;
    assert_eq!(after, expected);
    let paths: Vec<String> = changes.iter().map(|change| change.path.to_string()).collect();
    assert_eq!(
        paths,
        ["routes.default.hard_limit", "routes.default.balance"],
        "soft_limit is as it was"
    );
}

#[test]
fn null_takes_a_key_out_and_a_table_is_merged_with_the_one_that_is_there() {
    let told = [
        changes(
            &DEFAULT,
            json!({"hard_limit": null, "stream_hard_limit": null, "overflow_after_ms": 9}),
        ),
        changes(&DEFAULT, json!({"weights": {"slow": 2}})),
        changes(&DEFAULT, json!({"weights": {"slow": 2, "fast": null}})),
        changes(&DEFAULT, json!({"weights": null})),
        changes(&["routes", "of code"], json!({"retry_budget_min": 0})),
        changes(&["workers", "fast"], json!({"max_concurrent": null})),
        changes(&["pools"], json!({"fast": null, "slow": 1_000})),
        changes(&DEFAULT, json!({})),
    ];
    expect![[r#"
        routes.default.hard_limit: 80 -> null
        routes.default.overflow_after_ms: 0 -> 9
        routes.default.weights: {"fast":3} -> {"fast":3,"slow":2}
        routes.default.weights: {"fast":3} -> {"slow":2}
        routes.default.weights: {"fast":3} -> {}
        routes."of code".retry_budget_min: 30 -> 0
        workers.fast.max_concurrent: 7 -> 95
        pools.fast: 200 -> 100
        pools.slow: 100 -> 1000
    "#]]
    .assert_eq(&told.concat());
}

#[test]
fn values_are_refused_as_in_a_document_and_all_at_once() {
    refuses(
        &DEFAULT,
        json!({
            "hard_limit": 0, "soft_limit": "many", "stream_soft_limit": 1_000_001, "stream_hard_limit": 2.5,
            "overflow_after_ms": -1, "balance": "fastest", "retry_budget_min": true, "retry_budget_percent": [5],
            "weights": {"fast": 0, "slow": null, "other": "x"},
        }),
        &expect![[r#"
            routes.default.balance: unknown value `fastest`
              `round_robin`, `weighted`, `least_connections`, `p2c_ewma`, `consistent_hash`
            routes.default.soft_limit: wrong type: a string where an integer is wanted
              an integer, 1 to 1000000
            routes.default.hard_limit: 0 is too small
              an integer, 1 to 1000000
            routes.default.overflow_after_ms: -1 is too small
              an integer, 0 to 600000
            routes.default.retry_budget_percent: wrong type: an array where an integer is wanted
              an integer, 0 to 1000
            routes.default.retry_budget_min: wrong type: a boolean where an integer is wanted
              an integer, 0 to 100000
            routes.default.stream_soft_limit: 1000001 is too large
              an integer, 1 to 1000000
            routes.default.stream_hard_limit: wrong type: a float where an integer is wanted
              an integer, 1 to 1000000
            routes.default.weights.fast: 0 is too small
              an integer, 1 to 1000
            routes.default.weights.other: wrong type: a string where an integer is wanted
              an integer, 1 to 1000
        "#]],
    );
}

#[test]
fn keys_are_refused_that_are_unknown_or_need_a_restart() {
    refuses(
        &DEFAULT,
        json!({"hard_limt": null, "max_wait_ms": 5, "models": ["x"], "backup": null, "hard_limit": 0}),
        &expect![[r#"
            routes.default.hard_limt: unknown key `hard_limt`
              `balance`, `weights`, `soft_limit`, `hard_limit`, `stream_soft_limit`, `stream_hard_limit`, `overflow_after_ms`, `latency_budget_ms`, `complexity`, `retry_budget_percent`, `retry_budget_min`
              did you mean `hard_limit`?
            routes.default.max_wait_ms: unknown key `max_wait_ms`
              `balance`, `weights`, `soft_limit`, `hard_limit`, `stream_soft_limit`, `stream_hard_limit`, `overflow_after_ms`, `latency_budget_ms`, `complexity`, `retry_budget_percent`, `retry_budget_min`
              `max_wait_ms` belongs in `[pipeline.lanes]`
            routes.default.models: this takes effect with a restart only
              `balance`, `weights`, `soft_limit`, `hard_limit`, `stream_soft_limit`, `stream_hard_limit`, `overflow_after_ms`, `latency_budget_ms`, `complexity`, `retry_budget_percent`, `retry_budget_min`
              change it in the document, and start the program anew
            routes.default.backup: this takes effect with a restart only
              `balance`, `weights`, `soft_limit`, `hard_limit`, `stream_soft_limit`, `stream_hard_limit`, `overflow_after_ms`, `latency_budget_ms`, `complexity`, `retry_budget_percent`, `retry_budget_min`
              change it in the document, and start the program anew
            routes.default.hard_limit: 0 is too small
              an integer, 1 to 1000000
        "#]],
    );
    refuses(
        &["workers", "fast"],
        json!({"provider": "openai", "max_concurrent": 100_001, "resilience": {}}),
        &expect![[r#"
            workers.fast.provider: this takes effect with a restart only
              `max_concurrent`
              change it in the document, and start the program anew
            workers.fast.resilience: this takes effect with a restart only
              `max_concurrent`
              change it in the document, and start the program anew
            workers.fast.max_concurrent: 100001 is too large
              an integer, 1 to 100000
        "#]],
    );
    refuses(
        &["pools"],
        json!({"ceiling": 100_000, "medium": 5}),
        &expect![[r#"
        pools.ceiling: this takes effect with a restart only
          `fast`, `slow`
          change it in the document, and start the program anew
        pools.medium: unknown key `medium`
          `fast`, `slow`
          take it out; `orchestrator schema` lists all keys
    "#]],
    );
}

#[test]
fn rules_between_settings_hold() {
    refuses(
        &DEFAULT,
        json!({"hard_limit": 39}),
        &expect![[r#"
        routes.default.soft_limit: 40 is more than `hard_limit`, which is 39
          at most 39
          lower `soft_limit` or raise `hard_limit`
    "#]],
    );
    refuses(
        &DEFAULT,
        json!({"stream_hard_limit": 81, "stream_soft_limit": 41}),
        &expect![[r#"
            routes.default.stream_soft_limit: 41 is more than `soft_limit`, which is 40
              at most 40
              lower `stream_soft_limit` or raise `soft_limit`
            routes.default.stream_hard_limit: 81 is more than `hard_limit`, which is 80
              at most 80
              lower `stream_hard_limit` or raise `hard_limit`
        "#]],
    );
    refuses(
        &["routes", "of code"],
        json!({"weights": {"fast": 2}}),
        &expect![[r#"
            routes."of code".weights.fast: the route has no worker `fast`
              name it in a tier of the route, or take its weight out
        "#]],
    );
    refuses(
        &["pools"],
        json!({"fast": 1_001}),
        &expect![[r#"
        pools.fast: 1001 is more than `ceiling`, which is 1000
          at most 1000
          lower `fast` or raise `ceiling`
    "#]],
    );
}

#[test]
fn only_the_keys_of_a_resource_are_changed_there() {
    let keys: &[&str] = &["balance", "weights"];
    let patch = object(json!({"weights": {"fast": 1}, "hard_limit": 5, "models": [], "wieghts": {}}));
    let refused = edit(&config(), &DEFAULT, Some(keys), &patch);
    expect![[r#"
        routes.default.hard_limit: this is not changed here
          `balance`, `weights`
        routes.default.models: this takes effect with a restart only
          `balance`, `weights`
          change it in the document, and start the program anew
        routes.default.wieghts: unknown key `wieghts`
          `balance`, `weights`
          did you mean `weights`?
    "#]]
    .assert_eq(&told(refused));
    let patch = object(json!({"weights": {"fast": 1}}));
    assert!(edit(&config(), &DEFAULT, Some(keys), &patch).is_ok());
}

#[test]
fn what_is_not_there_or_cannot_be_written_is_refused() {
    refuses(
        &["routes", "other"],
        json!({"hard_limit": 5}),
        &expect![[r#"
        routes.other: there is no such table
    "#]],
    );
    refuses(
        &["nothing"],
        json!({}),
        &expect![[r#"
        nothing: there is no such table
    "#]],
    );
    refuses(
        &DEFAULT,
        json!({"hard_limit": 18_446_744_073_709_551_615_u64, "soft_limit": 1e300, "weights": [null, 3]}),
        &expect![[r#"
            routes.default.weights: wrong type: an array where a table is wanted
              a table
            routes.default.soft_limit: wrong type: a float where an integer is wanted
              an integer, 1 to 1000000
            routes.default.hard_limit: wrong type: a float where an integer is wanted
              an integer, 1 to 1000000
        "#]],
    );
    let deep = (0..100).fold(json!(1), |value, _| json!({ "a": value }));
    let refused = told(edited(&DEFAULT, json!({ "weights": deep })));
    assert!(refused.starts_with("routes.default"), "{refused}");
}

#[test]
fn of_very_much_that_is_wrong_not_all_is_told() {
    let many = |value: &str| {
        (0..5_000)
            .map(|number| (format!("k{number}"), json!(value)))
            .collect::<Map<_, _>>()
    };
    for patch in [many("x"), object(json!({ "weights": many("x") }))] {
        let findings = edit(&config(), &DEFAULT, None, &patch).unwrap_err();
        assert_eq!(findings.0.len(), MAX_FINDINGS);
    }
}

#[test]
fn what_is_only_implied_can_be_edited_once_it_is_written_out() {
    let config = Config::dev();
    let patch = object(json!({"max_concurrent": 3}));
    assert!(edit(&config, &["workers", "echo"], None, &patch).is_err());
    let edited = edit(&config.in_full(), &["workers", "echo"], None, &patch)
        .unwrap()
        .config;
    assert_eq!(edited.workers["echo"].max_concurrent, 3);
    let patch = object(json!({"hard_limit": 3}));
    let edited = edit(&edited, &["routes", "default"], None, &patch).unwrap().config;
    assert_eq!(
        (
            edited.routes["default"].hard_limit,
            edited.workers["echo"].max_concurrent
        ),
        (Some(3), 3)
    );
}
