//! The command line: what each command prints where, and how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a fault in here shall end the test"
)]

mod support;

use expect_test::expect;
use serde_json::json;
use std::{os::unix::fs::PermissionsExt, path::Path};
use support::{Document, Ended, ended};

const WRONG: &str = "[server]\nthreads = 0\nmax_in_flight = \"many\"\n";
const WARNED: &str = "[workers.spare]\nprovider = \"echo\"\n";

fn example() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipeline.example.toml");
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_valid_document_is_said_to_be_one() {
    let ended = ended(["validate", &example()]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert!(
        ended.stderr.ends_with("pipeline.example.toml: no findings\n"),
        "{ended:?}"
    );
}

#[test]
fn findings_are_words_and_go_to_stderr() {
    let document = Document::new(WRONG);
    let ended = document.ask(&["validate"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    expect![[r#"
        error: 0 is too small
         --> pipeline.toml:2:11
          |
        2 | threads = 0
          |           ^
          |
          = field: server.threads
          = allowed: an integer, 1 to 1024

        error: wrong type: a string where an integer is wanted
         --> pipeline.toml:3:17
          |
        3 | max_in_flight = "many"
          |                 ^^^^^^
          |
          = field: server.max_in_flight
          = allowed: an integer, 1 to 10000000

        pipeline.toml: 2 errors
    "#]]
    .assert_eq(&document.plain(&ended.stderr));
}

#[test]
fn warnings_are_shown_and_do_not_fail() {
    let document = Document::new(WARNED);
    let ended = document.ask(&["validate"]);
    assert_eq!(ended.code, Some(0));
    assert!(
        document.plain(&ended.stderr).ends_with("pipeline.toml: 1 warning\n"),
        "{ended:?}"
    );
}

#[test]
fn findings_as_json_are_data_and_go_to_stdout() {
    let document = Document::new(WRONG);
    let ended = document.ask(&["validate", "--format", "json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""));
    let file = document.file.to_str().unwrap();
    assert_eq!(
        ended.json(),
        json!({
            "version": 1,
            "file": file,
            "errors": 2,
            "warnings": 0,
            "findings": [
                {
                    "severity": "error",
                    "file": file,
                    "place": { "line": 2, "column": 11, "length": 1 },
                    "source": "threads = 0",
                    "path": "server.threads",
                    "message": "0 is too small",
                    "allowed": "an integer, 1 to 1024",
                },
                {
                    "severity": "error",
                    "file": file,
                    "place": { "line": 3, "column": 17, "length": 6 },
                    "source": "max_in_flight = \"many\"",
                    "path": "server.max_in_flight",
                    "message": "wrong type: a string where an integer is wanted",
                    "allowed": "an integer, 1 to 10000000",
                },
            ],
        })
    );
}

#[test]
fn a_valid_document_has_an_empty_list_in_json() {
    let ended = ended(["validate", "--format", "json", &example()]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let json = ended.json();
    assert_eq!((&json["errors"], &json["findings"]), (&json!(0), &json!([])));
}

#[test]
fn what_is_no_document_is_a_finding() {
    let document = Document::new("");
    let folder = document.folder().to_str().unwrap();
    for (file, words) in [
        (folder, "this is a directory"),
        ("/none/at/all", "the file cannot be read"),
    ] {
        let ended = ended(["validate", file]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(words), "{ended:?}");
    }
}

#[test]
fn the_schema_is_data() {
    let ended = ended(["schema"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let schema = ended.json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["properties"]["server"]["properties"]["threads"]["maximum"], 1024);
}

#[test]
fn an_explanation_is_data_and_its_warnings_are_words() {
    let document = Document::new(&format!("[pipeline]\nname = \"n\"\n{WARNED}"));
    let ended = document.ask(&["explain"]);
    assert_eq!(ended.code, Some(0));
    assert!(
        ended
            .stdout
            .starts_with("n\n\ndoors\n  Clients connect to http://127.0.0.1:8080"),
        "{ended:?}"
    );
    assert!(
        ended.stderr.starts_with("warning: no route uses the worker `spare`"),
        "{ended:?}"
    );
}

#[test]
fn an_explanation_as_json_is_the_configuration_with_its_defaults() {
    let document = Document::new("[server]\nadmin_token = \"t0ken\"\n");
    let ended = document.ask(&["explain", "--format", "json"]);
    let json = ended.json();
    assert_eq!(json["server"]["max_in_flight"], 10_000);
    assert_eq!(json["server"]["admin_token"], "[redacted]");
    assert!(!format!("{ended:?}").contains("t0ken"));
}

#[test]
fn the_plan_of_a_request_is_told_with_its_reasons() {
    let document = Document::new(
        "[workers.fast]\nprovider = \"echo\"\n[routes.main]\nprimary = [\"fast\"]\nbackup = [\"echo\"]\nhard_limit = 9\n\
         [routes.main.complexity]\nstrong = \"backup\"\nturns = 2\nlength_bytes = 0\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("request.json");
    let body = r#"{"model":"any","messages":[{"role":"user","content":"x"}]}"#;
    std::fs::write(&file, body).unwrap();
    let ended = document.ask(&["explain", "--request", file.to_str().unwrap()]);
    let plan = ended.json();
    assert_eq!(
        (ended.code, plan["route"].as_str()),
        (Some(0), Some("main")),
        "{ended:?}"
    );
    let called =
        |index: usize| ["worker", "tier", "reason"].map(|key| plan["candidates"][index][key].as_str().unwrap());
    assert_eq!(called(0), ["fast", "primary", "primary_normal"]);
    assert_eq!(called(1), ["echo", "backup", "backup_outage"]);
    assert_eq!(
        (&plan["limits"]["hard_limit"], &plan["refused"]),
        (&9.into(), &serde_json::Value::Null)
    );
    let judged = serde_json::json!({"score": 0.5, "complex": false, "tier": "primary"});
    assert_eq!(plan["complexity"], judged);
    let missing = document.ask(&["explain", "--request", "/none"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (Some(1), ""));
    assert!(missing.stderr.starts_with("error: /none: No such file"), "{missing:?}");
}

#[test]
fn a_wrong_document_is_not_explained() {
    let ended = Document::new(WRONG).ask(&["explain", "--format", "json"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("0 is too small"));
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_how_it_is_written() {
    let wrong: [&[&str]; 6] = [
        &[],
        &["fly"],
        &["run"],
        &["validate", "--format", "xml", "f"],
        &["run", "--listen", "nowhere", "f"],
        &["schema", "extra"],
    ];
    for arguments in wrong {
        let ended = ended(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(
            ended.stderr.contains("Usage: orchestrator") || ended.stderr.contains("'--help'"),
            "{ended:?}"
        );
    }
}

#[test]
fn help_and_version_are_data() {
    let help = ended(["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for words in [
        "run",
        "dev",
        "validate",
        "schema",
        "explain",
        "ORCHESTRATOR__SERVER__MAX_IN_FLIGHT",
    ] {
        assert!(help.stdout.contains(words), "{words} is missing in\n{}", help.stdout);
    }
    let explain = ended(["explain", "--help"]);
    let words = "Prints the plan of the chat request in this file instead, as JSON";
    assert!(explain.stdout.contains(words), "{explain:?}");
    let version = ended(["--version"]);
    assert_eq!(version.stdout, format!("orchestrator {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_configuration_that_cannot_be_run_ends_with_78() {
    let wrong = Document::new(WRONG);
    let missing = ["run", "/none/at/all"];
    for ended in [wrong.ask(&["run"]), ended(missing)] {
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(78), ""), "{ended:?}");
        assert!(ended.stderr.starts_with("error: "), "{ended:?}");
    }
}

#[test]
fn a_wrong_environment_is_found_without_a_document() {
    let mut dev = support::command(["dev"]);
    let ended = Ended::of(dev.env("ORCHESTRATOR__SERVER__THREAD", "1"));
    assert_eq!(ended.code, Some(78));
    assert!(
        ended.stderr.contains("environment: ORCHESTRATOR__SERVER__THREAD"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("did you mean `threads`?"), "{ended:?}");
}

#[test]
fn a_variable_goes_before_the_document() {
    let document = Document::new("[server]\nthreads = 3\nmax_in_flight = 5000\n");
    let mut explain = document.command(&["explain", "--format", "json"]);
    let json = Ended::of(explain.env("ORCHESTRATOR__SERVER__THREADS", "2")).json();
    assert_eq!(
        (&json["server"]["threads"], &json["server"]["max_in_flight"]),
        (&json!(2), &json!(5000))
    );
}

#[test]
fn secrets_of_the_environment_are_looked_up_and_never_printed() {
    let document = Document::new("[server]\nadmin_token = \"${TOKEN}\"\n");
    let unset = document.ask(&["validate"]);
    assert_eq!(unset.code, Some(1));
    assert!(unset.stderr.contains("the environment variable TOKEN is not set"));
    for arguments in [
        &["validate"][..],
        &["validate", "--format", "json"],
        &["explain"],
        &["explain", "--format", "json"],
    ] {
        let ended = Ended::of(document.command(arguments).env("TOKEN", "t0ken"));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!format!("{ended:?}").contains("t0ken"), "{ended:?}");
    }
}

#[test]
fn there_are_colours_only_where_they_are_seen() {
    let document = Document::new(WRONG);
    let piped = document.ask(&["validate"]);
    assert!(!piped.stderr.contains('\u{1b}'));
    let forced = Ended::of(document.command(&["validate"]).env("CLICOLOR_FORCE", "1"));
    assert!(forced.stderr.contains("\u{1b}["), "{forced:?}");
    let refused = Ended::of(document.command(&["validate"]).env("NO_COLOR", "1"));
    assert!(!refused.stderr.contains('\u{1b}'));
}

#[test]
fn a_secret_file_that_all_may_read_is_warned_of() {
    let document = Document::new("");
    let key = document.folder().join("token");
    std::fs::write(&key, "t0ken\n").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(
        &document.file,
        format!("[server]\nadmin_token = \"${{file:{}}}\"\n", key.display()),
    )
    .unwrap();
    let ended = document.ask(&["validate"]);
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stderr.starts_with("warning: every user of this machine may read"),
        "{ended:?}"
    );
}

#[test]
fn output_that_nobody_reads_is_a_failure_and_no_panic() {
    for arguments in [
        ["schema", ""],
        ["explain", "--format=json"],
        ["validate", "--format=json"],
    ] {
        let arguments: Vec<&str> = arguments.into_iter().filter(|argument| !argument.is_empty()).collect();
        let mut command = match arguments[0] {
            "schema" => support::command(&arguments),
            _ => Document::new("").command(&arguments),
        };
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command
            .stdout(full)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?} {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}
