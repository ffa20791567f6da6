use super::*;
use crate::{StageName, Usage};
use futures_util::StreamExt;

#[test]
fn words_on_the_wire_and_in_metrics_are_these() {
    let tiers = [Tier::Primary, Tier::Secondary, Tier::Backup].map(Tier::as_str);
    assert_eq!(tiers, ["primary", "secondary", "backup"]);
    let caches = [Cache::Miss, Cache::Hit, Cache::Coalesced, Cache::Bypass].map(Cache::as_str);
    assert_eq!(caches, ["MISS", "HIT", "COALESCED", "BYPASS"]);
    use FinishReason::{ContentFilter, Length, Stop, ToolCalls};
    let reasons = [Stop, Length, ToolCalls, ContentFilter].map(FinishReason::as_str);
    assert_eq!(reasons, ["stop", "length", "tool_calls", "content_filter"]);
    let stages = StageName::ALL.map(StageName::as_str);
    let line = [
        "dedup",
        "gate",
        "rag",
        "assemble",
        "inference",
        "post_process",
        "stream",
    ];
    assert_eq!(stages, line);
}

#[test]
fn a_total_of_tokens_does_not_overflow() {
    let usage = |prompt_tokens, completion_tokens| Usage {
        prompt_tokens,
        completion_tokens,
        ..Usage::default()
    };
    assert_eq!(usage(3, 4).total_tokens(), 7);
    assert_eq!(usage(u64::MAX, 1).total_tokens(), u64::MAX);
}

#[test]
fn a_reply_prints_what_is_known_and_none_of_what_it_says() {
    let head = Head {
        worker: "w".into(),
        tier: Tier::Backup,
        id: "id".into(),
        model: "m".into(),
        created: 1,
        attempts: 2,
        grounding: Vec::new(),
    };
    let said = futures_util::stream::iter([Ok(vec![Chunk::text("a secret")])]).boxed();
    let printed = format!("{:?}", Reply { head, events: said });
    assert!(printed.contains("Backup") && !printed.contains("a secret"), "{printed}");
}
