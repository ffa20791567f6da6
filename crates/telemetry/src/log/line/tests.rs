#![allow(
    clippy::arithmetic_side_effects,
    reason = "the reference for the calendar is arithmetic"
)]

use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::json;

const PRETTY: Style = Style::Pretty { is_coloured: false };

fn line(style: Style, message: &str, fill: impl FnOnce(&mut Line<'_>)) -> String {
    let heading = Heading {
        time: Duration::from_micros(1_795_176_000_000_250),
        level: Level::INFO,
        target: "t",
        message: Value::Text(message),
    };
    let mut out = Vec::new();
    compose(style, &heading, fill, |bytes| out = bytes.to_vec());
    String::from_utf8(out).unwrap()
}

fn all_values(line: &mut Line<'_>) {
    line.field("text", Value::Text("a b\n\"\u{7}é"));
    line.field("shown", Value::Shown(&format_args!("{}-{}\n", 1, "x")));
    line.field("unsigned", Value::Unsigned(u64::MAX));
    line.field("signed", Value::Signed(i64::MIN));
    line.field("float", Value::Float(0.25));
    line.field("large", Value::Float(1e300));
    line.field("nan", Value::Float(f64::NAN));
    line.field("flag", Value::Flag(true));
    line.optional("none", None::<u64>);
    line.optional("some", Some("word"));
    line.field("rendered", Value::Rendered(b"7"));
}

#[track_caller]
fn check(style: Style, expected: Expect) {
    expected.assert_eq(&line(style, "two\nlines \u{1b}[31m", all_values));
}

#[test]
fn every_kind_of_value_is_json() {
    check(
        Style::Json,
        expect![[r#"
        {"timestamp":"2026-11-20T12:00:00.000250Z","level":"INFO","target":"t","message":"two\nlines \u001b[31m","text":"a b\n\"\u0007é","shown":"1-x\n","unsigned":18446744073709551615,"signed":-9223372036854775808,"float":0.25,"large":1e300,"nan":"NaN","flag":true,"some":"word","rendered":7}
    "#]],
    );
}

#[test]
fn people_read_words_bare_and_the_rest_in_quotes() {
    check(
        PRETTY,
        expect![[r#"
        2026-11-20T12:00:00.000250Z  INFO t: two\nlines \u{1b}[31m text="a b\n\"\u{7}é" shown="1-x\n" unsigned=18446744073709551615 signed=-9223372036854775808 float=0.25 large=1e300 nan=NaN flag=true some=word rendered=7
    "#]],
    );
}

#[test]
fn colours_stand_around_time_and_level_alone() {
    let text = line(Style::Pretty { is_coloured: true }, "m", |line| {
        line.field("k", Value::Flag(false))
    });
    expect![[r#"
        ESC[2m2026-11-20T12:00:00.000250Z ESC[0;32m INFOESC[0m t: m k=false
    "#]]
    .assert_eq(&text.replace('\u{1b}', "ESC"));
}

#[test]
fn each_level_has_its_colour() {
    let colours = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG].map(|level| Paint::of(level, true).level);
    let mut distinct = colours.to_vec();
    distinct.dedup();
    assert_eq!(distinct.len(), colours.len());
    assert_eq!(Paint::of(Level::ERROR, false).level, "");
}

#[test]
fn a_time_beyond_the_calendar_does_no_harm() {
    let mut out = Vec::new();
    timestamp(&mut out, Duration::MAX);
    timestamp(&mut out, Duration::ZERO);
    assert_eq!(out, b"9999-12-30T22:00:00.999999Z1970-01-01T00:00:00.000000Z");
}

#[test]
fn a_line_may_be_made_while_another_is() {
    let mut inner = String::new();
    let outer = line(Style::Json, "outer", |out| {
        inner = line(Style::Json, "inner", |_| ());
        out.field("after", Value::Flag(true));
    });
    assert!(outer.contains(r#""message":"outer","after":true"#) && inner.contains(r#""message":"inner""#));
}

#[test]
fn a_huge_line_leaves_no_huge_buffer_behind() {
    line(Style::Json, &"x".repeat(1 << 20), |_| ());
    let kept = BUFFER.take();
    assert!(kept.capacity() <= KEPT_CAPACITY);
    line(Style::Json, "small", |_| ());
    assert!(BUFFER.take().capacity() > 0, "a small one is used again");
}

/// Fails to show itself, after it has shown a part.
struct Broken;

impl Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        Err(fmt::Error)
    }
}

#[test]
fn a_value_that_cannot_be_shown_breaks_no_line() {
    for (style, expected) in [
        (Style::Json, r#","broken":"half","after":1}"#),
        (PRETTY, " broken=half after=1"),
    ] {
        let text = line(style, "m", |line| {
            line.field("broken", Value::Shown(&Broken));
            line.field("after", Value::Unsigned(1));
        });
        assert!(text.trim_end().ends_with(expected), "{text}");
        let heading = Heading {
            time: Duration::ZERO,
            level: Level::INFO,
            target: "t",
            message: Value::Shown(&Broken),
        };
        compose(style, &heading, |_| (), |bytes| assert_eq!(bytes.last(), Some(&b'\n')));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever a client sends as a name, a line is one line, and JSON gives it back unchanged.
    #[test]
    fn a_line_stays_one_line(message in any::<String>(), value in any::<String>()) {
        for style in [Style::Json, PRETTY] {
            let text = line(style, &message, |line| {
                line.field("text", Value::Text(&value));
                line.field("shown", Value::Shown(&value));
            });
            let body = text.strip_suffix('\n').unwrap();
            let has_control = body.contains(char::is_control) && style == PRETTY;
            prop_assert!(!has_control && !body.contains(['\n', '\r']));
            if style == Style::Json {
                let parsed: serde_json::Value = serde_json::from_str(body).unwrap();
                let found = [&parsed["message"], &parsed["text"], &parsed["shown"]];
                prop_assert_eq!(found, [&json!(message), &json!(value), &json!(value)]);
            }
        }
    }

    /// A number is written as JSON writes it.
    #[test]
    fn a_float_is_read_back(number in any::<f64>()) {
        let text = String::from_utf8(rendered(Style::Json, Value::Float(number))).unwrap();
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        if number.is_finite() {
            prop_assert_eq!(text.parse::<f64>().unwrap(), number);
        }
    }

    /// Times are those of the calendar, by the rule that Howard Hinnant gives for days since 1970.
    #[test]
    fn a_time_is_that_of_the_calendar(seconds in 0..253_000_000_000_u64, micros in 0..1_000_000_u32) {
        let mut out = Vec::new();
        timestamp(&mut out, Duration::new(seconds, micros * 1000));
        let (days, second) = (seconds as i64 / 86_400, seconds % 86_400);
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let expected = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z");
        prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn any_value_may_be_the_message() {
    let messages = [
        (Value::Text("a\nb"), r#""a\nb""#, r"a\nb"),
        (Value::Shown(&'x'), r#""x""#, "x"),
        (Value::Unsigned(7), "7", "7"),
        (Value::Signed(-7), "-7", "-7"),
        (Value::Float(0.5), "0.5", "0.5"),
        (Value::Flag(false), "false", "false"),
        (Value::Rendered(b"[1]"), "[1]", "[1]"),
    ];
    for (message, json, pretty) in messages {
        for (style, expected) in [
            (Style::Json, format!(r#""message":{json}}}"#)),
            (PRETTY, format!(" t: {pretty}")),
        ] {
            let heading = Heading {
                time: Duration::ZERO,
                level: Level::WARN,
                target: "t",
                message,
            };
            let mut out = Vec::new();
            compose(style, &heading, |_| (), |bytes| out = bytes.to_vec());
            let out = String::from_utf8(out).unwrap();
            assert!(out.trim_end().ends_with(&expected), "{out}");
        }
    }
}

#[test]
fn a_thread_writes_each_second_as_if_it_were_its_first() {
    for seconds in [0, 1, 1, 59, 60, 1, 86_399, 86_400, u64::MAX, 0, 1_795_176_000, u64::MAX] {
        let time = Duration::new(seconds, 7_000);
        let (mut here, mut fresh) = (Vec::new(), Vec::new());
        timestamp(&mut here, time);
        std::thread::scope(|scope| {
            scope.spawn(|| timestamp(&mut fresh, time));
        });
        assert_eq!(String::from_utf8(here), String::from_utf8(fresh));
    }
}
