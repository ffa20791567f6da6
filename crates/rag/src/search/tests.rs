use super::*;
use proptest::prelude::*;

fn documents(texts: &[(&str, &str)]) -> Search {
    let document = |(source, text): &(&str, &str)| Document {
        source: (*source).to_owned(),
        text: (*text).to_owned(),
    };
    Search::build(texts.iter().map(document), 400).unwrap()
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

#[test]
fn a_heading_without_text_does_not_stand_before_what_says_something() {
    let search = documents(&[(
        "shop.md",
        "# Refunds\n\n## Terms\nRefunds are paid within two weeks.\n\n# Shipping\nOn Mondays.\n\n# Questions about refunds\n",
    )]);
    let found = search.find("refund", 5).unwrap();
    let found: Vec<(&str, &str)> = found.iter().map(|passage| (&*passage.source, &*passage.text)).collect();
    assert_eq!(
        found,
        [
            (
                "shop.md#Terms",
                "# Refunds\n\n## Terms\nRefunds are paid within two weeks."
            ),
            (
                "shop.md#Shipping",
                "# Shipping\nOn Mondays.\n\n# Questions about refunds"
            ),
        ]
    );
}

#[test]
fn chinese_japanese_and_korean_texts_are_searched_by_parts_of_their_sentences() {
    let search = documents(&[
        ("zh.md", "退款将在两周内支付。包裹在星期一寄出。"),
        ("ja.md", "東京都の天気は晴れです。"),
        ("kyoto.md", "京都は古い町です。"),
        ("ko.md", "환불은 이주 안에 지급됩니다."),
    ]);
    for (question, expected) in [
        ("什么时候退款？", "zh.md"),
        ("星期一", "zh.md"),
        ("東京の天気", "ja.md"),
        ("京都の古い町", "kyoto.md"),
        ("환불", "ko.md"),
        ("晴", "ja.md"),
    ] {
        assert_eq!(sources(&search, question, 1), [expected], "{question}");
    }
    assert!(
        sources(&search, "火星", 5).is_empty(),
        "both signs together stand nowhere"
    );
}

#[test]
fn a_long_text_without_blanks_is_searched_to_its_end() {
    let long = format!("{}最後の猫", "東京".repeat(400));
    assert_eq!(sources(&documents(&[("long.md", &long)]), "猫", 1), ["long.md"]);
}

#[test]
fn long_names_are_words_and_longer_ones_are_not() {
    let (name, noise) = ("e3".repeat(32), "f".repeat(MAX_WORD));
    let search = documents(&[("a.md", &name), ("b.md", &noise)]);
    assert_eq!(sources(&search, &name, 5), ["a.md"]);
    assert!(sources(&search, &noise, 5).is_empty());
}

/// A word that is searched for as it stands: no stop word, and its own stem.
fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[bcdfgk]{4,12}", "[1-9]{3,9}", "[猫犬東京都]{1,8}", "[бвгджк]{4,9}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever stands in a document is found, in a passage that holds it.
    #[test]
    fn what_stands_in_a_passage_is_found(
        texts in prop::collection::vec(prop::collection::vec(word(), 1..60), 1..4),
        chosen in any::<prop::sample::Index>(),
    ) {
        let joined: Vec<String> = texts.iter().map(|words| words.join(" ")).collect();
        let names: Vec<String> = (0..joined.len()).map(|nth| format!("{nth}.md")).collect();
        let named: Vec<(&str, &str)> = names.iter().zip(&joined).map(|(name, text)| (&**name, &**text)).collect();
        let search = Search::build(
            named.iter().map(|(source, text)| Document { source: (*source).to_owned(), text: (*text).to_owned() }),
            64,
        ).unwrap();
        let words: Vec<&String> = texts.iter().flatten().collect();
        let word = words[chosen.index(words.len())];
        let found = search.find(word, 1000).unwrap();
        prop_assert!(found.iter().any(|passage| passage.text.contains(word.as_str())), "{word} in {joined:?}");
        prop_assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score));
        for passage in found {
            let (_, text) = named.iter().find(|(name, _)| *name == &*passage.source).unwrap();
            prop_assert!(text.contains(&*passage.text));
        }
    }
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
