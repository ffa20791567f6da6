use super::super::tests::logged;
use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn level(level: &str) -> Config {
    Config {
        level: level.to_owned(),
        ..Config::default()
    }
}

/// Which of our events and of a library's pass.
fn passed(config: &Config) -> String {
    let text = logged(config, |_| {
        tracing::error!(target: "orchestrator_core", "our error");
        tracing::info!(target: "orchestrator_core", "our info");
        tracing::debug!(target: "orchestrator_dedup", "our debug");
        tracing::trace!(target: "orchestrator_core", "our trace");
        tracing::error!(target: "hyper", "their error");
        tracing::warn!(target: "hyper", "their warning");
        tracing::info!(target: "hyper", "their info");
    });
    let messages = text.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["message"].as_str().unwrap().to_owned()
    });
    messages.collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&passed(&level(text)));
}

#[track_caller]
fn check_refused(text: &str, expected: Expect) {
    let error = level(text).filter().expect_err("it should be refused");
    assert!(matches!(error, Error::Level { .. }));
    expected.assert_eq(&error.to_string());
}

#[test]
fn a_level_is_ours_and_libraries_say_at_most_warnings() {
    check("off", expect![""]);
    check("error", expect!["our error, their error"]);
    check("warn", expect!["our error, their error, their warning"]);
    check("info", expect!["our error, our info, their error, their warning"]);
    check(
        "debug",
        expect!["our error, our info, our debug, their error, their warning"],
    );
    check(
        " trace ",
        expect!["our error, our info, our debug, our trace, their error, their warning"],
    );
}

#[test]
fn directives_choose_by_target() {
    check(
        "warn,orchestrator_dedup=debug",
        expect!["our error, our debug, their error, their warning"],
    );
    check("off,hyper=info", expect!["their error, their warning, their info"]);
}

#[test]
fn a_word_that_is_no_level_is_refused() {
    check_refused(
        "inof",
        expect![
            "telemetry.level: `inof` is neither error, warn, info, debug, trace or off nor a list like `info,orchestrator_dedup=debug`: `inof` is no level"
        ],
    );
    check_refused(
        "info, hyper",
        expect![
            "telemetry.level: `info, hyper` is neither error, warn, info, debug, trace or off nor a list like `info,orchestrator_dedup=debug`: `hyper` is no level"
        ],
    );
    check_refused(
        "",
        expect![
            "telemetry.level: `` is neither error, warn, info, debug, trace or off nor a list like `info,orchestrator_dedup=debug`: `` is no level"
        ],
    );
    check_refused(
        "hyper=loud",
        expect![[
            r#"telemetry.level: `hyper=loud` is neither error, warn, info, debug, trace or off nor a list like `info,orchestrator_dedup=debug`: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5"#
        ]],
    );
}

#[test]
fn the_shape_is_for_people_where_a_terminal_reads() {
    let style = |format, is_terminal| {
        Config {
            format,
            ..Config::default()
        }
        .style(is_terminal)
    };
    assert_eq!(style(Format::Auto, false), Style::Json);
    assert_eq!(style(Format::Json, true), Style::Json);
    assert_eq!(style(Format::Pretty, false), Style::Pretty { is_coloured: false });
    assert!(matches!(style(Format::Auto, true), Style::Pretty { .. }));
    assert_eq!(style(Format::Auto, true), style(Format::Pretty, true));
}

#[test]
fn the_defaults_stand_in_the_document() {
    let config: Config = serde_json::from_str("{}").unwrap();
    assert_eq!(config, Config::default());
    expect![[r#"{"level":"info","format":"auto","access_log":true,"buffer_bytes":1048576}"#]]
        .assert_eq(&serde_json::to_string(&config).unwrap());
    assert!(serde_json::from_str::<Config>(r#"{"levle":"info"}"#).is_err());
    assert!(serde_json::from_str::<Config>(r#"{"format":"xml"}"#).is_err());
}

#[test]
fn each_field_is_described() {
    let schema = schemars::schema_for!(Config).to_value();
    let fields = schema["properties"].as_object().unwrap();
    assert_eq!(fields.len(), 4);
    assert!(
        fields.values().all(|field| field["description"].is_string()),
        "{schema}"
    );
}

fn directive() -> impl Strategy<Value = String> {
    let word = prop::sample::select(&LEVELS[..]);
    let target = prop::sample::select(&["hyper", "orchestrator_core", "orchestrator_dedup"][..]);
    prop_oneof![
        word.clone().prop_map(str::to_owned),
        (target, word).prop_map(|(target, word)| format!("{target}={word}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A quieter level passes a part of what a louder one passes.
    #[test]
    fn a_louder_level_loses_nothing(quiet in 0..LEVELS.len(), loud in 0..LEVELS.len()) {
        prop_assume!(quiet <= loud);
        let louder = passed(&level(LEVELS[loud]));
        let louder: Vec<&str> = louder.split(", ").collect();
        let quieter = passed(&level(LEVELS[quiet]));
        prop_assert!(quieter.split(", ").all(|message| message.is_empty() || louder.contains(&message)));
    }

    /// Any list of directives is taken; a word in it that is no level is told.
    #[test]
    fn a_list_is_taken_and_a_typo_in_it_told(mut list in prop::collection::vec(directive(), 1..5), at in 0..5_usize) {
        prop_assert!(level(&list.join(",")).filter().is_ok());
        list.insert(at.min(list.len()), "deubg".to_owned());
        let text = list.join(", ");
        match level(&text).filter() {
            Err(Error::Level { found, reason }) => prop_assert_eq!((found, reason), (text, "`deubg` is no level".to_owned())),
            other => prop_assert!(false, "{:?}", other.map(|_| ())),
        }
    }
}

#[test]
fn a_level_can_be_checked_before_logs_are_started() {
    assert!(level("info,hyper=debug").check().is_ok());
    assert!(matches!(level("loud").check(), Err(Error::Level { found, .. }) if found == "loud"));
}
