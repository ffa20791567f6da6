use super::*;
use expect_test::expect;

#[test]
fn a_job_lasts_as_long_as_its_call_so_the_stage_is_wide() {
    let config: Config = serde_json::from_str("{}").unwrap();
    assert_eq!(config, Config::default());
    expect![[r#"{"width":16384,"capacity":64}"#]].assert_eq(&serde_json::to_string(&config).unwrap());
}

#[test]
fn a_field_that_nothing_reads_is_refused() {
    let error = serde_json::from_str::<Config>(r#"{"widht":1}"#).unwrap_err();
    expect!["unknown field `widht`, expected `width` or `capacity` at line 1 column 8"].assert_eq(&error.to_string());
}

#[test]
fn each_field_is_described_and_bounded() {
    let schema = schemars::schema_for!(Config).to_value();
    for field in ["width", "capacity"] {
        let field = &schema["properties"][field];
        assert_eq!((&field["minimum"], &field["maximum"]), (&1.into(), &1_000_000.into()));
        assert!(field["description"].is_string());
    }
}
