use super::*;
use expect_test::expect;
use orchestrator_inference::ProviderName;
use std::path::PathBuf;

/// The document that the description of the interfaces promises to run.
const PROMISED: &str = r#"
[pipeline]
name = "production-gpt4"
version = "1.0"
[pipeline.stages.rag]
enabled = true
timeout_ms = 5000
max_context_tokens = 2048
[pipeline.stages.inference]
worker = "openai"
model = "gpt-4"
max_tokens = 1024
temperature = 0.7
[pipeline.resilience]
retry_attempts = 3
retry_base_ms = 100
retry_max_ms = 5000
circuit_breaker_threshold = 5
circuit_breaker_timeout_s = 60
[pipeline.deduplication]
enabled = true
window_s = 300
max_entries = 10000
"#;

fn read(text: &str) -> Result<Loaded, Findings> {
    parse("p.toml".as_ref(), text, &Environment::default())
}

#[test]
fn the_promised_document_loads_as_it_stands() {
    let Loaded { config, warnings } = read(PROMISED).unwrap();
    assert_eq!(warnings, []);
    let workers = config.workers_in_use();
    let (name, worker) = workers.first().unwrap();
    assert_eq!((name.as_str(), worker.provider), ("openai", ProviderName::OpenAi));
    assert_eq!(config.pipeline.name, "production-gpt4");
    assert_eq!(config.pipeline.deduplication.window_s, 300);
    assert_eq!(config.pipeline.stages.inference.temperature, Some(0.7));
}

#[test]
fn an_empty_document_is_the_program_without_one() {
    for text in ["", "\u{feff}", "\n# nothing\n", "\r\n"] {
        assert_eq!(read(text).unwrap().config, Config::dev(), "{text:?}");
    }
    assert_eq!(without_document(&Environment::default()).unwrap().config, Config::dev());
}

#[test]
fn without_a_document_findings_name_no_file() {
    let environment = Environment::default().with_flag("--listen", "server.listen", "127.0.0.1:8081");
    let findings = without_document(&environment).unwrap_err();
    expect![[r#"
        error: clients and operators have the same address
        --> environment: --listen
         = field: server.listen
         = help: give `admin_listen` another port than `listen`"#]]
    .assert_eq(&findings.to_string());
}

#[test]
fn a_value_that_only_its_type_refuses_is_found_at_its_place() {
    let refused = [
        ("[server]\nlisten = \"127.0.0.1\"\n", 2, 10),
        ("[server]\nadmin_listen = \":8081\"\n", 2, 16),
        ("server = { admin_listen = \"127.0.0.1:99999\" }\n", 1, 27),
    ];
    for (text, line, column) in refused {
        let findings = read(text).unwrap_err();
        let [finding] = findings.0.as_slice() else {
            panic!("{findings}")
        };
        let place = finding.place.unwrap();
        assert_eq!((place.line, place.column), (line, column), "{findings}");
        assert!(finding.path.to_string().ends_with("listen"));
        assert!(finding.allowed.as_ref().unwrap().contains("address"), "{findings}");
    }
}

#[test]
fn a_wrong_address_of_a_flag_is_told_by_its_name() {
    let environment = Environment::default().with_flag("--listen", "server.listen", "nowhere");
    let findings = read("")
        .and(parse("p.toml".as_ref(), "[pipeline]\n", &environment))
        .unwrap_err();
    assert_eq!(findings.0[0].variable.as_deref(), Some("--listen"));
}

#[test]
fn warnings_do_not_stop_and_come_with_errors_when_those_do() {
    let warned = "[workers.spare]\nprovider = \"echo\"\n";
    let loaded = read(warned).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert_eq!(loaded.warnings[0].severity, Severity::Warning);
    let both = read(&format!("{warned}[shutdown]\ngrace_ms = 1\n")).unwrap_err();
    let severities: Vec<Severity> = both.0.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Warning, Severity::Error]);
}

#[test]
fn a_file_is_loaded_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("line.toml");
    std::fs::write(&file, PROMISED).unwrap();
    assert_eq!(load(&file, &Environment::default()), read(PROMISED));
    std::fs::write(&file, "[pipeline]\nx = 1\n").unwrap();
    let findings = load(&file, &Environment::default()).unwrap_err();
    assert_eq!(findings.0[0].file, Some(file));
    let none = load(&folder.path().join("none"), &Environment::default()).unwrap_err();
    assert_eq!(none.0.len(), 1);
}

#[test]
fn of_very_many_findings_the_first_hundred_are_shown() {
    let text: String = (0..5_000).map(|number| format!("unknown_{number} = 1\n")).collect();
    let findings = read(&text).unwrap_err().0;
    assert_eq!((findings.len(), findings[99].place.unwrap().line), (101, 100));
    assert_eq!(findings[100].message, "there are more findings than are shown");
    let broken = read(&"= =\n".repeat(100_000)).unwrap_err().0;
    assert_eq!(broken.len(), 3);
}

#[test]
fn an_error_behind_very_many_warnings_stops_all_the_same() {
    let spare: String = (0..150)
        .map(|number| format!("[workers.w{number}]\nprovider = \"echo\"\n"))
        .collect();
    let loaded = read(&spare).unwrap();
    assert_eq!(
        (loaded.warnings.len(), loaded.warnings[100].severity),
        (101, Severity::Warning)
    );
    let findings = read(&format!("{spare}[shutdown]\ngrace_ms = 1\n")).unwrap_err().0;
    assert_eq!((findings.len(), findings[100].severity), (101, Severity::Error));
}
