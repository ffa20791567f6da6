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

#[test]
fn a_heading_without_text_belongs_to_the_section_below_it() {
    expect![[r###"
        [Install] "# Guide\n\n## Install\nRun it."
        [Use] "# Use\nAsk it."
    "###]]
    .assert_eq(&shown("# Guide\n\n## Install\nRun it.\n# Use\nAsk it.", 1000));
    expect![[r###"
        [Three] "# One\n## Two\n### Three\nText."
    "###]]
    .assert_eq(&shown("\n# One\n## Two\n### Three\nText.", 1000));
}

#[test]
fn headings_at_the_end_belong_to_the_section_above_them() {
    expect![[r###"
        [Use] "# Use\nAsk it.\n\n# More\n## To come"
    "###]]
    .assert_eq(&shown("# Use\nAsk it.\n\n# More\n## To come\n", 1000));
    expect![[r###"
        [] "Ask it.\n# More"
    "###]]
    .assert_eq(&shown("Ask it.\n# More", 1000));
}

#[test]
fn a_text_of_headings_only_is_one_section() {
    expect![[r###"
        [Two] "# One\n# Two"
    "###]]
    .assert_eq(&shown("# One\n# Two\n\n", 1000));
    expect![[r###"
        [One] "# One"
    "###]]
    .assert_eq(&shown("# One", 1000));
}

#[test]
fn a_long_heading_is_not_cut_off_from_its_text() {
    // The blank line below the heading would be the best cut.
    expect![[r###"
        [A long heading] "# A long heading\n\nwith a"
        [A long heading] "text below it"
    "###]]
    .assert_eq(&shown("# A long heading\n\nwith a text below it", 25));
    // A heading that is too long is a text as any other.
    expect![[r###"
        [Heading of many words] "# Heading of"
        [Heading of many words] "many words"
        [Heading of many words] "and text"
    "###]]
    .assert_eq(&shown("# Heading of many words\nand text", 16));
}

#[test]
fn sentences_in_chinese_and_japanese_are_cut_at_their_ends() {
    expect![[r#"
        [] "東京は晴れ。"
        [] "京都は雨。"
    "#]]
    .assert_eq(&shown("東京は晴れ。京都は雨。", 24));
}

#[test]
fn code_that_does_not_end_hides_the_headings_behind_it() {
    expect![[r###"
        [One] "# One\n```\n# Two\ntext"
    "###]]
    .assert_eq(&shown("# One\n```\n# Two\ntext", 1000));
}

#[test]
fn a_heading_without_a_title_has_none() {
    expect![[r###"
        [] "# \ntext"
        [] "## ##\nmore"
    "###]]
    .assert_eq(&shown("# \ntext\n## ##\nmore", 1000));
}

/// Where each piece lies in the text, in bytes.
fn places(text: &str, pieces: &[Piece<'_>]) -> Vec<(usize, usize)> {
    let place = |piece: &Piece<'_>| {
        let start = piece.text.as_ptr().addr() - text.as_ptr().addr();
        (start, start + piece.text.len())
    };
    pieces.iter().map(place).collect()
}

/// Something like Markdown.
fn document() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        2 => "#{1,6} [A-Za-zü]{1,12}( [a-z]{1,9}){0,3}",
        1 => Just("```".to_owned()),
        2 => Just(String::new()),
        5 => "([a-zü#`😀。.]{0,9} {0,2}){0,9}",
        1 => "\\PC{0,20}",
    ];
    prop::collection::vec(line, 0..20).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The pieces lie one behind the other, with nothing but blanks between them, each within its size.
    #[test]
    fn every_character_but_blanks_stands_in_exactly_one_piece(text in document(), max_bytes in 8_usize..200) {
        let pieces = split(&text, max_bytes);
        let between = |from, to| text.get(from..to).unwrap().trim();
        let mut at = 0;
        for (start, end) in places(&text, &pieces) {
            prop_assert!(at <= start && start < end);
            prop_assert!(end - start <= max_bytes);
            prop_assert_eq!(between(at, start), "", "it is lost");
            at = end;
        }
        prop_assert_eq!(between(at, text.len()), "", "it is lost");
    }

    /// Where there is text in a section, no passage of it is a heading alone.
    #[test]
    fn no_heading_stands_alone_above_a_text(
        sections in prop::collection::vec(("#{1,3} [a-z]{1,20}", "(|([a-z]{1,8}[ \n]{1,2}){1,80})"), 1..8),
        max_bytes in 240_usize..400,
    ) {
        let mut text = String::new();
        for (heading, body) in &sections {
            writeln!(text, "{heading}\n\n{body}").unwrap();
        }
        // Headings at the end have nothing below them.
        text.push_str("\n# last\nwords\n");
        for piece in split(&text, max_bytes) {
            let alone = piece.text.lines().all(|line| line.is_empty() || heading(line).is_some());
            prop_assert!(!alone, "{piece:?}");
        }
    }

    #[test]
    fn any_text_is_cut_without_a_panic(text in "\\PC{0,200}", max_bytes in 4_usize..40) {
        split(&text, max_bytes);
    }
}
