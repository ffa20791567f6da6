use super::*;
use proptest::prelude::*;

fn event(text: &str, after: &str) -> Text {
    let before = r#"{"id":"chatcmpl-7","created":1700000000,"model":"m","choices":[{"index":0,"delta":{"content":""#;
    Text::from(format!(r#"{before}{text}"}},"finish_reason":{after}}}]}}"#))
}

/// Reads events one after the other, each as it is read after the others and alone.
fn read(events: &[Text]) -> Vec<(Option<Chunk>, Option<Chunk>)> {
    let (mut progress, mut meta) = (Progress::default(), Meta::default());
    let read = |data| {
        let here = progress.read(data, &mut meta).ok().and_then(|(chunk, _)| chunk);
        (here, read_event(data, &mut Meta::default()).ok())
    };
    events.iter().map(read).collect()
}

/// Whether the second event is taken to be like the first.
fn is_like(first: &Text, second: &Text) -> bool {
    let mut progress = Progress::default();
    progress.read(first, &mut Meta::default()).unwrap();
    progress.like.is_some_and(|like| like.read(second).is_some())
}

#[test]
fn an_event_is_like_another_when_it_differs_in_a_plain_text_alone() {
    let first = event("Hi", "null");
    for plain in ["Hi", "a", " Grüße 😀", "{}[]:,'/", "\u{7f}\u{2028}"] {
        assert!(is_like(&first, &event(plain, "null")), "{plain}");
    }
    for other in ["", "\\n", "a\\\"b", "a\",\"refusal\":\"b", "\n", "\u{1f}"] {
        assert!(!is_like(&first, &event(other, "null")), "{other}");
    }
    assert!(
        !is_like(&first, &event("Hi", "\"stop\"")),
        "what stands after it differs"
    );
    let elsewhere = Text::from(first.replace("\"index\":0", "\"index\":1"));
    assert!(!is_like(&first, &elsewhere), "what stands before it differs");
    assert!(!is_like(&first, &Text::from("{}")));
}

#[test]
fn only_an_event_that_says_one_plain_text_can_be_like_others() {
    let like = |event: &Text| is_like(event, event);
    assert!(like(&event("a", "null")));
    assert!(like(&event("a", "null").replace("content", "reasoning").into()));
    assert!(!like(&event("a\\n", "null")), "its text is not in it as it is");
    assert!(!like(&event("a", "\"stop\"")), "it says two things");
    assert!(!like(&event("a", "null").replace("content", "refusal").into()));
    assert!(
        !like(&event("a", "null").replace("\"index\":0,", "").into()),
        "clients could not read it"
    );
}

#[test]
fn prefix_and_suffix_of_the_other_event_may_not_overlap() {
    // As short as what stands around the text of the first one, without one quote of the two.
    let first = event("a", "null");
    let cut = Text::from(first.replacen("\"a\"", "\"", 1));
    assert!(!is_like(&first, &cut));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_came_before_changes_nothing_of_what_an_event_says(
        events in proptest::collection::vec((r#"([a-zü 😀]|\\n|\\u00fc|["\\\n]){0,4}"#, prop_oneof![9 => Just("null"), 1 => Just("\"stop\"")]), 0..8),
    ) {
        let events: Vec<Text> = events.iter().map(|(text, after)| event(text, after)).collect();
        for (here, alone) in read(&events) {
            prop_assert_eq!(here, alone);
        }
    }
}
