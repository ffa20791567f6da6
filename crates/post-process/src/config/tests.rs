use super::*;
use expect_test::expect;

#[test]
fn by_default_nothing_is_filtered() {
    let config: Config = serde_json::from_str("{}").unwrap();
    assert_eq!(config, Config::default());
    expect![[r#"{"enabled":true,"width":64,"capacity":64,"stop":[],"redact":[],"trim":"none"}"#]]
        .assert_eq(&serde_json::to_string(&config).unwrap());
}

#[test]
fn a_redaction_needs_a_name_and_a_pattern() {
    let redaction = |text: &str| serde_json::from_str::<Redaction>(text).map_err(|error| error.to_string());
    let full = redaction(r#"{"name":"card","pattern":"[0-9]{16}"}"#).unwrap();
    assert_eq!((full.replacement.as_str(), full.max_match_bytes), ("[redacted]", 256));
    assert!(
        redaction(r#"{"name":"card"}"#)
            .unwrap_err()
            .starts_with("missing field `pattern`")
    );
    assert!(
        redaction(r#"{"pattern":"a"}"#)
            .unwrap_err()
            .starts_with("missing field `name`")
    );
    assert!(
        redaction(r#"{"name":"a","pattern":"a","max":1}"#)
            .unwrap_err()
            .starts_with("unknown field `max`")
    );
}

#[test]
fn trim_is_one_of_four_words() {
    for (word, trim) in [
        ("none", Trim::None),
        ("start", Trim::Start),
        ("end", Trim::End),
        ("both", Trim::Both),
    ] {
        let read: Config = serde_json::from_str(&format!(r#"{{"trim":"{word}"}}"#)).unwrap();
        assert_eq!(read.trim, trim);
    }
    assert!(serde_json::from_str::<Config>(r#"{"trim":"left"}"#).is_err());
}

#[test]
fn each_field_is_described_and_each_number_and_text_is_bounded() {
    let schema = schemars::schema_for!(Config).to_value();
    let redaction = &schema["$defs"]["Redaction"]["properties"];
    let fields = schema["properties"]
        .as_object()
        .unwrap()
        .iter()
        .chain(redaction.as_object().unwrap());
    for (name, field) in fields {
        assert!(
            field["description"].is_string() || field["$ref"].is_string(),
            "{name}: {field}"
        );
        if field["type"] == "integer" {
            assert!(
                field["minimum"].is_number() && field["maximum"].is_number(),
                "{name}: {field}"
            );
        }
    }
    assert_eq!(schema["properties"]["stop"]["items"]["minLength"], 1);
    assert_eq!(schema["properties"]["stop"]["maxItems"], 64);
    assert_eq!(redaction["name"]["pattern"], "^[a-z0-9_-]{1,64}$");
}
