//! Invalid documents and what is said about each: `tests/invalid/NAME.toml` beside `NAME.txt`. Each text must say where,
//! what, and how to mend it. `UPDATE_EXPECT=1 cargo test` writes the texts anew.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a fault in here shall end the test"
)]

use expect_test::expect_file;
use orchestrator_config::{Environment, Findings, parse};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each invalid document: its name, where it lies, its text.
fn documents() -> Vec<(String, PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut documents: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
        .map(|file| {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&file).unwrap();
            (name, file, text)
        })
        .collect();
    documents.sort();
    documents
}

fn findings(text: &str) -> Findings {
    let environment = Environment::default();
    parse(Path::new("pipeline.toml"), text, &environment).unwrap_err()
}

#[test]
fn every_invalid_document_is_told_where_what_and_how_to_mend_it() {
    let documents = documents();
    assert!(documents.len() >= 30);
    for (_, file, text) in documents {
        expect_file![file.with_extension("txt")].assert_eq(&format!("{}\n", findings(&text)));
    }
}

#[test]
fn every_finding_has_a_place_in_the_document_and_a_way_to_mend_it() {
    for (name, _, text) in documents() {
        for finding in findings(&text).0 {
            assert!(finding.allowed.is_some() || finding.help.is_some(), "{name}: {finding}");
            // A document whose keys are nested too deep is not looked into.
            let Some(place) = finding.place else {
                assert_eq!(name, "too_deep_keys");
                continue;
            };
            let line = text.split('\n').nth(place.line - 1).unwrap();
            assert!(place.column <= line.chars().count() + 1, "{name}: {finding}");
            let shown = finding.source.unwrap();
            assert_eq!(shown.chars().count(), line.chars().count(), "{name}");
            let is_shown = shown
                .chars()
                .zip(line.chars())
                .all(|(shown, there)| shown == there || shown == '*');
            assert!(is_shown, "{name}: {shown}");
        }
    }
}

#[test]
fn no_secret_is_shown_in_any_form() {
    for (name, _, text) in documents() {
        let findings = findings(&text);
        let mut shown = findings.to_string() + &format!("{findings:?}") + &serde_json::to_string(&findings.0).unwrap();
        for finding in &findings.0 {
            shown.push_str(&finding.coloured());
        }
        for secret in ["verysecret", "hunter2", "1234567890", "sk-proj"] {
            assert!(!shown.contains(secret), "{name} shows {secret}:\n{shown}");
        }
    }
}

#[test]
fn each_document_is_wrong_in_what_its_name_says_and_in_nothing_else() {
    for (name, _, text) in documents() {
        let expected = match name.as_str() {
            "several_at_once" => 7,
            "broken_array" | "unknown_worker" => 2,
            _ => 1,
        };
        assert_eq!(findings(&text).0.len(), expected, "{name}:\n{}", findings(&text));
    }
}
