//! Properties: valid documents survive, and no text whatever makes the program fall.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a fault in here shall end the test"
)]

mod support;

use orchestrator_config::{Environment, Findings, Severity, effective, explain, load, parse};
use proptest::prelude::*;
use std::path::Path;
use support::{documents::document, findings, read};

fn example() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipeline.example.toml");
    std::fs::read_to_string(file).unwrap()
}

/// Findings are ordered, stand in the text, and can be shown in every form.
fn are_sound(text: &str, findings: &Findings) {
    let lines = text.split('\n').count();
    let places: Vec<_> = findings.0.iter().filter_map(|finding| finding.place).collect();
    assert!(
        places.is_sorted_by_key(|place| (place.line, place.column)),
        "{findings}"
    );
    assert!(places.iter().all(|place| place.line <= lines), "{findings}");
    assert!(
        findings.0.iter().any(|finding| finding.severity == Severity::Error),
        "{findings}"
    );
    assert!(!findings.to_string().is_empty());
    serde_json::to_string(&findings.0).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_valid_configuration_survives_a_round_trip(document in document()) {
        let text = toml::to_string(&document).unwrap();
        let loaded = read(&text);
        prop_assert!(loaded.is_ok(), "{}\n{text}", loaded.unwrap_err());
        let config = loaded.unwrap().config;
        let again = toml::to_string(&config).unwrap();
        prop_assert_eq!(&read(&again).unwrap().config, &config, "{}", again);
    }

    #[test]
    fn any_valid_configuration_is_explained_without_its_secrets(document in document()) {
        let config = read(&toml::to_string(&document).unwrap()).unwrap().config;
        let (words, data) = (explain(&config), effective(&config).to_string());
        prop_assert!(words.contains("\nshutdown\n  After SIGTERM"), "{words}");
        for secret in ["sk-plain", "${OPENAI_API_KEY:-none}", "${TOKEN:-default}"] {
            prop_assert!(!words.contains(secret) && !data.contains(secret), "{words}\n{data}");
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        if let Err(findings) = read(&text) {
            are_sound(&text, &findings);
        }
    }

    #[test]
    fn a_damaged_example_is_read_or_refused(at in 0_usize..8_000, cut in 0_usize..40, more in "[\\PC\n\"\\[\\]={}#.$]{0,8}") {
        let mut damaged: Vec<char> = example().chars().collect();
        let at = at.min(damaged.len());
        let end = (at + cut).min(damaged.len());
        damaged.splice(at..end, more.chars());
        let damaged: String = damaged.into_iter().collect();
        if let Err(findings) = read(&damaged) {
            are_sound(&damaged, &findings);
        }
    }

    #[test]
    fn any_variable_is_obeyed_or_refused_by_its_name(path in "[A-Za-z_]{0,30}", value in any::<String>()) {
        let name = format!("ORCHESTRATOR__{path}");
        let environment: Environment = [(name.clone(), value)].into_iter().collect();
        if let Err(findings) = parse(Path::new("p.toml"), "", &environment) {
            let is_named = findings.0.iter().all(|finding| finding.variable.as_ref() == Some(&name));
            prop_assert!(is_named, "{findings}");
        }
    }

    #[test]
    fn a_file_of_any_bytes_is_read_or_refused(bytes in any::<Vec<u8>>()) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        if let Err(findings) = load(file.path(), &Environment::default()) {
            prop_assert!(findings.0.iter().all(|finding| finding.file.is_some()));
        }
    }

    #[test]
    fn findings_come_in_the_order_of_the_document(wrong in proptest::sample::subsequence(WRONG.to_vec(), 2..=WRONG.len())) {
        let text: String = wrong.iter().map(|(_, lines)| *lines).collect();
        let findings = findings(&text);
        let paths: Vec<String> = findings.0.iter().map(|finding| finding.path.to_string()).collect();
        let expected: Vec<&str> = wrong.iter().map(|(path, _)| *path).collect();
        prop_assert_eq!(paths, expected);
        are_sound(&text, &findings);
    }
}

/// Tables with one fault each, and where it is.
const WRONG: [(&str, &str); 6] = [
    ("pipeline.nmae", "[pipeline]\nnmae = 1\n"),
    ("server.threads", "[server]\nthreads = 0\n"),
    ("telemetry.format", "[telemetry]\nformat = \"xml\"\n"),
    ("workers.a.provider", "[workers.a]\n"),
    ("shutdown.grace_ms", "[shutdown]\ngrace_ms = true\n"),
    ("pipeline.lanes.weights.low", "[pipeline.lanes.weights]\nlow = -1\n"),
];
