mod property;

use super::*;
use orchestrator_testkit::chat;

fn of(body: &str) -> Fingerprint {
    fingerprint(&chat(body.to_owned()), false).unwrap()
}

const BASE: &str = r#"{"model":"m","temperature":0.5,"messages":[{"role":"user","content":"hi"}]}"#;

#[test]
fn how_an_answer_is_delivered_makes_no_difference() {
    let streamed = r#"{"stream":true,"stream_options":{"include_usage":true},"messages":[{"content":"hi","role":"user"}],"temperature":0.5,"model":"m"}"#;
    assert_eq!(of(BASE), of(streamed));
}

#[test]
fn every_parameter_that_may_change_the_answer_does() {
    let others = [
        r#"{"model":"n","temperature":0.5,"messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"model":"m","temperature":0.6,"messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"model":"m","temperature":0.5,"messages":[{"role":"user","content":"hi "}]}"#,
        r#"{"model":"m","temperature":0.5,"messages":[{"role":"system","content":"hi"}]}"#,
        r#"{"model":"m","temperature":0.5,"messages":[{"role":"user","content":"hi"}],"seed":1}"#,
        r#"{"model":"m","temperature":0.5,"messages":[{"role":"user","content":"hi"}],"unknown":null}"#,
        r#"{"model":"m","temperature":0.5,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}"#,
    ];
    let mut all: Vec<Fingerprint> = others.iter().map(|body| of(body)).chain([of(BASE)]).collect();
    all.sort_by_key(|fingerprint| fingerprint.0);
    all.dedup();
    assert_eq!(all.len(), others.len() + 1);
}

#[test]
fn ids_priorities_and_deadlines_have_no_part() {
    let (mut one, other) = (chat(BASE), chat(BASE));
    one.priority = orchestrator_core::Priority::High;
    one.deadline += std::time::Duration::from_secs(99);
    assert_eq!(fingerprint(&one, false).unwrap(), fingerprint(&other, false).unwrap());
}

#[test]
fn sessions_count_only_where_they_shall() {
    let with = |session: &str| {
        let mut request = chat(BASE);
        request.session = Some(session.into());
        request
    };
    let (a, b) = (with("a"), with("b"));
    assert_eq!(fingerprint(&a, false).unwrap(), fingerprint(&b, false).unwrap());
    assert_ne!(fingerprint(&a, true).unwrap(), fingerprint(&b, true).unwrap());
    assert_ne!(fingerprint(&a, true).unwrap(), of(BASE));
}

/// Earlier systems keyed answers by the begin of the prompt, or left the system prompt, the stop strings or the model out.
#[test]
fn what_differs_far_behind_or_beside_the_prompt_differs() {
    let long = "word ".repeat(20_000);
    let with = |system: &str, tail: &str, rest: &str| {
        format!(
            r#"{{"model":"m"{rest},"messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"{long}{tail}"}}]}}"#
        )
    };
    let same = of(&with("be kind", "a", ""));
    assert_eq!(same, of(&with("be kind", "a", "")));
    for other in [
        with("be kind", "b", ""),
        with("be kind", "a ", ""),
        with("be rude", "a", ""),
        with("be kind", "a", r#","stop":["x"]"#),
        with("be kind", "a", r#","top_p":0.5"#),
        with("be kind", "a", r#","max_tokens":5"#),
    ] {
        assert_ne!(same, of(&other));
    }
}

#[test]
fn numbers_count_by_their_spelling_and_texts_by_their_meaning() {
    let with = |rest: &str| of(&format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],{rest}}}"#));
    let numbers = [
        "1",
        "1.0",
        "1e0",
        "10e-1",
        "12345678901234567890123",
        "12345678901234567890124",
    ];
    for (at, one) in numbers.iter().enumerate() {
        for other in &numbers[at + 1..] {
            assert_ne!(with(&format!(r#""top_p":{one}"#)), with(&format!(r#""top_p":{other}"#)));
        }
    }
    assert_eq!(with(r#""user":"\u00e9\/""#), with(r#""user":"é/""#));
    assert_eq!(
        with(r#""us\u0065r":"a""#),
        with(r#""user":"a""#),
        "a name is a text too"
    );
}

#[test]
fn one_message_more_or_the_same_ones_in_another_order_make_a_stranger() {
    let with = |turns: &[&str]| {
        let turns: Vec<String> = turns
            .iter()
            .map(|turn| format!(r#"{{"role":"user","content":"{turn}"}}"#))
            .collect();
        of(&format!(r#"{{"model":"m","messages":[{}]}}"#, turns.join(",")))
    };
    let conversations = [
        with(&["a", "b"]),
        with(&["b", "a"]),
        with(&["a", "b", ""]),
        with(&["ab"]),
        with(&["a"]),
    ];
    for (at, one) in conversations.iter().enumerate() {
        assert!(!conversations[at + 1..].contains(one));
    }
}

#[test]
fn dialects_are_strangers_and_the_way_to_ask_for_reuse_is_none() {
    let base = chat(BASE);
    let mut other = chat(BASE);
    other.reuse = orchestrator_core::Reuse::Fresh;
    other.stream = true;
    assert_eq!(fingerprint(&base, true).unwrap(), fingerprint(&other, true).unwrap());
    other.original.dialect = orchestrator_core::Dialect::Messages;
    assert_ne!(fingerprint(&base, true).unwrap(), fingerprint(&other, true).unwrap());
}

#[test]
fn a_large_request_holds_no_memory_afterwards_and_leaves_nothing_in_the_next() {
    let base = of(BASE);
    let large = format!(r#"{{"model":"m","a":"{}","messages":[]}}"#, "x".repeat(3 * KEPT));
    let nested = format!(
        r#"{{"model":"m","a":"{}","deep":{}{},"messages":[]}}"#,
        "x".repeat(3 * KEPT),
        "[".repeat(200),
        "]".repeat(200)
    );
    for large in [large, nested] {
        let _refused_or_not = fingerprint(&chat(large), false);
        assert!(SPELT.with_borrow(|(out, _)| out.capacity()) <= KEPT);
        assert_eq!(of(BASE), base);
    }
}
