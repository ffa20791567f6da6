//! Signs of life: a worker whose server gives none is left alone until it does again.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a fault in here shall end the test"
)]

use orchestrator_e2e::{CHAT, Tiers, chat, post};
use orchestrator_testkit::Script;
use serde_json::{Value, json};

/// The most probes after which the first worker's health must be known.
const ENOUGH: u64 = 20;

/// Who would be called now, and who would not.
fn planned(tiers: &Tiers) -> (Value, Value) {
    let dry = "x-orchestrator-dry-run: true\r\n";
    let plan = post(tiers.program.address, CHAT, dry, &chat("x", "")).json();
    (plan["candidates"][0]["worker"].clone(), plan["skipped"].clone())
}

/// Looks at the plan after each probe of the first worker until it begins with this one.
async fn until_planned(tiers: &Tiers, worker: &str) {
    let server = &tiers.servers[0];
    let begin = server.stats().probes;
    for more in 1..=ENOUGH {
        server.until(|stats| stats.probes >= begin + more).await;
        if planned(tiers).0 == worker {
            return;
        }
    }
    panic!("after {ENOUGH} probes the plan is {:?}", planned(tiers));
}

#[tokio::test]
async fn a_worker_without_signs_of_life_is_skipped_until_it_gives_them_again() {
    let fine = || Script::default();
    let health = "[workers.a.health]\ninterval_s = 1\n";
    let tiers = Tiers::start([fine(), fine(), fine()], health);
    tiers.servers[0].sick(true);
    until_planned(&tiers, "b").await;
    let skipped = json!([{"worker": "a", "tier": "primary", "reason": "primary_unhealthy"}]);
    assert_eq!(planned(&tiers), (json!("b"), skipped));
    assert!(tiers.servers[0].stats().probes >= 3, "one bad answer is not enough");
    let reply = tiers.ask("while it is away");
    assert_eq!((reply.status, reply.header("x-orchestrator-worker")), (200, Some("b")));
    let metrics = orchestrator_e2e::get(tiers.program.admin_address, "/metrics").body;
    let healthy: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("orchestrator_worker_healthy{"))
        .collect();
    let served = r#"orchestrator_worker_healthy{worker="b"} 1"#;
    assert_eq!(
        healthy,
        [r#"orchestrator_worker_healthy{worker="a"} 0"#, served],
        "c is unknown"
    );

    tiers.servers[0].sick(false);
    until_planned(&tiers, "a").await;
    let reply = tiers.ask("when it is back");
    assert_eq!((reply.status, reply.header("x-orchestrator-worker")), (200, Some("a")));
    assert_eq!(tiers.calls(), [1, 1, 0], "a probe is no call");
}
