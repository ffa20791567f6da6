use super::*;
use crate::fixtures::call;
use orchestrator_core::Usage;

fn text(choice: u32, text: &'static str) -> Delta {
    Delta {
        choice,
        kind: Kind::Text(text.into()),
    }
}

fn delta(kind: Kind) -> Delta {
    Delta::first(kind)
}

fn written(said: &Said<'_>) -> String {
    let mut out = Vec::new();
    said.write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_run_holds_each_kind_once_and_then_all_calls() {
    let reasoning = || delta(Kind::Reasoning("r".into()));
    let refusal = || delta(Kind::Refusal("n".into()));
    let tool = || delta(call(0, None, None, ""));
    let finish = || delta(Kind::Finish(FinishReason::Stop));
    let usage = || delta(Kind::Usage(Usage::default()));
    let table: [(Vec<Delta>, usize); 11] = [
        (vec![], 0),
        (vec![text(0, "a")], 1),
        (vec![text(0, "a"), text(0, "b")], 1),
        (vec![reasoning(), text(0, "a"), refusal(), tool(), tool(), finish()], 5),
        (vec![text(0, "a"), reasoning()], 1),
        (vec![tool(), text(0, "a")], 1),
        (vec![text(0, "a"), tool(), text(0, "b")], 2),
        (vec![text(0, "a"), text(1, "b")], 1),
        (vec![finish(), usage()], 1),
        (vec![usage(), text(0, "a")], 1),
        (vec![text(0, "a"), usage()], 1),
    ];
    for (deltas, expected) in table {
        assert_eq!(run_length(&deltas), expected, "{deltas:?}");
    }
}

#[test]
fn a_choice_says_its_role_once_and_its_texts_by_name() {
    let deltas = [
        delta(Kind::Reasoning("hm".into())),
        text(0, "a\"b"),
        delta(Kind::Refusal("no".into())),
    ];
    let said = Said {
        choice: 0,
        role: true,
        deltas: &deltas,
        finish: None,
    };
    assert_eq!(
        written(&said),
        r#"{"index":0,"delta":{"role":"assistant","reasoning_content":"hm","content":"a\"b","refusal":"no"},"logprobs":null,"finish_reason":null}"#
    );
    let said = Said { role: false, ..said };
    assert!(written(&said).starts_with(r#"{"index":0,"delta":{"reasoning_content""#));
}

#[test]
fn a_choice_that_only_begins_or_ends_says_so() {
    let begins = Said {
        choice: 3,
        role: true,
        deltas: &[],
        finish: None,
    };
    assert_eq!(
        written(&begins),
        r#"{"index":3,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#
    );
    let ends = Said {
        role: false,
        finish: Some(FinishReason::ToolCalls),
        ..begins
    };
    assert_eq!(
        written(&ends),
        r#"{"index":3,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}"#
    );
}

#[test]
fn tool_calls_are_one_list_with_an_index_each() {
    let deltas = [
        delta(call(0, Some("c0"), Some("f"), "")),
        delta(call(1, None, None, "{\"a\":1}")),
    ];
    let said = Said {
        choice: 0,
        role: false,
        deltas: &deltas,
        finish: None,
    };
    assert_eq!(
        written(&said),
        concat!(
            r#"{"index":0,"delta":{"tool_calls":["#,
            r#"{"index":0,"id":"c0","type":"function","function":{"name":"f","arguments":""}},"#,
            r#"{"index":1,"function":{"arguments":"{\"a\":1}"}}]},"logprobs":null,"finish_reason":null}"#
        )
    );
}

#[test]
fn usage_has_the_names_that_clients_read() {
    let mut out = Vec::new();
    write_usage(&mut out, &crate::fixtures::USAGE);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"#,
            r#""prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":1}}"#
        )
    );
}

#[test]
fn the_beginning_of_an_event_is_escaped() {
    let prefix = String::from_utf8(prefix("a\"b", 7, "m\\n")).unwrap();
    assert_eq!(
        prefix,
        r#"{"id":"a\"b","object":"chat.completion.chunk","created":7,"model":"m\\n","choices":["#
    );
}
