//! Limits that change under load: the gate obeys the new ones at once, and nobody who waits for room misses it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    reason = "a fault in here shall end the test"
)]

#[path = "support/routed.rs"]
mod routed;

use orchestrator_core::{FinishReason, Priority};
use orchestrator_pipeline::LanesConfig;
use orchestrator_resilience::Config;
use orchestrator_testkit::scripted::Call;
use routed::{Outcome, Routed, SLOTS};
use std::{cell::Cell, time::Duration};
use tokio::time::Instant;

fn taking(millis: u64) -> impl Fn() -> Call + Clone + Send + Sync + 'static {
    move || Call::new().after(millis).text("fine").finish(FinishReason::Stop)
}

/// Requests a second that were answered between these seconds.
fn served(outcomes: &[Outcome], from: u64, to: u64) -> u64 {
    let in_time = |outcome: &&Outcome| {
        let ended = (outcome.came + outcome.took).as_secs();
        outcome.result.is_ok() && (from..to).contains(&ended)
    };
    outcomes.iter().filter(in_time).count() as u64 / (to - from)
}

#[tokio::test(start_paused = true)]
async fn under_load_the_slots_of_now_decide_how_many_are_served() {
    let routed = Routed::new(LanesConfig::default(), Config::default(), taking(100));
    let (began, slots) = (Instant::now(), Cell::new(SLOTS.iter().sum::<usize>()));
    let most_after_cut = Cell::new(0);
    let look = |_: &_| {
        let wanted = match began.elapsed().as_millis() {
            0..5_000 => return,
            5_000..10_000 => 1,
            _ => 6,
        };
        if slots.replace(wanted) != wanted {
            routed.resize(wanted);
        }
        // What ran when the slots were cut goes on for the tenth of a second that it takes.
        if (5_200..10_000).contains(&began.elapsed().as_millis()) {
            most_after_cut.set(most_after_cut.get().max(routed.running()));
        }
    };
    let load = (Duration::from_millis(8), Duration::from_secs(15));
    let outcomes = routed.load(load, |_| Priority::Normal, look).await;
    assert!(outcomes.iter().all(|outcome| outcome.priority == Priority::Normal));
    let phases = [
        served(&outcomes, 1, 5),
        served(&outcomes, 6, 10),
        served(&outcomes, 11, 15),
    ];
    assert!((97..=100).contains(&phases[0]), "ten slots: {phases:?}");
    assert!((28..=30).contains(&phases[1]), "three slots: {phases:?}");
    assert!(phases[2] >= 120, "eighteen slots, more than are asked for: {phases:?}");
    assert_eq!(most_after_cut.get(), 3);
    routed.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_at_the_gate_goes_on_when_a_limit_is_raised_though_no_call_has_ended() {
    let routed = Routed::new(LanesConfig::default(), Config::default(), taking(9_000));
    let began = Instant::now();
    let raised = Cell::new(false);
    let look = |_: &_| {
        if began.elapsed().as_millis() >= 2_000 && !raised.replace(true) {
            routed.resize(20);
        }
    };
    // Ten have a slot, two more a head start, and the others wait at the gate; the last one only looks.
    let load = (Duration::from_millis(100), Duration::from_millis(2_100));
    let outcomes = routed.load(load, |_| Priority::Normal, look).await;
    assert_eq!((outcomes.len(), routed.calls()), (21, 21));
    for outcome in &outcomes {
        outcome.result.as_ref().unwrap();
        let waited = outcome.took.as_millis() - 9_000;
        let until_raised = 2_000 - outcome.came.as_millis();
        assert!(waited == 0 || waited == until_raised, "{outcome:?}");
    }
    let waited = outcomes
        .iter()
        .filter(|outcome| outcome.took.as_secs() > 9 || outcome.took.subsec_millis() > 0);
    assert_eq!(
        waited.count(),
        10,
        "but for the ten who had a slot and the one who came last"
    );
    routed.is_at_rest();
}
