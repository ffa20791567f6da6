use super::*;
use orchestrator_testkit::chat;
use proptest::prelude::*;

fn messages(turns: &str) -> Vec<Message> {
    chat(format!(r#"{{"messages":[{turns}]}}"#)).messages
}

fn total(counter: Counter, turns: &str) -> u64 {
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
        assert_eq!(Counter::of(model).text("tiktoken is great!"), tokens, "{model}");
    }
    assert_eq!(Counter::of("gpt-4").text("お誕生日おめでとう"), 9);
    assert_eq!(Counter::of("gpt-4o").text("お誕生日おめでとう"), 8);
}

#[test]
fn unknown_models_are_estimated_by_length() {
    let counter = Counter::of("llama-3");
    assert!(matches!(counter, Counter::Estimate));
    assert_eq!([0, 1, 3, 4].map(|bytes| counter.text(&"x".repeat(bytes))), [0, 1, 1, 2]);
}

#[test]
fn a_turn_costs_its_text_and_a_frame() {
    let one = r#"{"role":"user","content":"xxx"}"#;
    assert_eq!(total(Counter::Estimate, one), 1 + FRAME + ANSWER);
    assert_eq!(
        total(Counter::Estimate, &format!("{one},{one}")),
        2 * (1 + FRAME) + ANSWER
    );
    let parts = r#"{"role":"user","content":[{"type":"text","text":"xxx"},{"type":"text","text":"xxx"}]}"#;
    assert_eq!(total(Counter::Estimate, parts), 2 + FRAME + ANSWER);
}

#[test]
fn calls_of_tools_are_counted_and_pictures_are_not() {
    let call =
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}"#;
    assert!(total(Counter::Estimate, call) > 20);
    let picture = format!(
        r#"{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:{}"}}}}]}}"#,
        "A".repeat(10_000)
    );
    assert_eq!(total(Counter::Estimate, &picture), FRAME + ANSWER);
    assert_eq!(ceiling(&messages(&picture)), FRAME + ANSWER);
}

#[test]
fn a_long_word_is_counted_in_time() {
    assert!(Counter::of("gpt-4o").text(&"a".repeat(1 << 20)) > 1000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_count_is_above_the_ceiling(texts in proptest::collection::vec("(\\PC|[a-z ]){0,30}", 0..4), known: bool) {
        let turn = |text: &String| serde_json::json!({ "role": "assistant", "content": text, "tool_calls": [text] }).to_string();
        let turns = texts.iter().map(turn).collect::<Vec<_>>().join(",");
        let counter = if known { Counter::of("gpt-4o") } else { Counter::Estimate };
        prop_assert!(total(counter, &turns) <= ceiling(&messages(&turns)));
    }
}
