use super::*;
use expect_test::expect;
use proptest::prelude::*;
use std::fmt::Write;

fn shown(text: &str, max_bytes: usize) -> String {
    let mut shown = String::new();
    for piece in split(text, max_bytes) {
        writeln!(shown, "[{}] {:?}", piece.heading, piece.text).unwrap();
    }
    shown
}

#[test]
fn a_document_is_cut_at_its_headings() {
    let text = "Before.\n\n# One\nFirst.\n\n## Two ##\nSecond.\n#no heading\n####### seven signs\n";
    expect![[r###"
        [] "Before."
        [One] "# One\nFirst."
        [Two] "## Two ##\nSecond.\n#no heading\n####### seven signs"
    "###]]
    .assert_eq(&shown(text, 1000));
}

#[test]
fn a_sign_in_fenced_code_is_no_heading() {
    let text = "# Install\n```sh\n# a comment\nmake\n```\n# Run\nGo.";
    expect![[r###"
        [Install] "# Install\n```sh\n# a comment\nmake\n```"
        [Run] "# Run\nGo."
    "###]]
    .assert_eq(&shown(text, 1000));
}

#[test]
fn a_long_section_is_cut_at_paragraphs_lines_sentences_and_words() {
    expect![[r#"
        [] "one two three."
        [] "four five six."
    "#]]
    .assert_eq(&shown("one two three.\n\nfour five six.", 20));
    expect![[r#"
        [] "one two three"
        [] "four five six"
    "#]]
    .assert_eq(&shown("one two three\nfour five six", 20));
    expect![[r#"
        [] "One two three."
        [] "Four five six."
    "#]]
    .assert_eq(&shown("One two three. Four five six.", 20));
    expect![[r#"
        [] "one two three"
        [] "four five"
    "#]]
    .assert_eq(&shown("one two three four five", 16));
}

#[test]
fn a_word_that_is_too_long_is_cut_between_characters() {
    expect![[r#"
        [] "üü"
        [] "üü"
        [] "ü"
    "#]]
    .assert_eq(&shown("üüüüü", 5));
}

#[test]
fn blank_texts_have_no_pieces() {
    for blank in ["", " \n\t\n", "\r\n"] {
        assert_eq!(split(blank, 100), []);
    }
}

#[test]
fn a_cut_that_would_leave_a_scrap_is_not_taken() {
    // The only blank line stands near the beginning: the next best cut is the last word.
    expect![[r#"
        [] "a\n\nbbbb cccc dddd"
        [] "eeee ffff"
    "#]]
    .assert_eq(&shown("a\n\nbbbb cccc dddd eeee ffff", 20));
}

proptest! {
    #[test]
    fn nothing_but_blanks_is_lost_and_no_piece_is_too_long(text in "([a-zü#`😀.]{0,9}[ \n]{0,3}){0,40}", max_bytes in 8_usize..64) {
        let pieces = split(&text, max_bytes);
        let dense = |text: &str| text.split_whitespace().collect::<String>();
        let joined: String = pieces.iter().map(|piece| dense(piece.text)).collect();
        prop_assert_eq!(joined, dense(&text));
        for piece in pieces {
            prop_assert!(piece.text.len() <= max_bytes, "{:?}", piece);
            prop_assert!(!piece.text.trim().is_empty());
        }
    }

    #[test]
    fn any_text_is_cut_without_a_panic(text in "\\PC{0,200}", max_bytes in 4_usize..40) {
        split(&text, max_bytes);
    }
}
