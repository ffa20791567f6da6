use super::*;
use futures_util::StreamExt;

#[test]
fn words_on_the_wire_and_in_metrics_are_these() {
    let tiers = [Tier::Primary, Tier::Secondary, Tier::Backup].map(Tier::as_str);
    assert_eq!(tiers, ["primary", "secondary", "backup"]);
    let caches = [Cache::Miss, Cache::Hit, Cache::Coalesced, Cache::Bypass].map(Cache::as_str);
    assert_eq!(caches, ["MISS", "HIT", "COALESCED", "BYPASS"]);
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
        waited: std::time::Duration::ZERO,
    };
    let said = futures_util::stream::iter([Ok(vec![Chunk::text("a secret")])]).boxed();
    let printed = format!("{:?}", Reply { head, events: said });
    assert!(printed.contains("Backup") && !printed.contains("a secret"), "{printed}");
}
