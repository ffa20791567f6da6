use super::*;
use crate::{Config, Findings, Loaded, parse};
use expect_test::{Expect, expect};
use std::{fs, path::Path as FilePath};

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn read(text: &str, environment: &Environment) -> Result<Loaded, Findings> {
    parse(FilePath::new("p.toml"), text, environment)
}

/// The configuration that a document and variables make together.
fn config(text: &str, variables: &[(&str, &str)]) -> Config {
    match read(text, &environment(variables)) {
        Ok(loaded) => loaded.config,
        Err(findings) => panic!("{findings}"),
    }
}

/// What is wrong with a document and variables together.
fn wrong(text: &str, variables: &[(&str, &str)], expected: &Expect) {
    let findings = read(text, &environment(variables)).expect_err("something is wrong");
    expected.assert_eq(&findings.to_string());
}

#[test]
fn a_variable_sets_a_field_in_its_own_type() {
    let config = config(
        "",
        &[
            ("ORCHESTRATOR__PIPELINE__NAME", "42"),
            ("ORCHESTRATOR__SERVER__THREADS", "2"),
            (
                "ORCHESTRATOR__SERVER__ALLOWED_ORIGINS",
                r#"["https://a.example", "https://b.example"]"#,
            ),
            ("ORCHESTRATOR__SERVER__LISTEN", "127.0.0.1:9999"),
            ("ORCHESTRATOR__TELEMETRY__ACCESS_LOG", "false"),
            ("ORCHESTRATOR__TELEMETRY__FORMAT", "json"),
            ("ORCHESTRATOR__PIPELINE__STAGES__INFERENCE__TEMPERATURE", "0.5"),
            (
                "ORCHESTRATOR__PIPELINE__STAGES__POST_PROCESS__REDACT",
                r#"[{ name = "a", pattern = "a" }]"#,
            ),
            ("ORCHESTRATOR__PIPELINE__LANES__WEIGHTS", "{ high = 3 }"),
        ],
    );
    assert_eq!(config.pipeline.name, "42");
    assert_eq!(config.server.threads, Some(2));
    assert_eq!(
        config.server.allowed_origins,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(config.server.listen.port(), 9999);
    assert!(!config.telemetry.access_log);
    assert_eq!(config.pipeline.stages.inference.temperature, Some(0.5));
    assert_eq!(config.pipeline.stages.post_process.redact[0].name, "a");
    assert_eq!(
        (config.pipeline.lanes.weights.high, config.pipeline.lanes.weights.low),
        (3, 1)
    );
}

#[test]
fn a_flag_goes_before_a_variable_that_before_the_document_and_that_before_the_default() {
    let text = "[server]\nlisten = \"127.0.0.1:2\"\n";
    let variable = environment(&[("ORCHESTRATOR__SERVER__LISTEN", "127.0.0.1:3")]);
    let flag = variable.clone().with_flag("--listen", "server.listen", "127.0.0.1:4");
    let port = |text, environment| read(text, environment).unwrap().config.server.listen.port();
    let nothing = Environment::default();
    assert_eq!(
        [
            port("", &nothing),
            port(text, &nothing),
            port(text, &variable),
            port(text, &flag)
        ],
        [8080, 2, 3, 4]
    );
}

#[test]
fn the_name_of_a_variable_has_no_case_and_no_dashes() {
    let text = "[workers.Fast-1]\nprovider = \"echo\"\n[pipeline.stages.inference]\nworker = \"Fast-1\"\n";
    for name in [
        "ORCHESTRATOR__WORKERS__FAST_1__DELAY_MS",
        "ORCHESTRATOR__workers__fast_1__delay_ms",
    ] {
        let config = config(text, &[(name, "7")]);
        assert_eq!(config.workers["Fast-1"].delay_ms, 7, "{name}");
    }
}

#[test]
fn variables_alone_can_declare_a_worker() {
    let config = config(
        "",
        &[
            ("ORCHESTRATOR__WORKERS__LOCAL__PROVIDER", "ollama"),
            ("ORCHESTRATOR__WORKERS__LOCAL__RESILIENCE__CLOSE_AFTER", "1"),
            ("ORCHESTRATOR__PIPELINE__STAGES__INFERENCE__WORKER", "local"),
        ],
    );
    let workers = config.workers_in_use();
    let (name, worker) = workers.first().unwrap();
    assert_eq!(
        (name.as_str(), worker.provider.as_str(), worker.resilience.close_after),
        ("local", "ollama", Some(1))
    );
}

#[test]
fn a_wrong_value_is_told_by_its_variable() {
    wrong(
        "[server]\nthreads = 2\n",
        &[
            ("ORCHESTRATOR__SERVER__THREADS", "many"),
            ("ORCHESTRATOR__TELEMETRY__FORMAT", "jsn"),
        ],
        &expect![[r#"
            error: wrong type: a string where an integer is wanted
            --> environment: ORCHESTRATOR__SERVER__THREADS
             = field: server.threads
             = allowed: an integer, 1 to 1024

            error: unknown value `jsn`
            --> environment: ORCHESTRATOR__TELEMETRY__FORMAT
             = field: telemetry.format
             = allowed: `auto`, `json`, `pretty`
             = help: did you mean `json`?"#]],
    );
}

#[test]
fn a_rule_is_told_by_the_variable_that_broke_it() {
    wrong(
        "[server]\nlisten = \"127.0.0.1:8081\"\n",
        &[
            ("ORCHESTRATOR__SERVER__ADMIN_LISTEN", "0.0.0.0:8081"),
            ("ORCHESTRATOR__SERVER__LISTEN", "127.0.0.1:8081"),
        ],
        &expect![[r#"
            error: clients and operators have the same address
            --> environment: ORCHESTRATOR__SERVER__ADMIN_LISTEN
             = field: server.admin_listen
             = help: give `admin_listen` another port than `listen`"#]],
    );
}

#[test]
fn an_unknown_variable_is_told_with_the_name_that_was_meant() {
    wrong(
        "",
        &[
            ("ORCHESTRATOR__SERVER__MAX_INFLIGHT", "1"),
            ("ORCHESTRATOR__EXPERIMENTS__X", "1"),
            ("ORCHESTRATOR__", "1"),
        ],
        &expect![[r#"
            error: nothing is called `""`
            --> environment: ORCHESTRATOR__
             = field: ""
             = help: take it out; `orchestrator schema` lists all keys

            error: nothing is called `experiments`
            --> environment: ORCHESTRATOR__EXPERIMENTS__X
             = field: experiments
             = help: take it out; `orchestrator schema` lists all keys

            error: nothing is called `server.max_inflight`
            --> environment: ORCHESTRATOR__SERVER__MAX_INFLIGHT
             = field: server.max_inflight
             = help: did you mean `max_in_flight`?"#]],
    );
}

#[test]
fn a_path_through_a_value_changes_nothing_and_the_document_is_told() {
    let findings = read("server = 3\n", &environment(&[("ORCHESTRATOR__SERVER__THREADS", "2")])).unwrap_err();
    assert_eq!(findings.0.len(), 1, "{findings}");
    assert_eq!(findings.0[0].message, "wrong type: an integer where a table is wanted");
    wrong(
        "",
        &[("ORCHESTRATOR__SERVER__THREADS__X", "2")],
        &expect![[r#"
            error: nothing is called `server.threads.x`
            --> environment: ORCHESTRATOR__SERVER__THREADS__X
             = field: server.threads.x
             = help: take it out; `orchestrator schema` lists all keys

            error: wrong type: a table where an integer is wanted
            --> environment: ORCHESTRATOR__SERVER__THREADS__X
             = field: server.threads
             = allowed: an integer, 1 to 1024"#]],
    );
}

#[test]
fn other_variables_set_nothing() {
    let others = [
        ("ORCHESTRATOR_SERVER__THREADS", "x"),
        ("ORCHESTRATOR_PORT", "tcp://10.0.0.1:80"),
        ("PATH", "/bin"),
    ];
    assert_eq!(config("", &others), Config::dev());
}

#[test]
fn texts_are_filled_with_variables_defaults_and_files() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "from a file\r\n").unwrap();
    let version = format!("${{file:{}}}", file.path().display());
    let text = format!("[pipeline]\nname = \"a ${{A}}-${{B:-none}}-${{C:-}}!\"\nversion = \"{version}\"\n");
    let config = config(&text, &[("A", "one"), ("C", "three")]);
    assert_eq!(
        (config.pipeline.name.as_str(), config.pipeline.version.as_str()),
        ("a one-none-three!", "from a file")
    );
}

#[test]
fn a_reference_stands_for_its_value_and_not_for_more_references() {
    let name = |text: &str| {
        config(&format!("[pipeline]\nname = '{text}'\n"), &[("A", "${B}"), ("B", "b")])
            .pipeline
            .name
    };
    assert_eq!(name("${A}"), "${B}");
    assert_eq!(name("$${A}"), "${A}");
    assert_eq!(name("$$${A} $ {A} }"), "$${A} $ {A} }");
    assert_eq!(name("${X:-${B}"), "${B");
}

#[test]
fn texts_in_arrays_and_of_variables_are_filled_too() {
    let text = "[pipeline.stages.post_process]\nstop = [\"a\", \"${STOP}\"]\n";
    let config = config(text, &[("STOP", "<end>"), ("ORCHESTRATOR__PIPELINE__NAME", "${STOP}!")]);
    assert_eq!(config.pipeline.stages.post_process.stop, ["a", "<end>"]);
    assert_eq!(config.pipeline.name, "<end>!");
}

#[test]
fn what_is_filled_in_is_checked_like_the_rest() {
    let findings = read(
        "[telemetry]\nformat = \"${FORMAT}\"\n",
        &environment(&[("FORMAT", "xml")]),
    )
    .unwrap_err();
    assert_eq!(findings.0[0].message, "unknown value `xml`");
    assert_eq!(findings.0[0].source.as_deref(), Some("format = \"${FORMAT}\""));
}

#[test]
fn references_that_lead_nowhere_are_all_found() {
    let text = "[pipeline]\nname = \"${A}\"\nversion = \"${file:/none}\"\n[telemetry]\nlevel = \"${1A}\"\n";
    let findings = read(text, &environment(&[("A", "")])).unwrap_err();
    let messages: Vec<&str> = findings.0.iter().map(|finding| finding.message.as_str()).collect();
    expect![[r#"
        the environment variable A is not set
        cannot read the file /none: No such file or directory (os error 2)
        `${` begins no reference here"#]]
    .assert_eq(&messages.join("\n"));
    assert!(
        findings
            .0
            .iter()
            .all(|finding| finding.help.is_some() && finding.place.is_some())
    );
}

#[test]
fn what_may_stand_in_a_reference() {
    let good = ["NAME", "_x1", "N:-", "N:-any text: {", "file:/run/key", "file:"];
    let bad = ["", "1N", "a b", "{ price ", "N:x", "N-x", ":-x", "é"];
    assert_eq!(good.map(is_reference), [true; 6]);
    assert_eq!(bad.map(is_reference), [false; 8]);
}

#[test]
fn secrets_stay_references() {
    let text = "[server]\nadmin_token = \"${TOKEN}\"\n";
    let environment = environment(&[
        ("TOKEN", "t0ken"),
        ("ORCHESTRATOR__WORKERS__W__API_KEY", "sk-env"),
        ("ORCHESTRATOR__WORKERS__W__PROVIDER", "openai"),
    ]);
    let loaded = read(text, &environment).unwrap();
    assert_eq!(loaded.config.server.admin_token.reference(), "${TOKEN}");
    assert_eq!(
        environment.resolve(&loaded.config.server.admin_token),
        Ok("t0ken".to_owned())
    );
    let shown = format!("{loaded:?} {environment:?}");
    assert!(!shown.contains("t0ken") && !shown.contains("sk-env"), "{shown}");
}

#[test]
fn the_environment_shows_names_and_no_values() {
    let environment = environment(&[("KEY", "sk-1")]).with_flag("--listen", "server.listen", "x");
    assert_eq!(format!("{environment:?}"), r#"{"KEY", "--listen"}"#);
}

#[test]
fn the_environment_of_the_process_is_there() {
    assert_eq!(Environment::of_process().lookup("PATH"), std::env::var("PATH").ok());
    assert_eq!(Environment::of_process().lookup("ORCHESTRATOR_TEST_NOT_SET"), None);
}
