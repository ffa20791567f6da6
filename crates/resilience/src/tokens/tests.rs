use super::*;
use orchestrator_core::{Delta, FinishReason, Usage};
use orchestrator_testkit::{chat, request};

fn of(body: &str) -> Estimate {
    Estimate::of(&chat(body.to_owned()))
}

fn usage(prompt_tokens: u64, completion_tokens: u64) -> Chunk {
    let usage = Usage {
        prompt_tokens,
        completion_tokens,
        ..Usage::default()
    };
    Delta::first(Kind::Usage(usage)).into()
}

/// A call whose prompt is estimated at a hundred tokens, after it has heard this.
fn cost(heard: &[Chunk]) -> u64 {
    let (limit, now) = (RateLimit::per_minute(60_000, 100_000), Instant::now());
    let estimate = Estimate {
        prompt: 100,
        answer: 500,
    };
    let mut spending = Spending::new(limit.take(estimate.total(), now).unwrap(), estimate);
    assert_eq!(limit.left(now), 99_400);
    spending.hear(heard);
    spending.settle(&limit, now);
    100_000 - limit.left(now) as u64
}

#[test]
fn a_call_is_estimated_by_its_size_and_the_longest_answer_that_it_asks_for() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"0123456789"}]}"#;
    assert_eq!(body.len(), 65);
    let prompt = 17;
    assert_eq!(of(body), Estimate { prompt, answer: 500 });
    for (params, answer) in [
        (r#""max_tokens":20"#, 20),
        (r#""max_tokens":20,"n":3"#, 60),
        (r#""n":2"#, 1_000),
        (r#""max_tokens":18446744073709551615,"n":3"#, u64::MAX),
    ] {
        let asked = of(&body.replace("]}", &format!("],{params}}}")));
        assert_eq!(asked.answer, answer, "{params}");
        assert!(asked.total() > answer || answer == u64::MAX);
    }
}

#[test]
fn what_assembly_adds_to_the_messages_counts_as_well() {
    let long = "x".repeat(400);
    let (mut assembled, long) = (request("short"), request(&long));
    let as_it_came = Estimate::of(&assembled);
    assembled.messages = long.messages;
    let seen = Estimate::of(&assembled);
    assert!(as_it_came.prompt < 30 && (100..120).contains(&seen.prompt), "{seen:?}");
    let tools = format!(r#"{{"model":"m","messages":[],"tools":["{}"]}}"#, "x".repeat(400));
    assert!(of(&tools).prompt > 100, "what is no message is sent, too");
}

#[test]
fn what_the_worker_tells_last_is_what_it_has_cost() {
    assert_eq!(cost(&[Chunk::text("12345678"), usage(50, 7)]), 57);
    assert_eq!(cost(&[usage(50, 1), Chunk::text("12345678"), usage(50, 7)]), 57);
    let finish: Chunk = Delta::first(Kind::Finish(FinishReason::Stop)).into();
    assert_eq!(cost(&[usage(50, 7), finish]), 57);
    let mut whole = usage(50, 7);
    whole.deltas.push(Delta::first(Kind::Text("12345678".into())));
    assert_eq!(cost(&[whole]), 57, "whatever comes first in an answer that comes whole");
}

#[test]
fn what_it_does_not_tell_is_estimated_from_what_it_answers() {
    assert_eq!(cost(&[]), 100);
    assert_eq!(cost(&[Chunk::text("1234"), Chunk::text("5")]), 102);
    assert_eq!(
        cost(&[usage(50, 1), Chunk::text("12345678")]),
        53,
        "what has come since it told"
    );
    let kinds = [
        Kind::Reasoning("1234".into()),
        Kind::Refusal("1234".into()),
        Kind::ToolCall {
            index: 0,
            id: None,
            name: None,
            arguments: "1234".into(),
        },
    ];
    assert_eq!(cost(&kinds.map(|kind| Delta::first(kind).into())), 103);
}

#[test]
fn a_call_that_was_not_made_has_cost_nothing() {
    let (limit, now) = (RateLimit::per_minute(60, 50), Instant::now());
    let estimate = Estimate { prompt: 40, answer: 40 };
    let mut spending = Spending::new(limit.take(80, now).unwrap(), estimate);
    assert_eq!(limit.left(now), 0, "no more than the burst");
    spending.hear(&[Chunk::text("12345678")]);
    spending.cost_nothing();
    spending.settle(&limit, now);
    assert_eq!(limit.left(now), 50);
}
