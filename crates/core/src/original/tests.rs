use super::*;
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value};

/// An object of these fields, each value with its text and the white space around it.
fn original(fields: &[(&str, &str)]) -> Original {
    let mut body = String::from("{");
    let mut places = Vec::new();
    for (name, value) in fields {
        if body.len() > 1 {
            body.push_str(" ,\n");
        }
        body.push_str(&format!(" {} : ", Value::from(*name)));
        let start = body.len();
        body.push_str(value);
        places.push(Field {
            name: (*name).into(),
            value: start..body.len(),
        });
    }
    body.push_str(" }");
    Original {
        dialect: Dialect::Chat,
        body: body.into(),
        fields: places,
    }
}

fn patched(original: &Original, patches: &[(&str, Option<&[u8]>)]) -> String {
    String::from_utf8(original.patched(patches).to_vec()).unwrap()
}

#[test]
fn without_patches_not_a_byte_changes() {
    let original = original(&[("a", "1.10"), ("b", "[ 1 ]")]);
    assert_eq!(original.patched(&[]), original.body);
}

#[test]
fn a_patched_field_stays_in_its_place_and_the_others_keep_their_spelling() {
    let original = original(&[("model", "\"m\""), ("seed", "1e2"), ("x", "{ \"model\" : 1.0 }")]);
    assert_eq!(
        patched(&original, &[("model", Some(b"\"n\""))]),
        r#"{"model":"n","seed":1e2,"x":{ "model" : 1.0 }}"#
    );
    assert_eq!(
        patched(&original, &[("seed", None)]),
        r#"{"model":"m","x":{ "model" : 1.0 }}"#
    );
}

#[test]
fn a_new_field_comes_last_and_one_that_is_to_go_need_not_be_there() {
    let one = original(&[("a", "1")]);
    assert_eq!(patched(&one, &[("b", Some(b"2")), ("c", None)]), r#"{"a":1,"b":2}"#);
    let none = original(&[]);
    assert_eq!(patched(&none, &[("b", Some(b"2"))]), r#"{"b":2}"#);
    assert_eq!(patched(&none, &[("b", None)]), "{}");
}

#[test]
fn names_are_written_so_that_they_read_the_same() {
    let name = "a\"\\\n\u{1}\u{7f}ü😀";
    let original = original(&[(name, "1")]);
    let read: Value = serde_json::from_str(&patched(&original, &[("b", Some(b"2"))])).unwrap();
    assert_eq!(read[name], 1);
}

#[test]
fn a_field_is_found_by_its_name() {
    let original = original(&[("a", "1.0"), ("b", "\"x\"")]);
    assert_eq!(original.field("b"), Some("\"x\""));
    assert_eq!(original.field("c"), None);
}

#[test]
fn a_place_outside_the_body_is_no_field_and_no_panic() {
    let mut broken = original(&[("a", "1")]);
    broken.fields[0].value = 900..901;
    assert_eq!(broken.field("a"), None);
    assert_eq!(patched(&broken, &[("b", Some(b"2"))]), r#"{"b":2}"#);
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        "\\PC{0,8}".prop_map(|text| Value::from(text).to_string()),
        Just("[1, {\"a\": null}]".to_owned()),
        Just("true".to_owned()),
    ]
}

proptest! {
    /// Read as JSON, a patched body is the original with the patches applied to it.
    #[test]
    fn patches_do_to_the_text_what_they_say(
        fields in vec(("[a-f\"\\\\ü]{1,3}", value()), 0..6),
        patches in vec(("[a-f\"\\\\ü]{1,3}", proptest::option::of(value())), 0..4),
    ) {
        let mut names = std::collections::BTreeSet::new();
        let fields: Vec<_> = fields.iter().filter(|(name, _)| names.insert(name)).map(|(name, value)| (&**name, &**value)).collect();
        let mut names = std::collections::BTreeSet::new();
        let patches: Vec<_> = patches.iter().filter(|(name, _)| names.insert(name)).map(|(name, value)| (&**name, value.as_deref().map(str::as_bytes))).collect();
        let original = original(&fields);
        let mut expected: Map<String, Value> = serde_json::from_slice(&original.body).unwrap();
        for (name, value) in &patches {
            match value {
                Some(value) => drop(expected.insert((*name).to_owned(), serde_json::from_slice(value).unwrap())),
                None => drop(expected.remove(*name)),
            }
        }
        let read: Map<String, Value> = serde_json::from_slice(&original.patched(&patches)).unwrap();
        prop_assert_eq!(read, expected);
    }
}
