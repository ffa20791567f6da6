use super::*;
use futures_util::StreamExt;

#[test]
fn words_on_the_wire_and_in_metrics_are_these() {
    let tiers = [Tier::Primary, Tier::Secondary, Tier::Backup].map(Tier::as_str);
    assert_eq!(tiers, ["primary", "secondary", "backup"]);
    let age = std::time::Duration::ZERO;
    let degraded = [
        Degraded::Cache { age },
        Degraded::Stale { age },
        Degraded::Reduced,
        Degraded::Message,
    ];
    assert_eq!(degraded.map(Degraded::as_str), ["cache", "stale", "reduced", "message"]);
    let caches = [Cache::Miss, Cache::Hit, Cache::Coalesced, Cache::Bypass].map(Cache::as_str);
    assert_eq!(caches, ["MISS", "HIT", "COALESCED", "BYPASS"]);
}

#[test]
fn an_answer_comes_from_a_tier_or_from_what_stood_in_for_all() {
    let of = |degraded| {
        let head = Head { degraded, ..head() };
        (
            head.tier_name(),
            head.degraded_name(),
            head.degraded.and_then(Degraded::age),
        )
    };
    let age = std::time::Duration::from_secs(7);
    assert_eq!(of(None), (Some("backup"), None, None));
    assert_eq!(of(Some(Degraded::Reduced)), (None, Some("reduced"), None));
    assert_eq!(of(Some(Degraded::Stale { age })), (None, Some("stale"), Some(age)));
}

fn head() -> Head {
    Head {
        worker: "w".into(),
        tier: Tier::Backup,
        degraded: None,
        id: "id".into(),
        model: "m".into(),
        created: 1,
        attempts: 2,
        grounding: Vec::new(),
        waited: std::time::Duration::ZERO,
    }
}

#[test]
fn a_reply_prints_what_is_known_and_none_of_what_it_says() {
    let said = futures_util::stream::iter([Ok(vec![Chunk::text("a secret")])]).boxed();
    let printed = format!(
        "{:?}",
        Reply {
            head: Box::new(head()),
            events: said
        }
    );
    assert!(printed.contains("Backup") && !printed.contains("a secret"), "{printed}");
}
