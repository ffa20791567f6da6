//! Properties: an edit is allowed just when the document with it is, and leads where that one leads.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a fault in here shall end the test"
)]

mod support;

use orchestrator_config::{Config, Severity, edit, schema};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value, json};
use support::{documents::document, read};

/// A configuration with all that it implies, that a document could hold.
fn config() -> impl Strategy<Value = Config> {
    document().prop_map(|document| {
        let text = toml::to_string(&document).unwrap();
        read(&text).unwrap().config.in_full()
    })
}

/// Keys that may be changed at work, and what somebody might write there.
fn entry(keys: &'static [&'static str]) -> impl Strategy<Value = (String, Value)> {
    let number = prop_oneof![0_i64..5, 38_i64..42, 990_i64..1_010, any::<i64>()];
    let weights = vec((select(vec!["echo", "vllm", "x"]), number.clone()), 0..3);
    let weights = weights.prop_map(|weights| weights.into_iter().map(|(name, value)| (name.to_owned(), json!(value))));
    let value = prop_oneof![
        6 => number.prop_map(|number| json!(number)),
        2 => Just(Value::Null),
        2 => select(vec!["weighted", "round_robin", "nothing", ""]).prop_map(|word| json!(word)),
        2 => weights.prop_map(|weights| Value::Object(weights.collect())),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => Just(json!([])),
        1 => Just(json!(true)),
    ];
    (select(keys).prop_map(str::to_owned), value)
}

const OF_A_ROUTE: &[&str] = &[
    "soft_limit",
    "hard_limit",
    "stream_soft_limit",
    "stream_hard_limit",
    "overflow_after_ms",
    "latency_budget_ms",
    "complexity",
    "balance",
    "weights",
    "retry_budget_percent",
    "retry_budget_min",
];

fn patch(keys: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    vec(entry(keys), 0..4).prop_map(|entries| entries.into_iter().collect())
}

/// The same by hand: the text of the document in which the keys of a table are set or taken out.
fn by_hand(config: &Config, section: &[&str], patch: &Map<String, Value>) -> Option<String> {
    let mut tree = toml::Table::try_from(config).unwrap();
    let table = section
        .iter()
        .fold(&mut tree, |table, key| table[*key].as_table_mut().unwrap());
    for (key, value) in patch {
        match value {
            Value::Null => drop(table.remove(key)),
            Value::Object(fields) => {
                let empty = || toml::Value::Table(toml::Table::new());
                let inner = table.entry(key.clone()).or_insert_with(empty);
                if !inner.is_table() {
                    *inner = empty();
                }
                for (name, value) in fields {
                    let value = toml::Value::try_from(value).ok()?;
                    inner.as_table_mut()?.insert(name.clone(), value);
                }
            }
            value => drop(table.insert(key.clone(), toml::Value::try_from(value).ok()?)),
        }
    }
    toml::to_string(&tree).ok()
}

/// Asserts that an edit and the document with it lead to the same.
fn leads_where_the_document_leads(
    config: &Config,
    section: &[&str],
    patch: &Map<String, Value>,
) -> Result<(), TestCaseError> {
    let expected = by_hand(config, section, patch).and_then(|text| read(&text).ok());
    match edit(config, section, None, patch) {
        Ok(edited) => {
            let expected = expected.map(|loaded| loaded.config);
            prop_assert_eq!(Some(&edited.config), expected.as_ref(), "{:?} {:?}", section, patch);
            prop_assert_eq!(edited.changes.is_empty(), edited.config == *config);
            prop_assert!(edited.changes.len() <= patch.len());
        }
        Err(findings) => {
            prop_assert!(expected.is_none(), "{:?} {:?}: {}", section, patch, findings);
            prop_assert!(!findings.0.is_empty());
            for finding in &findings.0 {
                prop_assert_eq!(finding.severity, Severity::Error);
                prop_assert!(finding.path.to_string().starts_with(section[0]), "{finding}");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn an_edit_of_a_route_is_allowed_just_when_the_document_with_it_is(
        config in config(), at: prop::sample::Index, patches in vec(patch(OF_A_ROUTE), 1..6),
    ) {
        let names: Vec<&str> = config.routes.keys().map(String::as_str).collect();
        for patch in patches {
            leads_where_the_document_leads(&config, &["routes", *at.get(&names)], &patch)?;
        }
    }

    #[test]
    fn an_edit_of_pools_or_of_a_worker_is_allowed_just_when_the_document_with_it_is(
        config in config(), at: prop::sample::Index, pools in patch(&["fast", "slow"]), worker in patch(&["max_concurrent"]),
    ) {
        leads_where_the_document_leads(&config, &["pools"], &pools)?;
        let names: Vec<&str> = config.workers.keys().map(String::as_str).collect();
        leads_where_the_document_leads(&config, &["workers", *at.get(&names)], &worker)?;
    }

    #[test]
    fn an_edit_without_keys_changes_nothing(config in config()) {
        for section in [&["pools"][..], &["server"], &["pipeline", "lanes"], &[]] {
            let edited = edit(&config, section, None, &Map::new()).unwrap();
            prop_assert_eq!(&edited.config, &config);
            prop_assert!(edited.changes.is_empty());
        }
    }
}

/// Whoever adds a setting that may change at work sees here that the program has to obey it.
#[test]
fn the_settings_that_may_change_are_those_that_the_program_obeys_at_work() {
    let (mut live, schema) = (Vec::new(), serde_json::to_value(schema()).unwrap());
    walk("", &schema, &mut live);
    let of_a_route = OF_A_ROUTE.iter().map(|key| format!("routes.*.{key}"));
    let others = ["workers.*.max_concurrent", "pools.fast", "pools.slow"].map(str::to_owned);
    let mut expected: Vec<String> = of_a_route.chain(others).collect();
    live.sort_unstable();
    expected.sort_unstable();
    assert_eq!(live, expected);
}

fn walk(path: &str, shape: &Value, live: &mut Vec<String>) {
    if shape["x-live"] == true {
        live.push(path.trim_start_matches('.').to_owned());
    }
    for (key, shape) in shape["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{key}"), shape, live);
    }
    if shape["additionalProperties"].is_object() {
        walk(&format!("{path}.*"), &shape["additionalProperties"], live);
    }
}
