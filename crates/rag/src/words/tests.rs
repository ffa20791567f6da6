use super::*;
use proptest::prelude::*;

fn found(mut words: Words, text: &str) -> Vec<String> {
    let mut stream = words.token_stream(text);
    let mut found = Vec::new();
    while stream.advance() {
        assert_eq!(stream.token().position, found.len());
        found.push(stream.token().text.clone());
    }
    assert!(!stream.advance(), "an end is an end");
    found
}

/// The words of a text, and those that a question with it asks for.
fn both(text: &str) -> (String, String) {
    let joined = |words| found(words, text).join(" ");
    (joined(Words::of_a_text()), joined(Words::of_a_question()))
}

#[test]
fn words_stand_between_blanks_and_signs() {
    for (text, expected) in [
        ("Who barks? A dog-house!", "Who barks A dog house"),
        ("schläft, кошка 3.14 ελιά", "schläft кошка 3 14 ελιά"),
        ("", ""),
        (" \t…!? ", ""),
        ("one", "one"),
        ("¿uno?", "uno"),
    ] {
        assert_eq!(both(text), (expected.to_owned(), expected.to_owned()), "{text}");
    }
}

#[test]
fn signs_without_blanks_are_words_alone_and_in_pairs() {
    for (text, in_text, asked) in [
        ("猫", "猫", "猫"),
        ("東京都", "東 京 都 東京 京都", "東京 京都"),
        ("한국어", "한 국 어 한국 국어", "한국 국어"),
        ("カタカナ。", "カ タ カ ナ カタ タカ カナ", "カタ タカ カナ"),
        ("猫、犬", "猫 犬", "猫 犬"),
        ("𠮷野", "𠮷 野 𠮷野", "𠮷野"),
    ] {
        assert_eq!(both(text), (in_text.to_owned(), asked.to_owned()), "{text}");
    }
}

#[test]
fn a_word_ends_where_another_script_begins() {
    assert_eq!(both("Rust言語2024年").1, "Rust 言語 2024 年");
    assert_eq!(both("在GitHub上").1, "在 GitHub 上");
}

proptest! {
    /// A text is cut as it is by blanks and signs; nothing of it is lost.
    #[test]
    fn every_letter_stands_in_a_word(text in "[a-z0-9猫犬東 .、]{0,60}") {
        let words = found(Words::of_a_text(), &text);
        for sign in text.chars().filter(|sign| sign.is_alphanumeric()) {
            prop_assert!(words.iter().any(|word| word.contains(sign)), "{sign} of {text} in {words:?}");
        }
        let latin: String = words.iter().filter(|word| word.is_ascii()).map(String::as_str).collect();
        let expected: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        prop_assert_eq!(latin, expected);
    }

    /// What a question asks for is found where the question stands in a text, between any neighbours.
    #[test]
    fn the_words_of_a_question_are_words_of_a_text_with_it(
        before in "[猫犬東 ]{0,3}",
        question in "([猫犬東京都]{1,9}|[a-z]{1,9} )",
        after in "[猫犬東。]{0,3}",
    ) {
        let before = if question.is_ascii() { format!("{before} ") } else { before };
        let words = found(Words::of_a_text(), &format!("{before}{question}{after}"));
        for asked in found(Words::of_a_question(), &question) {
            prop_assert!(words.contains(&asked), "{asked} in {words:?}");
        }
    }

    #[test]
    fn any_text_has_words_without_a_panic(text in "\\PC{0,100}") {
        let (in_text, asked) = (found(Words::of_a_text(), &text), found(Words::of_a_question(), &text));
        prop_assert!(asked.len() <= in_text.len());
        prop_assert!(in_text.iter().all(|word| word.chars().all(char::is_alphanumeric) && !word.is_empty()));
    }
}
