//! The rules at their borders: what just passes, what just does not, and what is only a warning. The texts of errors
//! stand in `tests/invalid`.

use crate::{Environment, Finding, Findings, Severity, parse};
use expect_test::{Expect, expect};
use std::{fs, os::unix::fs::PermissionsExt};

mod chaos;
mod degradation;
mod routes;

const WORKER: &str = "[pipeline.stages.inference]\nworker = \"w\"\n[workers.w]\nprovider = \"openai\"\n";

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

/// All that is said about a text, warnings as well as errors.
fn said(text: &str, environment: &Environment) -> Vec<Finding> {
    match parse("p.toml".as_ref(), text, environment) {
        Ok(loaded) => loaded.warnings,
        Err(Findings(findings)) => findings,
    }
}

/// Severity, path and message, a line each.
fn says(text: &str, expected: &Expect) {
    says_in(text, &Environment::default(), expected);
}

fn says_in(text: &str, environment: &Environment, expected: &Expect) {
    let lines = said(text, environment).into_iter().map(|finding| {
        let severity = if finding.severity == Severity::Error {
            "error"
        } else {
            "warning"
        };
        format!("{severity} {}: {}", finding.path, finding.message)
    });
    expected.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

fn is_silent(text: &str) {
    let said = said(text, &Environment::default());
    assert!(said.is_empty(), "{text}\n{}", said[0]);
}

#[test]
fn limits_may_meet_but_not_cross() {
    is_silent("[pipeline.resilience]\nretry_base_ms = 5000\n");
    is_silent("[pipeline.resilience]\ncircuit_breaker_timeout_s = 300\n");
    is_silent("[pipeline.answers]\nmax_answer_bytes = 4096\nmax_log_bytes = 4096\n");
    is_silent("[shutdown]\npre_stop_ms = 24999\n");
    says(
        "[shutdown]\npre_stop_ms = 25000\n",
        &expect!["error shutdown.grace_ms: nothing is left of it after `pre_stop_ms`"],
    );
    says(
        "[pipeline.resilience]\nretry_base_ms = 5001\n",
        &expect!["error pipeline.resilience.retry_base_ms: 5001 is more than `retry_max_ms`, which is 5000"],
    );
}

#[test]
fn all_rules_speak_at_once() {
    says(
        "[pipeline.stages.assemble]\ntemplate = \"{% for\"\n\
         [pipeline.resilience]\nretry_base_ms = 9000\ncircuit_breaker_timeout_s = 400\n\
         [pipeline.answers]\nmax_answer_bytes = 2000\nmax_log_bytes = 1500\n\
         [server]\nadmin_listen = \"127.0.0.1:8080\"\nadmin_token = \"${NOT_SET}\"\n\
         [workers.w]\nprovider = \"openai\"\napi_key = \"${file:/does/not/exist}\"\nbase_url = \"nowhere\"\n\
         [shutdown]\ngrace_ms = 1000\n[telemetry]\nlevel = \"loud\"\n",
        &expect![[r#"
            error pipeline.stages.assemble.template: the template is not valid in line 1: unexpected end of input, expected identifier
            error pipeline.resilience.retry_base_ms: 9000 is more than `retry_max_ms`, which is 5000
            error pipeline.resilience.circuit_breaker_timeout_s: 400 is more than `open_max_s`, which is 300
            error pipeline.answers.max_answer_bytes: 2000 is more than `max_log_bytes`, which is 1500
            error server.admin_listen: clients and operators have the same address
            error server.admin_token: the environment variable NOT_SET is not set
            warning workers.w: no route uses the worker `w`
            error workers.w.api_key: cannot read the file /does/not/exist: No such file or directory (os error 2)
            error workers.w.base_url: the base URL is not usable: relative URL without a base
            error shutdown.grace_ms: nothing is left of it after `pre_stop_ms`
            error telemetry.level: not a level: `loud` is no level"#]],
    );
}

#[test]
fn a_proxy_that_cannot_be_used_is_found_at_the_worker_that_needs_it() {
    says_in(
        WORKER,
        &environment(&[("https_proxy", "socks5://user:secret@p")]),
        &expect![
            "error workers.w.base_url: the environment variable https_proxy names no usable proxy: proxies speak http or https, not socks5"
        ],
    );
}

#[test]
fn listeners_clash_on_one_port_of_one_address_or_of_all() {
    let clash = |listen: &str, admin: &str| {
        !said(
            &format!("[server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\n"),
            &Environment::default(),
        )
        .is_empty()
    };
    assert!(clash("127.0.0.1:80", "127.0.0.1:80"));
    assert!(clash("127.0.0.1:80", "0.0.0.0:80"));
    assert!(clash("[::]:80", "127.0.0.1:80"));
    assert!(!clash("127.0.0.1:80", "127.0.0.2:80"));
    assert!(!clash("127.0.0.1:80", "127.0.0.1:81"));
    assert!(!clash("127.0.0.1:0", "127.0.0.1:0"), "port 0 is a free one each time");
}

#[test]
fn a_clash_is_told_to_whoever_made_it() {
    for (path, other) in [
        ("server.listen", "127.0.0.1:8081"),
        ("server.admin_listen", "127.0.0.1:8080"),
    ] {
        let environment = Environment::default().with_flag("--flag", path, other);
        let said = said(
            "[server]\nlisten = \"127.0.0.1:8080\"\nadmin_listen = \"127.0.0.1:8081\"\n",
            &environment,
        );
        assert_eq!(said[0].variable.as_deref(), Some("--flag"), "{}", said[0]);
    }
}

#[test]
fn a_secret_in_the_document_is_a_warning() {
    let plain = format!("{WORKER}api_key = \"sk-plain\"\n[server]\nadmin_token = \"${{TOKEN:-t0ken}}\"\n");
    says(
        &plain,
        &expect![[r#"
        warning workers.w.api_key: a secret stands in the document for all to read
        warning server.admin_token: a secret stands in the document for all to read"#]],
    );
    let said = said(&plain, &Environment::default());
    assert_eq!(said[0].source.as_deref(), Some("api_key = \"********\""));
}

#[test]
fn a_secret_from_outside_is_none() {
    let environment = environment(&[("KEY", "sk"), ("ORCHESTRATOR__SERVER__ADMIN_TOKEN", "t0ken")]);
    assert_eq!(said(&format!("{WORKER}api_key = \"${{KEY}}\"\n"), &environment), []);
    is_silent(&format!("{WORKER}api_key = \"${{KEY:-}}\"\n"));
    is_silent(&format!("{WORKER}api_key = \"\"\n"));
}

#[test]
fn a_file_of_a_secret_is_for_its_owner() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "sk-1\n").unwrap();
    let text = format!("{WORKER}api_key = \"${{file:{}}}\"\n", file.path().display());
    for (mode, warnings) in [(0o600, 0), (0o640, 0), (0o644, 1), (0o604, 1)] {
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        let said = said(&text, &Environment::default());
        assert_eq!(said.len(), warnings, "{mode:o}");
        assert!(said.iter().all(|finding| finding.severity == Severity::Warning));
    }
}

#[test]
fn a_secret_that_is_half_a_reference_is_refused() {
    for secret in ["Bearer ${KEY}", "${KEY", "x${KEY}"] {
        let said = said(
            &format!("[server]\nadmin_token = \"{secret}\"\n"),
            &environment(&[("KEY", "sk")]),
        );
        assert_eq!(said.len(), 1, "{secret}");
        assert_eq!(said[0].message, "a secret is a reference as a whole or not at all");
    }
}

#[test]
fn a_key_that_no_header_can_carry_is_refused_without_being_shown() {
    let environment = environment(&[("KEY", "sk\n1")]);
    says_in(
        &format!("{WORKER}api_key = \"${{KEY}}\"\n"),
        &environment,
        &expect!["error workers.w.api_key: the key holds characters that no header may have"],
    );
}

#[test]
fn a_missing_key_does_not_hide_a_wrong_address() {
    says(
        &format!("{WORKER}base_url = \"h\"\napi_key = \"${{KEY}}\"\n"),
        &expect![[r#"
            error workers.w.base_url: the base URL is not usable: relative URL without a base
            error workers.w.api_key: the environment variable KEY is not set"#]],
    );
}

#[test]
fn addresses_of_workers_are_those_that_the_program_takes() {
    for good in [
        "http://127.0.0.1:9000/v1",
        "https://api.example.com",
        "HTTPS://[::1]:8443/",
        "http://localhost",
    ] {
        is_silent(&format!("{WORKER}base_url = \"{good}\"\n"));
    }
    for bad in [
        "",
        "localhost:8080",
        "http://",
        "https://",
        "unix:/run/x",
        "http://u@h",
        "http://h?x=1",
        "http://h#x",
        "https://h:99999",
    ] {
        let said = said(&format!("{WORKER}base_url = \"{bad}\"\n"), &Environment::default());
        assert_eq!(said.len(), 1, "{bad}");
        assert_eq!(said[0].path.to_string(), "workers.w.base_url");
    }
}

#[test]
fn the_usual_place_of_a_provider_is_checked_too() {
    let environment = environment(&[("OPENAI_BASE_URL", "model server")]);
    let said = said("[pipeline.stages.inference]\nworker = \"openai\"\n", &environment);
    assert_eq!(said[0].path.to_string(), "pipeline.stages.inference.worker");
    assert!(said[0].message.contains("base URL"), "{}", said[0]);
}

#[test]
fn names_of_workers_fit_into_headers() {
    let names = [
        ("a", true),
        ("local/qwen:7b_v1.2-x", true),
        ("", false),
        ("ä", false),
        ("a b", false),
    ];
    let long = ["x".repeat(64), "x".repeat(65)];
    let names = names
        .into_iter()
        .chain([(long[0].as_str(), true), (long[1].as_str(), false)]);
    for (name, is_good) in names {
        let said = said(
            &format!("[workers.\"{name}\"]\nprovider = \"echo\"\n"),
            &Environment::default(),
        );
        let errors = said
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        assert_eq!(errors == 0, is_good, "{name}");
    }
}

#[test]
fn settings_without_an_effect_are_warned_of() {
    says(
        &format!("{WORKER}delay_ms = 5\nfirst_token_timeout_ms = 2000\n[server]\nrequest_timeout_ms = 1000\n"),
        &expect![[r#"
            warning workers.w.delay_ms: nothing reads this: only `echo` pauses
            warning workers.w.first_token_timeout_ms: it never passes, since `server.request_timeout_ms` is 1000"#]],
    );
    is_silent(&format!("{WORKER}[server]\nrequest_timeout_ms = 1000\n"));
    says(
        "[server]\nmax_in_flight = 999\n",
        &expect!["warning pipeline.lanes.capacity: a lane is never full, since `server.max_in_flight` is 999"],
    );
    is_silent("[server]\nmax_in_flight = 1000\n");
}

#[test]
fn a_worker_s_own_limits_are_checked_with_those_it_inherits() {
    let own = |keys: &str| format!("{WORKER}[workers.w.resilience]\n{keys}\n");
    is_silent(&own("circuit_breaker_timeout_s = 300"));
    says(
        &own("circuit_breaker_timeout_s = 301"),
        &expect!["error workers.w.resilience.circuit_breaker_timeout_s: 301 is more than `open_max_s`, which is 300"],
    );
    says(
        &own("open_max_s = 59"),
        &expect!["error workers.w.resilience.circuit_breaker_timeout_s: 60 is more than `open_max_s`, which is 59"],
    );
}

#[test]
fn every_redaction_speaks_for_itself() {
    says(
        "[pipeline.stages.post_process]\nredact = [\n\
         { name = \"a\", pattern = \"(\" },\n\
         { name = \"a\", pattern = \"x*\" },\n\
         { name = \"b\", pattern = \"x+\" },\n\
         { name = \"c\", pattern = \"[a&&b]\" },\n\
         { name = \"d\", pattern = \"x{9}\", max_match_bytes = 8 },\n\
         { name = \"e\", pattern = \"x{8}\", max_match_bytes = 8 },\n\
         { name = \"f\", pattern = \"(?:\\\\w{30}){30}\", max_match_bytes = 1024 },\n]\n",
        &expect![[r#"
            error pipeline.stages.post_process.redact[0].pattern: the pattern cannot be read: unclosed group
            error pipeline.stages.post_process.redact[1].name: `a` is the name of two redactions
            error pipeline.stages.post_process.redact[1].pattern: the pattern matches the empty text, which is everywhere
            error pipeline.stages.post_process.redact[2].pattern: a match of the pattern may be of any length, so a stream would be held back without end; bound it, as in `[0-9]{1,20}` for `[0-9]+`
            error pipeline.stages.post_process.redact[3].pattern: the pattern can match nothing at all
            error pipeline.stages.post_process.redact[4].pattern: the longest match of the pattern is 9 bytes, but max_match_bytes is 8
            error pipeline.stages.post_process.redact[6].pattern: the longest match of the pattern is 3600 bytes, but max_match_bytes is 1024"#]],
    );
}

#[test]
fn a_folder_of_documents_is_there_when_it_is_searched() {
    let folder = tempfile::tempdir().unwrap();
    let text = |folder: &str, more: &str| format!("[pipeline.stages.rag]\nfolder = \"{folder}\"\n{more}");
    is_silent(&text(folder.path().to_str().unwrap(), ""));
    is_silent(&text("/none/at/all", "enabled = false\n"));
    says(
        &text("/none/at/all", ""),
        &expect!["error pipeline.stages.rag.folder: it cannot be read: No such file or directory (os error 2)"],
    );
    says(
        &text("/dev/null", ""),
        &expect!["error pipeline.stages.rag.folder: it cannot be read: Not a directory (os error 20)"],
    );
}

#[test]
fn documents_that_are_required_can_be_searched() {
    let text = |more: &str| format!("[pipeline.stages.rag]\nrequired = true\n{more}");
    says(
        &text(""),
        &expect!["error pipeline.stages.rag.required: there is no `folder` to search, so every request would fail"],
    );
    is_silent(&text("enabled = false\n"));
    is_silent(&text("folder = \"/\"\n"));
}

#[test]
fn a_window_that_nothing_is_fitted_to_is_only_a_warning() {
    let text = |more: &str| format!("[pipeline.stages.assemble]\n{more}context_window = 8192\n");
    says(
        &text("enabled = false\n"),
        &expect![
            "warning pipeline.stages.assemble.context_window: nothing reads this: with `enabled = false` no prompt is fitted to it"
        ],
    );
    is_silent(&text(""));
}

#[test]
fn filters_that_are_off_are_checked_all_the_same() {
    let text = "[pipeline.stages.post_process]\nenabled = false\nredact = [{ name = \"a\", pattern = \"(\" }]\n";
    assert_eq!(said(text, &Environment::default()).len(), 1);
}

#[test]
fn origins_have_a_scheme_and_nothing_behind_the_host() {
    for (origin, is_good) in [
        ("https://a.example", true),
        ("http://localhost:3000", true),
        ("chrome-extension://abc", true),
        ("https://a.example/", false),
        ("a.example", false),
        ("https://", false),
        ("https://u@h", false),
        ("*", false),
    ] {
        let said = said(
            &format!("[server]\nallowed_origins = [\"{origin}\"]\n"),
            &Environment::default(),
        );
        assert_eq!(said.is_empty(), is_good, "{origin}");
    }
}

#[test]
fn levels_are_words_or_lists() {
    is_silent("[telemetry]\nlevel = \"info,orchestrator_dedup=debug,hyper=info\"\n");
    for level in ["", "inof", "info,hyper", "info,hyper=loud"] {
        let said = said(&format!("[telemetry]\nlevel = \"{level}\"\n"), &Environment::default());
        assert_eq!(
            said.len(),
            usize::from(!level.is_empty() || !said.is_empty()),
            "{level}"
        );
    }
}
