#![allow(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "the reference cuts texts at places that it found itself"
)]

use super::*;
use proptest::prelude::*;

fn stops(stops: &[&str]) -> Stops {
    let stops: Vec<String> = stops.iter().map(|stop| (*stop).to_owned()).collect();
    Stops::build(&stops).unwrap().unwrap()
}

/// What each piece releases; `|` where the text stopped.
fn pieces(stops: &Stops, pieces: &[&str]) -> String {
    let mut stopping = Stopping::default();
    let mut shown = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let mut out = String::new();
        let is_last = at == pieces.len() - 1;
        let stopped = stopping.push(stops, piece, is_last, &mut out);
        shown.push(out + if stopped { "|" } else { "" });
        if stopped {
            break;
        }
    }
    shown.join(",")
}

#[test]
fn the_text_is_cut_before_a_stop_string() {
    let stops = stops(&["###", "END"]);
    for (text, expected) in [
        (vec!["so far ### and on"], "so far |"),
        (vec!["so far ENDless"], "so far |"),
        (vec!["###"], "|"),
        (vec!["#", "#", "#", "x"], ",,|"),
        (vec!["a#", "#b", ""], "a,##b,"),
        (vec!["E", "N", "E", "N", "D", ""], ",,EN,,|"),
        (vec!["nothing here"], "nothing here"),
    ] {
        assert_eq!(pieces(&stops, &text), expected, "{text:?}");
    }
}

#[test]
fn only_the_begin_of_a_stop_string_is_held_back() {
    let stops = stops(&["\n\nHuman:"]);
    assert_eq!(
        pieces(&stops, &["Hello", " wor", "ld\n", "next\n\nH", "um", "ble", ""]),
        "Hello, wor,ld,\nnext,,\n\nHumble,"
    );
}

#[test]
fn the_begin_of_a_stop_string_at_the_end_is_text() {
    assert_eq!(pieces(&stops(&["STOP"]), &["a ST", "O", ""]), "a ,,STO");
    assert_eq!(pieces(&stops(&["STOP"]), &["a STO"]), "a STO");
}

#[test]
fn the_stop_that_begins_first_wins_even_when_another_ends_before_it() {
    let stops = stops(&["abcd", "bc"]);
    assert_eq!(pieces(&stops, &["xabc", "d"]), "x,|");
    // Only now is it clear that the longer one does not stand there.
    assert_eq!(pieces(&stops, &["xabc", "e"]), "x,a|");
    assert_eq!(pieces(&stops, &["xabc", ""]), "x,a|");
    assert_eq!(pieces(&stops, &["xbc"]), "x|");
}

#[test]
fn a_stop_string_may_be_any_text() {
    let stops = stops(&["é✓", "\u{1f600}\u{1f600}"]);
    assert_eq!(pieces(&stops, &["aé", "b\u{1f600}", "\u{1f600}"]), "a,éb,|");
    assert_eq!(pieces(&stops, &["éé", "✓"]), "é,|");
}

#[test]
fn there_may_be_no_stop_strings_but_no_empty_one() {
    assert!(Stops::build(&[]).unwrap().is_none());
    let error = Stops::build(&["a".to_owned(), String::new()]).unwrap_err();
    assert_eq!(error, Error::EmptyStop { index: 1 });
}

const WORDS: [&str; 5] = ["ab", "abc", "bca", "é", "cc"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The same comes out as of the whole text, and at each moment all has come out that cannot belong to a stop string.
    #[test]
    fn cuts_change_nothing_and_hold_nothing_up(
        text in prop::collection::vec("[abcé]{0,3}", 0..12),
        chosen in prop::sample::subsequence(&WORDS[..], 1..4),
    ) {
        let stops = stops(&chosen);
        let whole = text.concat();
        let stop = chosen.iter().filter_map(|stop| whole.find(stop)).min();
        let (mut stopping, mut out, mut stopped) = (Stopping::default(), String::new(), false);
        let mut so_far = String::new();
        for piece in &text {
            stopped = stopping.push(&stops, piece, false, &mut out);
            if stopped {
                break;
            }
            so_far.push_str(piece);
            let is_border = |at: &usize| so_far.is_char_boundary(*at);
            let begins = |at: usize| chosen.iter().any(|stop| stop.starts_with(&so_far[at..]));
            let open = (0..so_far.len()).filter(is_border).find(|at| begins(*at)).unwrap_or(so_far.len());
            prop_assert_eq!(&out, &so_far[..open]);
        }
        if !stopped {
            stopped = stopping.push(&stops, "", true, &mut out);
        }
        prop_assert_eq!(stopped, stop.is_some());
        prop_assert_eq!(out.as_str(), &whole[..stop.unwrap_or(whole.len())]);
    }
}
