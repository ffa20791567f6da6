use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn spelt(value: &str) -> Result<Vec<u8>, Unreadable> {
    let mut out = Vec::new();
    Speller::default().write(value.as_bytes(), &mut out).map(|()| out)
}

fn same(a: &str, b: &str) -> bool {
    spelt(a).unwrap() == spelt(b).unwrap()
}

#[test]
fn blanks_escapes_and_the_order_of_keys_make_no_difference() {
    assert!(same(
        r#"{"a":1,"b":[true,null]}"#,
        " { \"b\" : [ true , null ] ,\n\t\"a\": 1 } "
    ));
    assert!(same(r#""a\u0062\/é""#, "\"ab/é\""));
    assert!(same(r#"{"a\u0062":1}"#, r#"{"ab":1}"#));
}

#[test]
fn everything_else_does() {
    let values = [
        "1",
        "1.0",
        "1e0",
        "-0",
        "0",
        "\"1\"",
        "true",
        "\"true\"",
        "null",
        "[]",
        "{}",
        "[[]]",
        "[1,2]",
        "[2,1]",
        "[\"1,2\"]",
        "{\"a\":1}",
        "{\"a\":\"1\"}",
        "{\"b\":1}",
        "[\"a\",\"b\"]",
        "[\"ab\"]",
        "\"\"",
        "{\"\":\"\"}",
        "12345678901234567890123",
        "12345678901234567890124",
        "{\"a\":1,\"a\":2}",
        "{\"a\":2,\"a\":1}",
    ];
    for (at, one) in values.iter().enumerate() {
        for other in &values[at + 1..] {
            assert!(!same(one, other), "{one} and {other}");
        }
    }
}

/// How long a spelt text says that it is, and the text.
fn read_text(spelt: &[u8]) -> (usize, &[u8]) {
    let len_end = 2 + spelt[1..].iter().position(|byte| *byte < 0x80).unwrap();
    let bits = spelt[1..len_end].iter().rev();
    let len = bits.fold(0, |len, byte| len << 7 | usize::from(byte & 0x7f));
    (len, &spelt[len_end..])
}

#[test]
fn a_text_carries_its_length_however_long_it_is() {
    for len in [0, 1, 127, 128, 129, 255, 16_383, 16_384, 70_000] {
        let text: String = "\"x".chars().cycle().take(len).collect();
        let spelt = spelt(&json!(text).to_string()).unwrap();
        assert_eq!((spelt[0], read_text(&spelt)), (b'"', (len, text.as_bytes())));
    }
    // What looks like the end of a text and the begin of the next is a part of it.
    assert!(!same(r#"["a\"\u0001b"]"#, r#"["a","b"]"#));
}

#[test]
fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(spelt(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(spelt(&nested(MAX_DEPTH + 2)), Err(Unreadable));
    assert_eq!(spelt(&nested(1_000_000)), Err(Unreadable));
}

#[test]
fn a_text_is_copied_once_however_deep_it_stands() {
    let text = "x".repeat(100_000);
    let nested = |depth: usize| {
        let (open, close) = (r#"{"b":1,"a":"#.repeat(depth), "}".repeat(depth));
        format!(r#"{open}"{text}"{close}"#)
    };
    let spent = |depth: usize| {
        let (mut speller, mut out) = (Speller::default(), Vec::new());
        speller.write(nested(depth).as_bytes(), &mut out).unwrap();
        assert!(out.len() < 2 * text.len() && speller.spelt.len() == out.len());
        (speller.objects.len(), speller.entries.len())
    };
    assert_eq!(spent(1), (1, 2));
    assert_eq!(spent(100), (100, 200), "a few words an object, and no more of its text");
}

#[test]
fn only_objects_out_of_order_are_noted_and_nothing_is_left_of_the_value_before() {
    let mut speller = Speller::default();
    let mut spell = |value: &str| {
        let mut out = Vec::new();
        speller.write(value.as_bytes(), &mut out).unwrap();
        (out, speller.objects.len(), speller.spelt.capacity())
    };
    let (ordered, noted, _) = spell(r#"[{"a":1,"b":{"c":2,"d":3}},{},{"z":0}]"#);
    assert_eq!(noted, 0);
    let (shuffled, noted, _) = spell(r#"[{"b":{"d":3,"c":2},"a":1},{},{"z":0}]"#);
    assert_eq!((shuffled, noted), (ordered.clone(), 2));
    assert_eq!(spell(r#"[{"a":1,"b":{"d":3,"c":2}},{},{"z":0}]"#).0, ordered);
    let (_, noted, large) = spell(&format!(r#""{}""#, "x".repeat(9_000)));
    assert!(noted == 0 && large > 9_000);
    speller.shrink_to(1_000);
    assert!(speller.spelt.capacity() <= 1_000);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The same value with its keys in the opposite order.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .rev()
                .map(|(key, value)| (key.clone(), reversed(value)))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => items.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Against serde_json as the model: spelt alike exactly when equal.
    #[test]
    fn values_are_spelt_alike_exactly_when_they_are_equal(one in value(), other in value()) {
        let pretty = serde_json::to_string_pretty(&reversed(&one)).unwrap();
        prop_assert!(same(&one.to_string(), &pretty));
        prop_assert_eq!(one == other, same(&one.to_string(), &other.to_string()));
    }

    #[test]
    fn no_text_brings_it_down(text in ".{0,60}", json in "[\\[\\]{}\",:\\\\ 0-9a-z]{0,60}") {
        let _refused_or_not = (spelt(&text), spelt(&json));
    }
}

#[test]
fn a_whole_value_is_read_or_none() {
    for broken in [
        "", "[", "[1", "{\"a\"}", "{\"a\":}", "[1,,2]x", "\"open", "1 2", "{\"a\":1",
    ] {
        assert_eq!(spelt(broken), Err(Unreadable), "{broken}");
    }
    assert!(spelt(&json!({"a": [1, {"b": "c"}]}).to_string()).is_ok());
}
