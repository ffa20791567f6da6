//! The schema: complete for its readers, and each of its limits is obeyed by the check.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a fault in here shall end the test"
)]

mod support;

use expect_test::expect;
use orchestrator_config::Finding;
use serde_json::Value;
use std::collections::BTreeSet;
use support::{Field, all_fields, fields, findings, read, schema_json};

/// The one finding about a field with this value, at its place.
fn finding(field: &Field, value: &str) -> Finding {
    let text = field.document(value);
    let findings = findings(&text).0;
    let mut about = findings
        .into_iter()
        .filter(|finding| finding.path.to_string() == field.path);
    let finding = about
        .next()
        .unwrap_or_else(|| panic!("{} = {value} passes:\n{text}", field.path));
    assert_eq!(finding.place.unwrap().line, field.line(), "{text}");
    finding
}

#[test]
fn the_schema_says_what_it_is() {
    let schema = schema_json();
    let head = ["$schema", "$id", "title", "description", "type", "additionalProperties"];
    let head = head.map(|key| format!("{key}: {}", schema[key]));
    expect![[r#"
        $schema: "https://json-schema.org/draft/2020-12/schema"
        $id: "urn:orchestrator:configuration"
        title: "Configuration of orchestrator"
        description: "The whole configuration."
        type: "object"
        additionalProperties: false"#]]
    .assert_eq(&head.join("\n"));
}

#[test]
fn every_field_is_described() {
    for field in all_fields() {
        let description = field.shape["description"].as_str().unwrap_or_default();
        assert!(description.len() > 4, "{} has no description", field.path);
    }
}

#[test]
fn every_number_has_a_range() {
    for field in fields() {
        if matches!(field.kind(), "integer" | "number") {
            let (least, most) = (&field.shape["minimum"], &field.shape["maximum"]);
            assert!(least.as_f64().unwrap() < most.as_f64().unwrap(), "{}", field.path);
        }
    }
}

#[test]
fn every_keyword_is_one_that_the_check_obeys() {
    let mut keywords = BTreeSet::new();
    keywords_of(&schema_json(), &mut keywords);
    expect![
        "$id $schema additionalProperties const default description format items maxItems maxLength maximum minLength \
         minimum oneOf pattern properties required title type x-live"
    ]
    .assert_eq(&keywords.into_iter().collect::<Vec<_>>().join(" "));
}

fn keywords_of(shape: &Value, keywords: &mut BTreeSet<String>) {
    for (keyword, value) in shape.as_object().into_iter().flatten() {
        keywords.insert(keyword.clone());
        match keyword.as_str() {
            "properties" => value
                .as_object()
                .unwrap()
                .values()
                .for_each(|shape| keywords_of(shape, keywords)),
            "oneOf" => value
                .as_array()
                .unwrap()
                .iter()
                .for_each(|shape| keywords_of(shape, keywords)),
            "items" | "additionalProperties" => keywords_of(value, keywords),
            _ => {}
        }
    }
}

#[test]
fn every_default_may_stand_in_a_document() {
    for field in fields().iter().filter(|field| !field.shape["default"].is_null()) {
        let value: toml::Value = serde_json::from_value(field.shape["default"].clone()).unwrap();
        let text = field.document(&value.to_string());
        let about = read(&text).err().map(|findings| findings.to_string());
        let about = about.filter(|findings| findings.contains(&format!("field: {}", field.path)));
        assert_eq!(about, None, "{text}");
    }
}

#[test]
fn every_number_out_of_its_range_is_found() {
    for field in fields() {
        let limits = (field.shape["minimum"].as_f64(), field.shape["maximum"].as_f64());
        if let (Some(least), Some(most)) = limits {
            let (least, most) = (least as i64, most as i64);
            assert!(
                finding(&field, &format!("{}", least - 1))
                    .message
                    .ends_with("is too small")
            );
            assert!(
                finding(&field, &format!("{}", most + 1))
                    .message
                    .ends_with("is too large")
            );
            assert!(
                finding(&field, "-170141183460469231731687303715884105729")
                    .message
                    .ends_with("is too small")
            );
            let allowed = finding(&field, "0x7fffffffffffffffffffffffffffffffffff")
                .allowed
                .unwrap();
            assert!(allowed.ends_with(&format!("{least} to {most}")), "{allowed}");
        }
    }
}

#[test]
fn every_value_of_a_wrong_type_is_found() {
    let values = [
        ("string", "\"x\"", "a string"),
        ("integer", "1", "an integer"),
        ("number", "1.5", "a float"),
        ("boolean", "true", "a boolean"),
        ("date", "2026-01-01", "a date or time"),
        ("array", "[]", "an array"),
        ("object", "{}", "a table"),
    ];
    for field in fields() {
        for (kind, value, name) in values {
            if kind != field.kind() && (kind, field.kind()) != ("integer", "number") {
                let message = finding(&field, value).message;
                assert!(
                    message.starts_with(&format!("wrong type: {name} where ")),
                    "{}: {message}",
                    field.path
                );
            }
        }
    }
}

#[test]
fn every_unknown_word_is_found_and_the_nearest_named() {
    let mut words = 0;
    for field in fields() {
        for word in field.words() {
            let wrong = finding(&field, &format!("\"{word}x\""));
            assert_eq!(wrong.message, format!("unknown value `{word}x`"));
            assert_eq!(wrong.help, Some(format!("did you mean `{word}`?")));
            assert!(wrong.allowed.unwrap().contains(&format!("`{word}`")));
            words += 1;
        }
    }
    assert!(words > 12);
}

#[test]
fn every_misspelled_key_is_found_and_the_right_one_named() {
    for mut field in fields() {
        let right = field.key.clone();
        for wrong in [format!("{right}x"), right.to_uppercase() + "_", format!("-{right}")] {
            field.key = wrong;
            field.path = field
                .path
                .rsplit_once('.')
                .map_or(String::new(), |(table, _)| format!("{table}."))
                + &field.key;
            let finding = finding(&field, "1");
            assert_eq!(finding.message, format!("unknown key `{}`", field.key));
            assert_eq!(finding.help, Some(format!("did you mean `{right}`?")), "{}", field.path);
        }
    }
}

#[test]
fn every_text_that_is_too_long_or_has_another_form_is_found() {
    for field in fields() {
        if let Some(most) = field.shape["maxLength"].as_u64() {
            let text = format!("'{}'", "ä".repeat(most as usize + 1));
            let message = finding(&field, &text).message;
            assert_eq!(message, format!("a text of {} characters is too long", most + 1));
        }
        if field.shape["pattern"].is_string() {
            assert!(
                finding(&field, "'No Such Form!'")
                    .message
                    .ends_with("is not in this form")
            );
        }
        if let Some(most) = field.shape["maxItems"].as_u64() {
            let many = format!("[{}]", "'x',".repeat(most as usize + 1));
            assert_eq!(
                finding(&field, &many).message,
                format!("{} items are too many", most + 1)
            );
        }
    }
}
