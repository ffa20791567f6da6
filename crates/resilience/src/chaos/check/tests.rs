use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what is read matters, not what it says")]
struct Sheet {
    #[schemars(range(min = 1, max = 9))]
    count: u64,
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    share: f64,
    #[serde(default)]
    is_on: bool,
    #[serde(default)]
    name: String,
    #[serde(default)]
    free: u64,
    #[serde(default)]
    parts: BTreeMap<String, Part>,
}

#[derive(Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Part {
    #[schemars(range(min = 0, max = 3))]
    weight: u16,
}

fn said(value: &Value) -> Vec<String> {
    check(value, &schema::<Sheet>())
}

#[test]
fn what_fits_is_passed_in_silence() {
    for value in [
        json!({"count": 1}),
        json!({"count": 9, "share": 1, "is_on": true, "name": "x", "free": u64::MAX}),
        json!({"count": 5, "share": 0.0, "parts": {"any name": {"weight": 3}, "*": {}}}),
    ] {
        assert_eq!(said(&value), Vec::<String>::new(), "{value}");
    }
}

#[test]
fn what_does_not_is_named_with_what_would() {
    let table = [
        (json!({"count": 0}), "`count` is 0; it takes whole numbers from 1 to 9."),
        (
            json!({"count": 1.5}),
            "`count` is 1.5; it takes whole numbers from 1 to 9.",
        ),
        (
            json!({"count": -1}),
            "`count` is -1; it takes whole numbers from 1 to 9.",
        ),
        (json!({}), "`count` is missing; it takes whole numbers from 1 to 9."),
        (
            json!({"count": 1, "share": 1.01}),
            "`share` is 1.01; it takes numbers from 0 to 1.",
        ),
        (
            json!({"count": 1, "share": "half"}),
            r#"`share` is "half"; it takes numbers from 0 to 1."#,
        ),
        (json!({"count": 1, "is_on": 1}), "`is_on` is 1; it takes true or false."),
        (json!({"count": 1, "name": 1}), "`name` is 1; it takes a text."),
        (json!({"count": 1, "parts": []}), "`parts` is []; it takes an object."),
        (
            json!({"count": 1, "cuont": 1}),
            "`cuont` is unknown; did you mean `count`?",
        ),
        (json!({"count": 1, "zebra": 1}), "`zebra` is unknown."),
        (
            json!({"count": 1, "parts": {"a": {"wieght": 1}}}),
            "`parts.a.wieght` is unknown; did you mean `weight`?",
        ),
        (
            json!({"count": 1, "parts": {"a": {"weight": 4}}}),
            "`parts.a.weight` is 4; it takes whole numbers from 0 to 3.",
        ),
        (json!([]), "The body is []; it takes an object."),
        (json!("x"), r#"The body is "x"; it takes an object."#),
    ];
    for (value, finding) in table {
        assert_eq!(said(&value), [finding], "{value}");
    }
}

#[test]
fn all_is_told_at_once_but_never_without_end() {
    let value = json!({"share": 2, "is_on": "yes", "x": 1});
    assert_eq!(said(&value).len(), 4, "{:?}", said(&value));
    let strangers: Map<String, Value> = (0..100).map(|nth| (format!("{nth:0>200}"), json!(nth))).collect();
    let said = said(&Value::Object(strangers));
    assert_eq!(said.len(), MOST_FINDINGS);
    assert!(said.iter().all(|finding| finding.len() < 200), "{said:?}");
}

/// Any JSON, not too deep.
fn json_values() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec!["count", "share", "is_on", "name", "free", "parts", "weight", "x"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..12_i64).prop_map(Value::from),
        (-0.5..1.5_f64).prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        let fields = prop::collection::btree_map(names.clone(), inner.clone(), 0..6);
        let object = fields.prop_map(|fields| {
            fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()
        });
        prop_oneof![
            object.prop_map(Value::Object),
            prop::collection::vec(inner, 0..3).prop_map(Value::Array)
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The type reads whatever the check lets pass.
    #[test]
    fn what_is_passed_can_be_read(value in json_values()) {
        if said(&value).is_empty() {
            let read: Result<Sheet, _> = serde_json::from_value(value.clone());
            prop_assert!(read.is_ok(), "{}: {:?}", value, read.err());
        }
    }
}
