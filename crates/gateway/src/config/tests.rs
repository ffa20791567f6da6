use super::*;
use schemars::schema_for;
use serde_json::{Value, json};

#[test]
fn what_a_document_leaves_out_is_as_the_interface_says() {
    let config: Config = serde_json::from_value(json!({})).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.admin_listen, "127.0.0.1:8081".parse().unwrap());
    assert_eq!(
        (config.max_in_flight, config.max_connections, config.max_body_bytes),
        (10_000, 20_000, 33_554_432)
    );
    assert_eq!(
        (
            config.max_header_bytes,
            config.header_timeout_ms,
            config.request_timeout_ms
        ),
        (65_536, 10_000, 600_000)
    );
    assert_eq!(
        (config.slow_consumer_s, config.resume_window_ms, config.threads),
        (30, 5_000, None)
    );
}

#[test]
fn a_configuration_survives_a_round_trip() {
    let changed = Config {
        listen: "[::1]:0".parse().unwrap(),
        threads: Some(3),
        keepalive_ms: 7,
        allowed_origins: vec!["https://chat.example".to_owned()],
        ..Config::default()
    };
    for config in [Config::default(), changed] {
        let written = serde_json::to_value(&config).unwrap();
        assert_eq!(serde_json::from_value::<Config>(written).unwrap(), config);
    }
}

#[test]
fn keys_that_nobody_reads_are_refused() {
    let error = serde_json::from_value::<Config>(json!({ "lisen": "127.0.0.1:1" })).unwrap_err();
    assert!(error.to_string().contains("lisen"), "{error}");
}

/// The schema's entry of each field.
fn fields() -> Vec<(String, Value)> {
    let schema = serde_json::to_value(schema_for!(Config)).unwrap();
    schema["properties"].as_object().unwrap().clone().into_iter().collect()
}

#[test]
fn each_field_is_described_and_each_number_has_a_range_that_holds_its_default() {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    for (name, field) in fields() {
        assert!(
            field["description"].as_str().is_some_and(|text| text.ends_with('.')),
            "{name}: {field}"
        );
        let Some(default) = defaults[&name].as_u64() else {
            continue;
        };
        let (min, max) = (field["minimum"].as_u64(), field["maximum"].as_u64());
        assert!(min.is_some_and(|min| min <= default), "{name}: {field}");
        assert!(max.is_some_and(|max| default <= max), "{name}: {field}");
    }
}

#[test]
fn times_have_the_unit_that_their_name_says() {
    let config = Config {
        request_timeout_ms: 1_500,
        keepalive_ms: 20,
        slow_consumer_s: 2,
        ..Config::default()
    };
    let times = [config.request_timeout(), config.keepalive(), config.slow_consumer()];
    assert_eq!(times.map(|time| time.as_millis()), [1_500, 20, 2_000]);
}
