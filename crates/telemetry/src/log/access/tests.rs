use super::super::{
    Config, Format,
    tests::{clock, logged},
};
use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Map, Value as Json};

fn plain() -> AccessLine<'static> {
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
        degraded: None,
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

fn full() -> AccessLine<'static> {
    AccessLine {
        caller_id: Some("mine"),
        session_id: Some("s 1"),
        client: Some("127.0.0.1:5000"),
        worker: Some("fast"),
        tier: Some("primary"),
        degraded: None,
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
fn check(config: Config, line: &AccessLine<'_>, expected: Expect) {
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

/// All that a line can hold, owned.
#[derive(Clone, Debug)]
struct Owned {
    texts: Vec<String>,
    numbers: Vec<u64>,
    /// Which of the optional fields are there.
    there: u16,
}

impl Owned {
    fn text(&self, n: usize) -> &str {
        &self.texts[n]
    }

    fn optional<T>(&self, bit: u16, value: T) -> Option<T> {
        (self.there & (1 << bit) != 0).then_some(value)
    }

    fn line(&self) -> AccessLine<'_> {
        AccessLine {
            request_id: self.text(0),
            caller_id: self.optional(0, self.text(1)),
            session_id: self.optional(1, self.text(2)),
            client: self.optional(2, "[::]:80"),
            method: self.text(3),
            path: self.text(4),
            model: self.text(5),
            worker: self.optional(3, self.text(6)),
            tier: self.optional(4, self.text(7)),
            degraded: None,
            cache: self.optional(5, self.text(8)),
            attempts: self.numbers[0] as u32,
            status: self.numbers[1] as u16,
            outcome: self.text(9),
            error_code: self.optional(6, self.text(10)),
            error_source: self.optional(7, self.text(11)),
            ttft_ms: self.optional(8, self.numbers[2]),
            duration_us: self.numbers[3],
            prompt_tokens: self.optional(9, self.numbers[4]),
            completion_tokens: self.optional(10, self.numbers[5]),
        }
    }

    /// The same as the JSON object that should be written.
    fn expected(&self) -> Json {
        let line = self.line();
        let mut fields: Map<String, Json> = Map::new();
        let mut put = |name: &str, value: Option<Json>| {
            fields.extend(value.map(|value| (name.to_owned(), value)));
        };
        put("timestamp", Some("2026-11-20T12:00:00.000250Z".into()));
        put("level", Some("INFO".into()));
        put("target", Some("access".into()));
        put("message", Some("request".into()));
        put("request_id", Some(line.request_id.into()));
        put("caller_id", line.caller_id.map(Json::from));
        put("session_id", line.session_id.map(Json::from));
        put("client", line.client.map(Json::from));
        put("method", Some(line.method.into()));
        put("path", Some(line.path.into()));
        put("model", Some(line.model.into()));
        put("worker", line.worker.map(Json::from));
        put("tier", line.tier.map(Json::from));
        put("cache", line.cache.map(Json::from));
        put("attempts", Some(line.attempts.into()));
        put("status", Some(line.status.into()));
        put("outcome", Some(line.outcome.into()));
        put("error_code", line.error_code.map(Json::from));
        put("error_source", line.error_source.map(Json::from));
        put("ttft_ms", line.ttft_ms.map(Json::from));
        put("duration_us", Some(line.duration_us.into()));
        put("prompt_tokens", line.prompt_tokens.map(Json::from));
        put("completion_tokens", line.completion_tokens.map(Json::from));
        Json::Object(fields)
    }
}

fn owned() -> impl Strategy<Value = Owned> {
    let texts = prop::collection::vec(any::<String>(), 12);
    let numbers = prop::collection::vec(any::<u64>(), 6);
    (texts, numbers, any::<u16>()).prop_map(|(texts, numbers, there)| Owned { texts, numbers, there })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every field is read back as it was; those without a value are not there.
    #[test]
    fn each_field_is_read_back(lines in prop::collection::vec(owned(), 1..4)) {
        let text = logged(&Config::default(), |logs| {
            lines.iter().for_each(|line| logs.access().write(&line.line()));
        });
        let read: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected: Vec<Json> = lines.iter().map(Owned::expected).collect();
        prop_assert_eq!(read, expected);
    }
}
