use super::super::{
    Config, Format,
    tests::{clock, logged},
};
use super::*;
use expect_test::{Expect, expect};

fn plain() -> AccessLine<'static, &'static str> {
    AccessLine {
        request_id: "req_1",
        caller_id: None,
        session_id: None,
        client: None,
        method: "POST",
        path: "/v1/chat/completions",
        model: "gpt-4",
        worker: None,
        tier: None,
        cache: None,
        attempts: 0,
        status: 503,
        outcome: "refused",
        error_code: Some("server_is_overloaded"),
        error_source: Some("gateway"),
        ttft_ms: None,
        duration_us: 87,
        prompt_tokens: None,
        completion_tokens: None,
    }
}

fn full() -> AccessLine<'static, &'static str> {
    AccessLine {
        caller_id: Some("mine"),
        session_id: Some("s 1"),
        client: Some(SocketAddr::from(([127, 0, 0, 1], 5000))),
        worker: Some("fast"),
        tier: Some("primary"),
        cache: Some("MISS"),
        attempts: 2,
        status: 200,
        outcome: "ok",
        error_code: None,
        error_source: None,
        ttft_ms: Some(12),
        duration_us: 45_678,
        prompt_tokens: Some(3),
        completion_tokens: Some(5),
        ..plain()
    }
}

#[track_caller]
fn check(config: Config, line: &AccessLine<'_, &str>, expected: Expect) {
    expected.assert_eq(&logged(&config, |logs| logs.access().write(line)));
}

#[test]
fn a_request_that_went_well_is_one_json_object() {
    check(
        Config::default(),
        &full(),
        expect![[r#"
        {"timestamp":"2026-11-20T12:00:00.000250Z","level":"INFO","target":"access","message":"request","request_id":"req_1","caller_id":"mine","session_id":"s 1","client":"127.0.0.1:5000","method":"POST","path":"/v1/chat/completions","model":"gpt-4","worker":"fast","tier":"primary","cache":"MISS","attempts":2,"status":200,"outcome":"ok","ttft_ms":12,"duration_us":45678,"prompt_tokens":3,"completion_tokens":5}
    "#]],
    );
}

#[test]
fn a_request_that_failed_says_why_and_whose_fault_it_was() {
    check(
        Config::default(),
        &plain(),
        expect![[r#"
        {"timestamp":"2026-11-20T12:00:00.000250Z","level":"INFO","target":"access","message":"request","request_id":"req_1","method":"POST","path":"/v1/chat/completions","model":"gpt-4","attempts":0,"status":503,"outcome":"refused","error_code":"server_is_overloaded","error_source":"gateway","duration_us":87}
    "#]],
    );
}

#[test]
fn people_read_the_same_in_one_line() {
    let pretty = Config {
        format: Format::Pretty,
        ..Config::default()
    };
    check(
        pretty,
        &full(),
        expect![[r#"
        2026-11-20T12:00:00.000250Z  INFO access: request request_id=req_1 caller_id=mine session_id="s 1" client=127.0.0.1:5000 method=POST path=/v1/chat/completions model=gpt-4 worker=fast tier=primary cache=MISS attempts=2 status=200 outcome=ok ttft_ms=12 duration_us=45678 prompt_tokens=3 completion_tokens=5
    "#]],
    );
}

#[test]
fn the_access_log_is_on_at_any_level_and_off_by_its_own_setting() {
    let quiet = Config {
        level: "off".to_owned(),
        ..Config::default()
    };
    assert_eq!(logged(&quiet, |logs| logs.access().write(&plain())).lines().count(), 1);
    let off = Config {
        access_log: false,
        ..Config::default()
    };
    assert_eq!(logged(&off, |logs| logs.access().write(&plain())), "");
    assert_eq!(format!("{:?}", AccessLog::off()), "AccessLog { is_on: false }");
}

#[test]
fn names_that_a_client_chose_forge_no_line() {
    let forged = AccessLine {
        caller_id: Some("x\"}\n{\"level\":\"ERROR"),
        ..plain()
    };
    for format in [Format::Json, Format::Pretty] {
        let config = Config {
            format,
            ..Config::default()
        };
        let text = logged(&config, |logs| logs.access().write(&forged));
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn clones_on_many_threads_write_all_their_lines() {
    let text = logged(&Config::default(), |logs| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let access = logs.access();
                scope.spawn(move || (0..100).for_each(|_| access.clone().write(&full())));
            }
        });
    });
    assert_eq!(text.lines().count(), 400);
    assert_eq!(text.lines().next(), text.lines().last());
    assert!(clock()().as_secs() > 0);
}
