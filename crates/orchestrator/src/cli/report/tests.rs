use super::*;
use expect_test::expect;
use orchestrator_config::{Environment, Findings, parse};

/// The findings of a document with so many errors and warnings.
fn document(errors: usize, warnings: usize) -> Vec<Finding> {
    let wrong = ["threads", "max_in_flight", "max_connections"].map(|key| format!("{key} = 0\n"));
    let spare = ["a", "b", "c"].map(|name| format!("[workers.{name}]\nprovider = \"echo\"\n"));
    let wrong = match errors {
        // Warnings and errors come together only once the schema holds.
        0 => String::new(),
        1 if warnings > 0 => "admin_listen = \"127.0.0.1:8080\"\n".to_owned(),
        errors => wrong[..errors].concat(),
    };
    let text = format!("[server]\n{wrong}{}", spare[..warnings].concat());
    match parse("p.toml".as_ref(), &text, &Environment::default()) {
        Ok(loaded) => loaded.warnings,
        Err(Findings(findings)) => findings,
    }
}

#[test]
fn findings_are_counted_by_what_they_are() {
    let counts = [(0, 0), (1, 0), (2, 0), (0, 1), (0, 3), (1, 1), (1, 2)];
    let counts = counts.map(|(errors, warnings)| count(&document(errors, warnings)));
    expect!["no findings; 1 error; 2 errors; 1 warning; 3 warnings; 1 error, 1 warning; 1 error, 2 warnings"]
        .assert_eq(&counts.join("; "));
}

#[test]
fn a_verdict_counts_and_lists() {
    let findings = document(1, 2);
    let verdict = Verdict::of("p.toml".as_ref(), &findings);
    let json: serde_json::Value = serde_json::from_str(&json(&verdict)).unwrap();
    assert_eq!((&json["version"], &json["file"]), (&1.into(), &"p.toml".into()));
    assert_eq!((&json["errors"], &json["warnings"]), (&1.into(), &2.into()));
    let severities: Vec<&str> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["severity"].as_str().unwrap())
        .collect();
    assert_eq!(severities, ["error", "warning", "warning"]);
}

#[test]
fn json_is_written_for_people_too() {
    assert_eq!(json(&serde_json::json!({ "a": [1] })), "{\n  \"a\": [\n    1\n  ]\n}");
}
