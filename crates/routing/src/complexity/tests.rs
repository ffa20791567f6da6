//! What makes a request complex.

use super::*;
use orchestrator_testkit::chat;
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

/// A request of these turns, each of a role and a text; `more` are further fields.
fn asked(turns: &[(&str, &str)], more: Value) -> Request {
    let turns: Vec<_> = turns
        .iter()
        .map(|(role, text)| json!({"role": role, "content": text}))
        .collect();
    let mut body = json!({"model": "m", "messages": turns});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    chat(body.to_string())
}

fn saying(text: &str) -> Request {
    asked(&[("user", text)], json!({}))
}

/// No threshold but those of `change`.
fn only(change: impl FnOnce(&mut Complexity)) -> Complexity {
    let mut none = Complexity {
        length_bytes: 0,
        turns: 0,
        tools: 0,
        code_blocks: 0,
        ..Complexity::default()
    };
    change(&mut none);
    none
}

#[test]
fn without_a_threshold_every_request_is_simple() {
    let none = only(|_| {});
    assert_eq!(none.score(&saying(&"x".repeat(100_000))), 0.0);
    assert_eq!(
        (none.tier(&saying("x")), none.counts_something()),
        (Tier::Primary, false)
    );
    let set: [fn(&mut Complexity); 4] = [
        |c| c.length_bytes = 1,
        |c| c.turns = 1,
        |c| c.tools = 1,
        |c| c.code_blocks = 1,
    ];
    assert!(set.into_iter().all(|set| only(set).counts_something()));
}

#[test]
fn each_measure_counts_as_the_share_of_its_threshold() {
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"required": ["a", "b"]}}});
    let code = "Look:\n```rust\nfn main() {}\n```\nand\n```\nls\n```\nand\n```\nno end";
    for (measure, by, request, expected) in [
        ("bytes", only(|c| c.length_bytes = 8), saying("é123"), 5.0 / 8.0),
        (
            "turns",
            only(|c| c.turns = 4),
            asked(&[("user", "a"), ("assistant", "b"), ("user", "c")], json!({})),
            0.75,
        ),
        (
            "tools",
            only(|c| c.tools = 4),
            asked(
                &[("user", "a")],
                json!({"tools": [tool, tool], "functions": [{"name": "old"}]}),
            ),
            0.75,
        ),
        (
            "no tools",
            only(|c| c.tools = 4),
            asked(&[("user", "a")], json!({"tools": null})),
            0.0,
        ),
        ("code", only(|c| c.code_blocks = 4), saying(code), 0.75),
    ] {
        assert_eq!(by.score(&request), expected, "{measure}");
    }
}

#[test]
fn shares_add_up_and_at_one_a_request_is_complex() {
    let by = only(|c| (c.length_bytes, c.turns) = (100, 2));
    for (length, expected) in [
        (1, Tier::Primary),
        (49, Tier::Primary),
        (50, Tier::Secondary),
        (500, Tier::Secondary),
    ] {
        assert_eq!(by.tier(&saying(&"x".repeat(length))), expected, "{length}");
    }
}

#[test]
fn the_tiers_are_the_operators_choice() {
    let by = Complexity {
        cheap: Tier::Backup,
        strong: Tier::Primary,
        ..only(|c| c.turns = 2)
    };
    let long = asked(&[("user", "a"), ("assistant", "b")], json!({}));
    assert_eq!((by.tier(&saying("x")), by.tier(&long)), (Tier::Backup, Tier::Primary));
}

#[test]
fn by_default_small_talk_is_simple_and_an_agent_at_work_is_not() {
    let by = Complexity::default();
    let talk: Vec<_> = (0..6)
        .map(|turn| (["user", "assistant"][turn % 2], "How are you?"))
        .collect();
    let tools: Vec<_> = (0..5).map(|_| json!({"type": "function"})).collect();
    let review = "Why?\n```\nlet x = 1;\n```\n".repeat(2) + &"It fails like this. ".repeat(160);
    for (what, request, expected) in [
        ("a greeting", saying("Hello!"), Tier::Primary),
        ("a talk", asked(&talk, json!({})), Tier::Primary),
        ("a page", saying(&"word ".repeat(600)), Tier::Primary),
        ("a report", saying(&"word ".repeat(1_600)), Tier::Secondary),
        ("an agent", asked(&talk, json!({"tools": tools})), Tier::Secondary),
        ("a review", saying(&review), Tier::Secondary),
    ] {
        assert_eq!(by.tier(&request), expected, "{what}: {}", by.score(&request));
    }
}

#[test]
fn what_is_complex_is_not_looked_at_further() {
    let by = only(|c| (c.turns, c.tools) = (1, 1));
    let request = asked(&[("user", "x")], json!({"tools": [{}, {}, {}]}));
    assert_eq!(by.score(&request), 1.0, "its tools are not counted");
}

#[test]
fn it_is_read_and_written_as_a_section() {
    let read: Complexity = serde_json::from_str(r#"{"strong": "backup", "turns": 3}"#).unwrap();
    let expected = Complexity {
        strong: Tier::Backup,
        turns: 3,
        ..Complexity::default()
    };
    assert_eq!(read, expected);
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(
        (&written["cheap"], &written["strong"]),
        (&json!("primary"), &json!("backup"))
    );
    assert_eq!(serde_json::from_value::<Complexity>(written).unwrap(), read);
    for wrong in [r#"{"score": 1}"#, r#"{"strong": "cheapest"}"#] {
        assert!(serde_json::from_str::<Complexity>(wrong).is_err(), "{wrong}");
    }
}

fn text() -> impl Strategy<Value = String> {
    vec(prop_oneof![Just("word "), Just("```"), Just("ü\n")], 0..20).prop_map(|words| words.concat())
}

fn turn() -> impl Strategy<Value = (&'static str, String)> {
    (prop::sample::select(vec!["user", "assistant", "tool"]), text())
}

fn score_of(turns: &[(&str, String)], tools: usize) -> f64 {
    let turns: Vec<_> = turns.iter().map(|(role, text)| (*role, text.as_str())).collect();
    let by = Complexity {
        length_bytes: 100_000,
        turns: 1_000,
        tools: 1_000,
        code_blocks: 1_000,
        ..Complexity::default()
    };
    by.score(&asked(&turns, json!({"tools": vec![json!({}); tools]})))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn more_is_never_less_complex(turns in vec(turn(), 1..6), more in turn(), tools in 0_usize..9) {
        let longer = [turns.clone(), vec![more]].concat();
        prop_assert!(score_of(&longer, tools) > score_of(&turns, tools));
        prop_assert!(score_of(&turns, tools + 1) > score_of(&turns, tools));
    }

    #[test]
    fn system_messages_change_nothing(turns in vec(turn(), 1..6), system in text(), at in 0_usize..6, tools in 0_usize..9) {
        let mut framed = turns.clone();
        framed.insert(at.min(turns.len()), ("system", system));
        prop_assert_eq!(score_of(&framed, tools), score_of(&turns, tools));
    }
}
