use super::*;
use orchestrator_testkit::chat;
use proptest::prelude::*;
use std::sync::Arc;

/// A counter that somebody always waits for.
pub(crate) fn counter(model: &str) -> Counter {
    let interest = Arc::new(());
    let held = Arc::downgrade(&interest);
    std::mem::forget(interest);
    Counter::of(model, u64::MAX, held)
}

fn messages(turns: &str) -> Vec<Message> {
    chat(format!(r#"{{"messages":[{turns}]}}"#)).messages
}

fn total(counter: &Counter, turns: &str) -> u64 {
    conversation(messages(turns).iter().map(|message| counter.turn(message)))
}

#[test]
fn known_vocabularies_count_as_openai_does() {
    // The figures of OpenAI's cookbook for these texts.
    for (model, tokens) in [
        ("gpt-3.5-turbo", 6),
        ("gpt-4", 6),
        ("gpt-4o", 6),
        ("text-davinci-003", 6),
    ] {
        assert_eq!(counter(model).text("tiktoken is great!"), tokens, "{model}");
    }
    assert_eq!(counter("gpt-4").text("お誕生日おめでとう"), 9);
    assert_eq!(counter("gpt-4o").text("お誕生日おめでとう"), 8);
}

#[test]
fn unknown_models_are_estimated_by_length() {
    let counter = counter("llama-3");
    assert!(matches!(counter.vocabulary, Vocabulary::Unknown));
    assert_eq!([0, 1, 3, 4].map(|bytes| counter.text(&"x".repeat(bytes))), [0, 1, 1, 2]);
}

#[test]
fn a_turn_costs_its_text_and_a_frame() {
    let one = r#"{"role":"user","content":"xxx"}"#;
    assert_eq!(total(&counter("llama-3"), one), 1 + FRAME + ANSWER);
    assert_eq!(
        total(&counter("llama-3"), &format!("{one},{one}")),
        2 * (1 + FRAME) + ANSWER
    );
    let parts = r#"{"role":"user","content":[{"type":"text","text":"xxx"},{"type":"text","text":"xxx"}]}"#;
    assert_eq!(total(&counter("llama-3"), parts), 2 + FRAME + ANSWER);
}

#[test]
fn calls_of_tools_are_counted_and_pictures_are_not() {
    let call =
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}"#;
    assert!(total(&counter("llama-3"), call) > 20);
    let picture = format!(
        r#"{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:{}"}}}}]}}"#,
        "A".repeat(10_000)
    );
    assert_eq!(total(&counter("llama-3"), &picture), FRAME + ANSWER);
    assert_eq!(ceiling(&messages(&picture)), FRAME + ANSWER);
}

#[test]
fn a_long_word_is_counted_in_time() {
    assert!(counter("gpt-4o").text(&"a".repeat(1 << 20)) > 1000);
}

/// The pattern that splits a text into words runs out of stack behind a million blanks.
#[test]
fn a_long_run_of_any_character_is_counted() {
    let blanks = format!("{}x", " ".repeat(1_000_001));
    for model in ["gpt-2", "gpt-4", "gpt-4o"] {
        let tokens = counter(model).text(&blanks);
        assert!((1_000..=1_000_002).contains(&tokens), "{model}: {tokens}");
    }
    for run in [
        "\n", "\r\n", "\t", "\u{3000}", " \n", "A", "1", "'", "/", "é", "\u{301}", "語",
    ] {
        let text = format!("{}x", run.repeat(70_000));
        assert!(counter("gpt-4o").text(&text) > 500, "{run:?}");
    }
}

#[test]
fn a_text_is_cut_into_pieces_of_whole_characters_and_nothing_is_lost() {
    for text in [
        String::new(),
        "x".repeat(PIECE),
        "x".repeat(PIECE + 1),
        "語".repeat(PIECE / 3 + 1),
    ] {
        let pieces: Vec<&str> = pieces(&text).collect();
        assert_eq!(pieces.concat(), text);
        assert_eq!(pieces.len(), text.len().div_ceil(PIECE));
        assert!(pieces.iter().all(|piece| (1..=PIECE).contains(&piece.len())));
    }
}

#[test]
fn a_text_in_pieces_has_as_many_tokens_as_the_whole_and_hardly_more() {
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(6_000);
    let Vocabulary::Known(vocabulary) = counter("gpt-4o").vocabulary else {
        panic!("the vocabulary is known");
    };
    let (whole, cuts) = (vocabulary.count_ordinary(&text), text.len() / PIECE);
    let most = whole + 4 * cuts;
    assert!((whole..=most).contains(&usize::try_from(counter("gpt-4o").text(&text)).unwrap()));
}

#[test]
fn what_is_longer_than_anybody_asks_is_not_counted_to_its_end() {
    let interest = Arc::new(());
    let text = "word ".repeat(50_000);
    for enough in [0, 100, 20_000] {
        let counted = Counter::of("gpt-4o", enough, Arc::downgrade(&interest)).text(&text);
        assert!((enough + 1..enough + 20_000).contains(&counted), "{counted}");
        let parts = vec![r#"{"type":"text","text":"one two three"}"#; 10_000].join(",");
        let parts = messages(&format!(r#"{{"role":"user","content":[{parts}]}}"#));
        let counted = Counter::of("gpt-4o", enough, Arc::downgrade(&interest)).turn(&parts[0]);
        assert!((enough + 1..enough + 10).contains(&counted), "{counted}");
    }
}

#[test]
fn nothing_more_is_counted_when_nobody_waits() {
    let interest = Arc::new(());
    let counter = Counter::of("gpt-4o", u64::MAX, Arc::downgrade(&interest));
    assert_eq!(counter.text("hello"), 1);
    drop(interest);
    assert_eq!(counter.text("hello"), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_count_is_above_the_ceiling(texts in proptest::collection::vec("(\\PC|[a-z ]){0,30}", 0..4), known: bool) {
        let turn = |text: &String| serde_json::json!({ "role": "assistant", "content": text, "tool_calls": [text] }).to_string();
        let turns = texts.iter().map(turn).collect::<Vec<_>>().join(",");
        let counter = counter(if known { "gpt-4o" } else { "llama-3" });
        prop_assert!(total(&counter, &turns) <= ceiling(&messages(&turns)));
    }
}
