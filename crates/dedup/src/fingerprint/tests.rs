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
