#![allow(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "the reference cuts texts at places that it found itself"
)]

use super::*;
use expect_test::{Expect, expect};
use prometheus::Registry;
use proptest::prelude::*;
use regex::{NoExpand, Regex};
use std::sync::LazyLock;

fn redaction(pattern: &str) -> Redaction {
    Redaction {
        name: "secret".to_owned(),
        pattern: pattern.to_owned(),
        replacement: "*".to_owned(),
        max_match_bytes: 256,
    }
}

fn build(redaction: &Redaction) -> Result<Redactor, Error> {
    Redactor::build(redaction, &Metrics::register(&Registry::new()).unwrap())
}

fn redactor(pattern: &str) -> Redactor {
    build(&redaction(pattern)).unwrap()
}

/// What each piece releases, the last one at the end of the text.
fn released(redactor: &Redactor, pieces: &[&str]) -> Vec<String> {
    let mut redacting = Redacting::default();
    let mut released = Vec::new();
    for piece in pieces {
        let mut out = String::new();
        redacting.push(redactor, piece, false, &mut out);
        released.push(out);
    }
    let mut out = String::new();
    redacting.push(redactor, "", true, &mut out);
    released.push(out);
    released
}

#[track_caller]
fn check(pattern: &str, pieces: &[&str], expected: Expect) {
    expected.assert_eq(&released(&redactor(pattern), pieces).join(","));
}

#[track_caller]
fn check_refused(redaction: &Redaction, expected: Expect) {
    let error = build(redaction).map(|_| ()).expect_err("it should be refused");
    expected.assert_eq(&error.to_string());
}

#[test]
fn a_match_is_replaced_wherever_it_is_cut() {
    check("secret", &["a secret b"], expect!["a * b,"]);
    check("secret", &["a sec", "ret b"], expect!["a ,* b,"]);
    check("secret", &["s", "e", "c", "r", "e", "t"], expect![",,,,,*,"]);
    check("secret", &["sec", "ond secrets"], expect![",second *,s"]);
    check("secret", &["sesecret", "secretsecr"], expect!["se*,*,secr"]);
}

#[test]
fn what_cannot_match_any_more_is_released_at_once() {
    check(
        "sk-[a-z]{4,8}",
        &["Hello", " there", ", s", "o be it. sk", "y"],
        expect!["Hello, there,, ,so be it. ,sky,"],
    );
    check(
        "[0-9]{4} [0-9]{4}",
        &["12", "34", " 5", "6x", "1 1234 "],
        expect![",,,1234 56x,1 ,1234 "],
    );
}

#[test]
fn a_match_of_the_greatest_length_needs_no_more_text() {
    check("[0-9]{4}", &["1234", "5", "678", "9"], expect!["*,,*,,9"]);
    check("[0-9]{2,4}", &["12", "34", "5", "6"], expect![",*,,,*"]);
}

#[test]
fn the_leftmost_match_wins_and_the_first_alternative_at_it() {
    check("abcd|bc", &["xabc", "e"], expect!["x,a*e,"]);
    check("abcd|bc", &["xabc", "d"], expect!["x,*,"]);
    check("a|ab|abc", &["ab", "c"], expect!["*b,c,"]);
    check("a{1,3}?", &["aa", "aa"], expect!["**,**,"]);
}

#[test]
fn a_pattern_may_look_around() {
    check(
        r"\bkey\b",
        &["key", "s mon", "key ", "key", "."],
        expect![",keys mon,key ,,,*."],
    );
    check(r"\bkey\b", &["é", "key", " k", "ey"], expect![",,é,key ,*"]);
    check("^ab", &["a", "bab", "ab"], expect![",*ab,ab,"]);
    check("ab$", &["ab", "ab", "a", "b"], expect![",ab,ab,,*"]);
    check(
        "(?m)^a$",
        &["a", "\na", "\naa\n", "a"],
        expect![[r#"
        ,*
        ,*
        aa
        ,,*"#]],
    );
    check(r"x\b{end}", &["x", "y x", " "], expect![",xy ,,* "]);
}

#[test]
fn characters_of_several_bytes_are_matched_whole() {
    check("é.é", &["é", "\u{1f600}", "é", "é"], expect![",,*,,é"]);
    check("(?i)straße", &["STRA", "ßE Stra", "sse"], expect![",* ,Strasse,"]);
}

#[test]
fn a_match_may_be_replaced_by_what_matches_again() {
    let again = Redaction {
        replacement: "a$0a".to_owned(),
        ..redaction("aa")
    };
    assert_eq!(released(&build(&again).unwrap(), &["aa", "a"]).concat(), "a$0aa");
    let nothing = Redaction {
        replacement: String::new(),
        ..redaction("aa")
    };
    assert_eq!(released(&build(&nothing).unwrap(), &["xaay", "aa"]).concat(), "xy");
}

#[test]
fn what_is_held_back_is_bounded_by_the_longest_match() {
    let redactor = redactor("[a-z]{1,50}[0-9]");
    let mut redacting = Redacting::default();
    let mut out = String::new();
    for _ in 0..1000 {
        redacting.push(&redactor, "letters", false, &mut out);
        assert!(
            redacting.text.len() <= 50 + 1,
            "{} bytes are held",
            redacting.text.len()
        );
    }
    redacting.push(&redactor, "", true, &mut out);
    assert_eq!(out, "letters".repeat(1000));
}

#[test]
fn a_long_text_with_many_matches_is_read_in_one_go() {
    let redactor = redactor("[0-9]{3}-[0-9]{4}");
    let text = "call 555-1234 or 555-123 ".repeat(2000);
    let mut out = String::new();
    Redacting::default().push(&redactor, &text, true, &mut out);
    assert_eq!(out, "call * or 555-123 ".repeat(2000));
    assert_eq!(redactor.count.get(), 2000);
}

#[test]
fn each_match_is_counted_under_its_name() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let redactor = Redactor::build(&redaction("a"), &metrics).unwrap();
    released(&redactor, &["banana"]);
    assert_eq!(metrics.redactions("secret").get(), 3);
    assert!(format!("{redactor:?}").contains("Runs"));
}

#[test]
fn a_pattern_without_a_bound_is_refused() {
    check_refused(
        &redaction("[0-9]+"),
        expect![
            "pipeline.stages.post_process.redact `secret`: a match of the pattern may be of any length, so a stream would be held back without end; bound it, as in `[0-9]{1,20}` for `[0-9]+`"
        ],
    );
    check_refused(
        &redaction("a.*b"),
        expect![
            "pipeline.stages.post_process.redact `secret`: a match of the pattern may be of any length, so a stream would be held back without end; bound it, as in `[0-9]{1,20}` for `[0-9]+`"
        ],
    );
}

#[test]
fn a_match_longer_than_allowed_is_refused() {
    check_refused(
        &redaction("[a-z]{257}"),
        expect![
            "pipeline.stages.post_process.redact `secret`: the longest match of the pattern is 257 bytes, but max_match_bytes is 256"
        ],
    );
    assert!(build(&redaction("[a-z]{256}")).is_ok());
    let short = Redaction {
        max_match_bytes: 5,
        ..redaction("é{3}")
    };
    check_refused(
        &short,
        expect![
            "pipeline.stages.post_process.redact `secret`: the longest match of the pattern is 6 bytes, but max_match_bytes is 5"
        ],
    );
}

#[test]
fn a_pattern_that_matches_the_empty_text_or_nothing_is_refused() {
    check_refused(
        &redaction("a?"),
        expect![
            "pipeline.stages.post_process.redact `secret`: the pattern matches the empty text, which is everywhere"
        ],
    );
    check_refused(
        &redaction(r"\b"),
        expect![
            "pipeline.stages.post_process.redact `secret`: the pattern matches the empty text, which is everywhere"
        ],
    );
    check_refused(
        &redaction(""),
        expect![
            "pipeline.stages.post_process.redact `secret`: the pattern matches the empty text, which is everywhere"
        ],
    );
    check_refused(
        &redaction("[a&&b]"),
        expect!["pipeline.stages.post_process.redact `secret`: the pattern can match nothing at all"],
    );
}

#[test]
fn a_pattern_that_is_none_is_refused() {
    check_refused(
        &redaction("[a-"),
        expect![[r#"
        pipeline.stages.post_process.redact `secret`: the pattern cannot be read: regex parse error:
            [a-
            ^
        error: unclosed character class"#]],
    );
    check_refused(
        &redaction(r"(?-u:\xff)"),
        expect![[r#"
        pipeline.stages.post_process.redact `secret`: the pattern cannot be read: regex parse error:
            (?-u:\xff)
                 ^^^^
        error: pattern can match invalid UTF-8"#]],
    );
}

#[test]
fn a_pattern_that_compiles_to_too_much_is_refused() {
    let large = Redaction {
        max_match_bytes: 1024,
        ..redaction(r"\w{250}")
    };
    assert!(matches!(build(&large), Err(Error::TooLarge { name, .. }) if name == "secret"));
}

const PATTERNS: [&str; 20] = [
    "ab",
    "a|ab|abc",
    "abcd|bc",
    "a{1,4}b",
    "a{1,4}?b?",
    "(?:ab){1,3}",
    "[ab]{2,3}",
    "(?i)AB",
    "^a",
    "b$",
    r"\Aab\z|c",
    r"(?m)^a{1,2}$",
    r"(?Rm)^b{1,2}$",
    r"\bab\b",
    r"\Bb",
    r"(?-u:\b)a",
    r"\b{start}a\b{end-half}",
    "é.{0,2}é",
    r"\w{1,2}-\w{1,2}",
    "[^a]{2,5}c",
];

/// Each of `patterns` as we build it, and as the reference runs it over a whole text.
fn both(patterns: &[&'static str]) -> Vec<(&'static str, Redactor, Regex)> {
    let build = |pattern: &&'static str| (*pattern, redactor(pattern), Regex::new(pattern).unwrap());
    patterns.iter().map(build).collect()
}

static ALL: LazyLock<Vec<(&str, Redactor, Regex)>> = LazyLock::new(|| both(&PATTERNS));

/// The same with automata that forget their states all the time.
static FORGETFUL: LazyLock<Vec<(&str, Redactor, Regex)>> = LazyLock::new(|| {
    let mut all = both(&PATTERNS);
    for (pattern, redactor, _) in &mut all {
        redactor.runs = Runs::build(&regex_syntax::parse(pattern).unwrap(), 0).unwrap();
    }
    all
});

static SIMPLE: LazyLock<Vec<(&str, Redactor, Regex)>> =
    LazyLock::new(|| both(&["ab", "abcd|bc", "a{1,4}b", "(?:ab){1,3}", "[^a]{2,5}c"]));

/// Every text of at most `length` of the letters that decide the simple patterns.
fn continuations(length: usize) -> Vec<String> {
    let shorter = if length == 0 { vec![] } else { continuations(length - 1) };
    let longer = shorter
        .iter()
        .flat_map(|text| ["a", "b", "c", "d"].map(|letter| format!("{text}{letter}")));
    [String::new()].into_iter().chain(longer).collect()
}

fn some_text() -> impl Strategy<Value = Vec<String>> {
    let piece = prop_oneof![
        3 => "[abc\né -]{0,3}",
        1 => prop::sample::select(&["ab", "abc", "abcd", "aab", "éaé", "\r\n", "a-b", " ab "][..]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The same comes out as when the expression is run over the whole text at once.
    #[test]
    fn cuts_change_nothing(pieces in some_text()) {
        let whole = pieces.concat();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        for (pattern, redactor, regex) in ALL.iter().chain(&*FORGETFUL) {
            let expected = regex.replace_all(&whole, NoExpand("*")).into_owned();
            let out = released(redactor, &pieces).concat();
            prop_assert_eq!(&out, &expected, "{} over {:?}", pattern, pieces);
        }
    }

    /// The same of a text that is cut between all its characters.
    #[test]
    fn even_single_characters_change_nothing(whole in "[abc\né -]{0,24}") {
        let pieces: Vec<String> = whole.chars().map(String::from).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        for (pattern, redactor, regex) in &*ALL {
            let expected = regex.replace_all(&whole, NoExpand("*")).into_owned();
            prop_assert_eq!(released(redactor, &pieces).concat(), expected, "{}", pattern);
        }
    }

    /// What is held back begins where some continuation would begin a match, or continue one.
    #[test]
    fn nothing_is_held_back_that_cannot_match(whole in "[abc ]{0,12}") {
        for (pattern, redactor, regex) in &*SIMPLE {
            let mut redacting = Redacting::default();
            redacting.push(redactor, &whole, false, &mut String::new());
            let held = redacting.text.len() - redacting.from;
            let at = whole.len() - held;
            let begins = |end: &String| {
                let found = regex.find_at(&format!("{whole}{end}"), at).map(|found| found.range());
                found.is_some_and(|found| found.start == at && found.end >= whole.len())
            };
            let ends = continuations(3);
            prop_assert!(held == 0 || ends.iter().any(begins), "{pattern} holds {:?}", &whole[at..]);
        }
    }
}
