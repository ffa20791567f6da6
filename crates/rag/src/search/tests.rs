use super::*;
use proptest::prelude::*;

fn documents(texts: &[(&str, &str)]) -> Search {
    let document = |(source, text): &(&str, &str)| Document {
        source: (*source).to_owned(),
        text: (*text).to_owned(),
    };
    let documents: Vec<Document> = texts.iter().map(document).collect();
    Search::build(&documents, 400).unwrap()
}

fn library() -> Search {
    documents(&[
        (
            "cats.md",
            "# Cats\nCats sleep for most of the day.\n\n# Food\nThey eat fish and mice.",
        ),
        ("dogs.txt", "Dogs are walked twice a day. A dog barks."),
        (
            "rust.md",
            "# Borrowing\nA reference borrows; the borrow checker says for how long.",
        ),
    ])
}

fn sources(search: &Search, question: &str, limit: usize) -> Vec<String> {
    let found = search.find(question, limit).unwrap();
    found.iter().map(|passage| passage.source.to_string()).collect()
}

#[test]
fn the_passage_with_the_words_of_the_question_comes_first() {
    let library = library();
    assert_eq!(sources(&library, "What do cats eat? Fish?", 1), ["cats.md#Food"]);
    assert_eq!(sources(&library, "Who barks?", 3), ["dogs.txt"]);
}

#[test]
fn words_are_found_in_other_forms_and_cases() {
    assert_eq!(sources(&library(), "BORROWED references", 1), ["rust.md#Borrowing"]);
}

#[test]
fn a_heading_is_searched_with_its_section() {
    let search = documents(&[
        ("a.md", "# Refunds\nWithin two weeks."),
        ("b.md", "# Shipping\nWithin two days."),
    ]);
    assert_eq!(sources(&search, "refund", 5), ["a.md#Refunds"]);
}

#[test]
fn passages_carry_text_source_and_score() {
    let found = library().find("sleep", 5).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&*found[0].source, &*found[0].text),
        ("cats.md#Cats", "# Cats\nCats sleep for most of the day.")
    );
    assert!(found[0].score > 0.0);
}

#[test]
fn the_best_come_first_and_no_more_than_asked_for() {
    let search = documents(&[
        ("one.txt", "apple"),
        ("two.txt", "apple pear"),
        ("three.txt", "apple pear plum"),
    ]);
    let found = search.find("plum pear apple", 2).unwrap();
    assert_eq!(
        found.iter().map(|passage| &*passage.source).collect::<Vec<_>>(),
        ["three.txt", "two.txt"]
    );
    assert!(found[0].score >= found[1].score);
    assert!(search.find("apple", 0).unwrap().is_empty());
}

#[test]
fn what_stands_in_every_text_or_in_none_finds_nothing() {
    for question in ["", "the of and", "zebra", "?!…", &"x".repeat(200)] {
        assert!(sources(&library(), question, 5).is_empty(), "{question}");
    }
}

#[test]
fn an_empty_library_is_searched_in_vain() {
    assert_eq!(documents(&[]).passages(), 0);
    assert!(sources(&documents(&[]), "cats", 5).is_empty());
}

#[test]
fn a_long_question_is_asked_by_its_first_words() {
    let many: String = (0..1000).map(|nth| format!("word{nth} ")).collect();
    assert!(sources(&library(), &format!("{many} fish"), 5).is_empty());
    assert_eq!(sources(&library(), &format!("fish {many}"), 5), ["cats.md#Food"]);
}

#[test]
fn texts_in_other_languages_are_found_as_they_stand() {
    let search = documents(&[("de.md", "Die Katze schläft."), ("ru.md", "Кошка спит.")]);
    assert_eq!(sources(&search, "Wo schläft sie?", 5), ["de.md"]);
    assert_eq!(sources(&search, "кошка", 5), ["ru.md"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Signs that a query language would read mean nothing here.
    #[test]
    fn any_question_is_searched_without_an_error(question in "(\\PC|[\"+():^~*\\[\\]{}-]| AND | NOT ){0,40}") {
        thread_local!(static LIBRARY: Search = library());
        let found = LIBRARY.with(|library| library.find(&question, 3));
        prop_assert!(found.unwrap().len() <= 3);
    }
}
