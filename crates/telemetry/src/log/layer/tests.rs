use super::super::{Config, Format, tests::logged};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use std::{error::Error, fmt, io};
use tracing::{Span, field, info, info_span, span::EnteredSpan};

#[track_caller]
fn check(format: Format, work: impl FnOnce(), expected: Expect) {
    let config = Config {
        level: "trace,orchestrator=trace".to_owned(),
        format,
        ..Config::default()
    };
    let text = logged(&config, |_| work());
    expected.assert_eq(&text.replace("2026-11-20T12:00:00.000250Z", "NOW"));
}

#[track_caller]
fn check_json(work: impl FnOnce(), expected: Expect) {
    check(Format::Json, work, expected);
}

#[derive(Debug)]
struct Outer(io::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the index cannot be read")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn fields_keep_their_types() {
    check_json(
        || {
            info!(
                target: "t",
                text = "a",
                count = 7_u64,
                delta = -7,
                share = 0.5,
                ready = true,
                shown = %"b",
                debugged = ?Some("c"),
                "typed"
            );
        },
        expect![[r#"
            {"timestamp":"NOW","level":"INFO","target":"t","message":"typed","text":"a","count":7,"delta":-7,"share":0.5,"ready":true,"shown":"b","debugged":"Some(\"c\")"}
        "#]],
    );
}

#[test]
fn an_error_comes_with_its_causes() {
    let error = Outer(io::Error::other("disk on fire"));
    check_json(
        || info!(target: "t", error = &error as &dyn Error, "failed"),
        expect![[r#"
            {"timestamp":"NOW","level":"INFO","target":"t","message":"failed","error":"the index cannot be read: disk on fire"}
        "#]],
    );
}

#[test]
fn an_event_without_a_message_has_an_empty_one() {
    check_json(
        || info!(target: "t", count = 1),
        expect![[r#"
        {"timestamp":"NOW","level":"INFO","target":"t","message":"","count":1}
    "#]],
    );
}

#[test]
fn a_message_that_is_a_field_is_the_message() {
    check_json(
        || info!(target: "t", message = "plain"),
        expect![[r#"
        {"timestamp":"NOW","level":"INFO","target":"t","message":"plain"}
    "#]],
    );
}

#[test]
fn a_field_named_like_one_of_ours_gets_another_name() {
    check_json(
        || info!(target: "t", level = 9, target = "x", timestamp = 0, "own"),
        expect![[r#"
            {"timestamp":"NOW","level":"INFO","target":"t","message":"own","field.level":9,"field.target":"x","field.timestamp":0}
        "#]],
    );
}

#[test]
fn a_field_whose_name_is_no_word_breaks_no_line() {
    check_json(
        || info!(target: "t", { "a\"b\n" = 1, r#type = 2, dotted.name = 3 }, "names"),
        expect![[r#"
            {"timestamp":"NOW","level":"INFO","target":"t","message":"names","field":1,"type":2,"dotted.name":3}
        "#]],
    );
}

#[test]
fn spans_add_their_fields_the_inner_one_first() {
    check_json(
        || {
            let outer = info_span!(target: "t", "outer", request_id = "req_1", stage = "rag", n = 1);
            let _outer = outer.entered();
            let inner = info_span!(target: "t", "inner", stage = "stream", outcome = field::Empty);
            let _inner = inner.entered();
            info!(target: "t", n = 3, "before");
            Span::current().record("outcome", "ok");
            Span::current().record("stage", "end");
            info!(target: "t", "after");
        },
        expect![[r#"
            {"timestamp":"NOW","level":"INFO","target":"t","message":"before","n":3,"stage":"stream","request_id":"req_1"}
            {"timestamp":"NOW","level":"INFO","target":"t","message":"after","stage":"end","outcome":"ok","request_id":"req_1","n":1}
        "#]],
    );
}

#[test]
fn the_field_of_a_span_that_is_named_like_ours_gets_another_name() {
    check_json(
        || {
            let _span = info_span!(target: "t", "s", message = "of the span").entered();
            info!(target: "t", "of the event");
        },
        expect![[r#"
            {"timestamp":"NOW","level":"INFO","target":"t","message":"of the event","field.message":"of the span"}
        "#]],
    );
}

#[test]
fn people_read_the_same_fields() {
    check(
        Format::Pretty,
        || {
            let _span = info_span!(target: "t", "s", request_id = "req_1", note = "two words").entered();
            info!(target: "t", n = 3, "hello");
        },
        expect![[r#"
            NOW  INFO t: hello n=3 request_id=req_1 note="two words"
        "#]],
    );
}

#[test]
fn a_value_that_logs_while_it_is_shown_does_no_harm() {
    struct Chatty;
    impl fmt::Debug for Chatty {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info!(target: "t", "from within");
            f.write_str("chatty")
        }
    }
    check_json(
        || info!(target: "t", value = ?Chatty, "outer"),
        expect![[r#"
        {"timestamp":"NOW","level":"INFO","target":"t","message":"outer","value":"chatty"}
    "#]],
    );
}

/// What a program does with spans and events, whose fields are `a`, `b` and `c`.
#[derive(Clone, Debug)]
enum Step {
    Enter([Option<i64>; 2]),
    Leave,
    RecordA(i64),
    RecordC(i64),
    Event([Option<i64>; 2]),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pair = || prop::array::uniform2(prop::option::of(0..100_i64));
    let step = prop_oneof![
        1 => pair().prop_map(Step::Enter),
        1 => Just(Step::Leave),
        1 => (0..100_i64).prop_map(Step::RecordA),
        1 => (0..100_i64).prop_map(Step::RecordC),
        3 => pair().prop_map(Step::Event),
    ];
    prop::collection::vec(step, 0..30)
}

fn run(steps: &[Step]) {
    let mut open: Vec<EnteredSpan> = Vec::new();
    for step in steps {
        match step {
            Step::Enter([a, b]) => open.push(info_span!(target: "t", "s", a, b, c = field::Empty).entered()),
            Step::Leave => drop(open.pop()),
            Step::RecordA(a) => drop(Span::current().record("a", a)),
            Step::RecordC(c) => drop(Span::current().record("c", c)),
            Step::Event([b, c]) => info!(target: "t", b, c, "event"),
        }
    }
    // Spans are left in the order in which they were entered, last first.
    while open.pop().is_some() {}
}

/// The fields of each event, by a model: an event has its own, and of those around it the innermost.
fn expected(steps: &[Step]) -> Vec<Json> {
    let mut open: Vec<[Option<i64>; 3]> = Vec::new();
    let mut events = Vec::new();
    for step in steps {
        match step {
            Step::Enter([a, b]) => open.push([*a, *b, None]),
            Step::Leave => drop(open.pop()),
            Step::RecordA(a) => open
                .iter_mut()
                .next_back()
                .into_iter()
                .for_each(|span| span[0] = Some(*a)),
            Step::RecordC(c) => open
                .iter_mut()
                .next_back()
                .into_iter()
                .for_each(|span| span[2] = Some(*c)),
            Step::Event([b, c]) => {
                let around = |n: usize| open.iter().rev().find_map(|span| span[n]);
                // A field that the event names hides those around it, even without a value.
                events.push(object([("a", around(0)), ("b", *b), ("c", *c)]));
            }
        }
    }
    events
}

fn object(fields: [(&str, Option<i64>); 3]) -> Json {
    let there = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Json::Object(there.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_event_has_the_fields_of_the_innermost_span_that_has_them(steps in steps()) {
        let config = Config { level: "info,t=info".to_owned(), ..Config::default() };
        let text = logged(&config, |_| run(&steps));
        let read: Vec<Json> = text.lines().map(|line| {
            let mut fields: Map<String, Json> = serde_json::from_str(line).unwrap();
            fields.retain(|name, _| ["a", "b", "c"].contains(&name.as_str()));
            Json::Object(fields)
        }).collect();
        prop_assert_eq!(read, expected(&steps));
    }
}
