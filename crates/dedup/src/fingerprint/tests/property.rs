//! Any request at all: what may be spelt otherwise, and what may not.

use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

type Fields = Vec<(String, Value)>;

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1000_i64..1000).prop_map(Value::from),
        any::<f32>().prop_map(|number| json!(number)),
        "[a-c\"\\\\é\n ]{0,6}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]{0,2}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// Top-level fields of a request, beside its model and its messages.
fn fields() -> impl Strategy<Value = Fields> {
    let known = [
        "temperature",
        "seed",
        "stop",
        "tools",
        "user",
        "response_format",
        "logit_bias",
    ];
    let name = prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), "x_[a-d]"];
    let value = value().prop_map(|value| match value {
        Value::Number(_) | Value::Null => value,
        other => json!([other]),
    });
    prop::collection::btree_map(name, value, 0..6).prop_map(|map| {
        let mut fields: Fields = map.into_iter().filter(|(name, _)| name != "temperature").collect();
        fields.push(("messages".into(), json!([{"role": "user", "content": "hi"}])));
        fields.push(("model".into(), json!("m")));
        fields
    })
}

fn body(fields: &[(String, Value)], pretty: bool) -> String {
    let entries = fields.iter().map(|(name, value)| {
        let value = match pretty {
            true => serde_json::to_string_pretty(value),
            false => serde_json::to_string(value),
        };
        format!("{}:{}", json!(name), value.unwrap())
    });
    let entries: Vec<String> = entries.collect();
    format!("{{{}}}", entries.join(if pretty { " ,\n\t" } else { "," }))
}

fn of_fields(fields: &[(String, Value)]) -> Fingerprint {
    of(&body(fields, false))
}

/// The same value, its objects' keys in the order that `seed` gives them.
fn stirred(value: &Value, seed: usize) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| stirred(item, seed)).collect(),
        Value::Object(map) => {
            let mut entries: Vec<_> = map
                .iter()
                .map(|(key, value)| (key.clone(), stirred(value, seed)))
                .collect();
            let by = seed % entries.len().max(1);
            entries.rotate_left(by);
            entries.into_iter().collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn order_blanks_and_delivery_make_no_difference(fields in fields(), seed in any::<usize>(), stream in any::<bool>()) {
        let mut other: Fields = fields.iter().map(|(name, value)| (name.clone(), stirred(value, seed))).collect();
        other.push(("stream".into(), json!(stream)));
        other.push(("stream_options".into(), json!({"include_usage": stream})));
        let by = seed % other.len();
        other.rotate_left(by);
        prop_assert_eq!(of_fields(&fields), of(&body(&other, true)));
    }

    #[test]
    fn one_field_more_less_or_other_makes_a_stranger(fields in fields(), at in any::<prop::sample::Index>(), new in value()) {
        let original = of_fields(&fields);
        let at = at.index(fields.len());
        let mut more = fields.clone();
        more.push(("x_new".into(), new.clone()));
        prop_assert_ne!(original, of_fields(&more));
        if at < fields.len() - 2 {
            let mut less = fields.clone();
            less.remove(at);
            prop_assert_ne!(original, of_fields(&less));
            let mut other = fields.clone();
            other[at].1 = json!([new]);
            prop_assert_eq!(other == fields, original == of_fields(&other));
        }
    }

    /// The buffer in which requests are spelt out is used again: nothing of one request shows in the next.
    #[test]
    fn no_request_colours_the_next(requests in prop::collection::vec(fields(), 1..8)) {
        let alone = |fields: &Fields| {
            let fields = fields.clone();
            std::thread::spawn(move || of_fields(&fields)).join().unwrap()
        };
        let nested = chat(format!(r#"{{"messages":[{{"role":"user","content":"x"}}],"deep":{}1{}}}"#, "[".repeat(200), "]".repeat(200)));
        for fields in &requests {
            prop_assert!(fingerprint(&nested, false).is_err());
            prop_assert_eq!(of_fields(fields), alone(fields));
        }
    }
}
