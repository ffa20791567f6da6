#![allow(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "the reference cuts texts at places that it found itself"
)]

use super::*;
use crate::Redaction;
use prometheus::Registry;
use proptest::prelude::*;
use regex::{NoExpand, Regex};
use std::sync::LazyLock;

fn redaction(name: &str, pattern: &str, replacement: &str) -> Redaction {
    Redaction {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        replacement: replacement.to_owned(),
        max_match_bytes: 256,
    }
}

fn build(config: &Config) -> Result<Option<Filters>, Error> {
    Filters::build(config, &Metrics::register(&Registry::new()).unwrap())
}

fn config(stop: &[&str], redact: &[(&str, &str)], trim: Trim) -> Config {
    let redact = redact.iter().enumerate();
    Config {
        stop: stop.iter().map(|stop| (*stop).to_owned()).collect(),
        redact: redact
            .map(|(n, (pattern, new))| redaction(&format!("r{n}"), pattern, new))
            .collect(),
        trim,
        ..Config::default()
    }
}

/// What a text becomes, piece by piece; `|` where it stopped.
fn pieces(config: &Config, scope: Scope, pieces: &[&str]) -> String {
    let filters = build(config).unwrap().unwrap();
    let mut passage = Passage::default();
    let mut shown = Vec::new();
    for piece in pieces {
        let mut out = String::new();
        if passage.push(&filters, scope, piece, &mut out) == Outcome::Stopped {
            shown.push(out + "|");
            return shown.join(",");
        }
        shown.push(out);
    }
    let mut out = String::new();
    let stopped = passage.end(&filters, scope, &mut out) == Outcome::Stopped;
    shown.push(out + if stopped { "|" } else { "" });
    shown.join(",")
}

#[test]
fn redaction_sees_the_text_up_to_the_stop_and_trimming_what_it_left() {
    let config = config(&["STOP"], &[("key", ""), ("[0-9]{2}", "#")], Trim::Both);
    assert_eq!(
        pieces(&config, Scope::Answer, &[" key", " a 1", "2 key ST", "OP key"]),
        ",a, #,|"
    );
    assert_eq!(pieces(&config, Scope::Answer, &["a 1S", "TOP"]), "a, 1|");
    assert_eq!(pieces(&config, Scope::Answer, &["a STO", "  "]), "a, STO,");
}

#[test]
fn a_later_redaction_sees_what_an_earlier_one_wrote() {
    let config = config(&[], &[("aa", "b"), ("bb", "c")], Trim::None);
    assert_eq!(pieces(&config, Scope::Answer, &["aaa", "a", "b", "x"]), ",c,,bx,");
    assert_eq!(pieces(&config, Scope::Answer, &["aaaa"]), "c,");
}

#[test]
fn what_is_said_beside_the_answer_is_redacted_and_nothing_else() {
    let config = config(&["STOP"], &[("key", "*")], Trim::Both);
    assert_eq!(pieces(&config, Scope::Beside, &[" a STOP k", "ey "]), " a STOP ,* ,");
}

#[test]
fn a_text_may_begin_anew_after_its_end() {
    let filters = build(&config(&[], &[("^a", "*")], Trim::Start)).unwrap().unwrap();
    let mut passage = Passage::default();
    for _ in 0..2 {
        let mut out = String::new();
        assert_eq!(
            passage.push(&filters, Scope::Answer, "ab a", &mut out),
            Outcome::Running
        );
        assert_eq!(passage.end(&filters, Scope::Answer, &mut out), Outcome::Running);
        assert_eq!(out, "*b a");
    }
}

#[test]
fn a_configuration_that_changes_nothing_has_no_filters() {
    assert!(build(&Config::default()).unwrap().is_none());
    for on in [
        config(&["a"], &[], Trim::None),
        config(&[], &[("a", "")], Trim::None),
        config(&[], &[], Trim::End),
    ] {
        assert!(build(&on).unwrap().is_some());
        let off = Config { enabled: false, ..on };
        assert!(build(&off).unwrap().is_none());
    }
}

#[test]
fn faults_are_told_even_of_filters_that_are_off() {
    let off = |config: Config| Config {
        enabled: false,
        ..config
    };
    let twice = Config {
        redact: vec![
            redaction("a", "x", ""),
            redaction("b", "x", ""),
            redaction("a", "y", ""),
        ],
        ..Config::default()
    };
    let name = || "a".to_owned();
    assert_eq!(build(&off(twice)).unwrap_err(), Error::DuplicateName { name: name() });
    assert_eq!(
        build(&off(config(&["x", ""], &[], Trim::None))).unwrap_err(),
        Error::EmptyStop { index: 1 }
    );
    let name = "r1".to_owned();
    let unbounded = config(&[], &[("a", ""), ("b*c", "")], Trim::None);
    assert_eq!(build(&off(unbounded)).unwrap_err(), Error::Unbounded { name });
}

const STOPS: [&str; 3] = ["abc", "bb", "é-"];
const PATTERNS: [(&str, &str); 4] = [("a{1,3}b", "<1>"), (r"\bc\b", ""), ("é|-.", "b"), ("(?m) $", "a")];
const TRIMS: [Trim; 4] = [Trim::None, Trim::Start, Trim::End, Trim::Both];

static REFERENCE: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    PATTERNS
        .iter()
        .map(|(pattern, _)| Regex::new(pattern).unwrap())
        .collect()
});

static CHOSEN: LazyLock<Vec<(Chosen, Filters)>> = LazyLock::new(|| {
    let masks = (0..8_usize).flat_map(|stops| (0..16_usize).map(move |patterns| (stops, patterns)));
    let chosen = masks.enumerate().map(|(n, (stops, patterns))| Chosen {
        stops: chosen_of(&STOPS, stops),
        patterns: chosen_of(&[0, 1, 2, 3], patterns),
        trim: TRIMS[n % 4],
    });
    chosen
        .filter_map(|chosen| Some((chosen.clone(), build(&chosen.config()).unwrap()?)))
        .collect()
});

/// Some of the filters.
#[derive(Clone, Debug)]
struct Chosen {
    stops: Vec<&'static str>,
    patterns: Vec<usize>,
    trim: Trim,
}

fn chosen_of<T: Copy>(all: &[T], mask: usize) -> Vec<T> {
    let chosen = all.iter().enumerate().filter(|(n, _)| mask & (1 << n) != 0);
    chosen.map(|(_, one)| *one).collect()
}

impl Chosen {
    fn config(&self) -> Config {
        let patterns: Vec<_> = self.patterns.iter().map(|n| PATTERNS[*n]).collect();
        config(&self.stops, &patterns, self.trim)
    }

    /// What the filters make of a whole text at once.
    fn reference(&self, text: &str) -> (String, Outcome) {
        let stop = self.stops.iter().filter_map(|stop| text.find(stop)).min();
        let mut text = text[..stop.unwrap_or(text.len())].to_owned();
        for n in &self.patterns {
            text = REFERENCE[*n].replace_all(&text, NoExpand(PATTERNS[*n].1)).into_owned();
        }
        let text = match self.trim {
            Trim::None => &text,
            Trim::Start => text.trim_start(),
            Trim::End => text.trim_end(),
            Trim::Both => text.trim(),
        };
        let outcome = if stop.is_some() {
            Outcome::Stopped
        } else {
            Outcome::Running
        };
        (text.to_owned(), outcome)
    }
}

fn run(filters: &Filters, pieces: &[String]) -> (String, Outcome) {
    let (mut passage, mut out) = (Passage::default(), String::new());
    for piece in pieces {
        if passage.push(filters, Scope::Answer, piece, &mut out) == Outcome::Stopped {
            return (out, Outcome::Stopped);
        }
    }
    let outcome = passage.end(filters, Scope::Answer, &mut out);
    (out, outcome)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any filters together make the same of a text however it is cut, and of the whole text at once.
    #[test]
    fn cuts_change_nothing_for_any_filters_together(
        pieces in prop::collection::vec(prop_oneof![
            3 => "[abcé \n-]{0,3}",
            1 => prop::sample::select(&["abc", "aab", "bb", " c ", "é-", "- ", " \n"][..]).prop_map(str::to_owned),
        ], 0..12),
        n in 0..127_usize,
    ) {
        let (chosen, filters) = &CHOSEN[n];
        let whole = pieces.concat();
        let expected = chosen.reference(&whole);
        prop_assert_eq!(&run(filters, &pieces), &expected, "{:?}", chosen);
        prop_assert_eq!(&run(filters, std::slice::from_ref(&whole)), &expected, "{:?} in one piece", chosen);
        let single: Vec<String> = whole.chars().map(String::from).collect();
        prop_assert_eq!(&run(filters, &single), &expected, "{:?} by characters", chosen);
    }
}
