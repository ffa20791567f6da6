//! How often a look at few workers is enough, and when all have to be looked at.

use super::*;
use crate::view::fixtures::{first_by, planned_by, route, well, wells};
use orchestrator_resilience::State;
use std::time::Duration;

/// A route of one tier.
fn tier(views: Vec<View>) -> [Vec<View>; 3] {
    [views, Vec::new(), Vec::new()]
}

/// Of a hundred requests, those whose first worker is found, and the most looks that one takes.
fn found(tiers: &[Vec<View>; 3], balance: Balance) -> (usize, usize) {
    let firsts = (0..100).map(|turn| first_by(tiers, balance, &Ask::new(turn, turn)));
    firsts.fold((0, 0), |(found, most), (first, looks)| {
        (found + usize::from(first.is_some()), most.max(looks))
    })
}

#[test]
fn a_thousand_workers_take_no_more_looks_than_three() {
    for balance in Balance::ALL {
        for workers in [3, 30, 1_000] {
            let (found, looks) = found(&tier(wells(workers)), balance);
            assert_eq!(found, 100, "{balance:?}");
            assert!(looks <= 3, "{looks} looks at {workers} workers, {balance:?}");
        }
    }
}

#[test]
fn most_are_found_even_where_half_of_the_workers_cannot_be_called() {
    let half = |word: &str| route(&format!("{word} ok ").repeat(100));
    for word in ["open", "full", "rest", "down"] {
        for balance in Balance::ALL {
            let (found, looks) = found(&half(word), balance);
            assert!(
                found >= 99 && looks <= 20,
                "{found}, {looks} looks, {word}, {balance:?}"
            );
        }
    }
}

#[test]
fn few_of_a_thousand_are_found_by_chance() {
    let crowd = route(&("full ".repeat(950) + &"ok ".repeat(50)));
    for balance in [Balance::RoundRobin, Balance::Weighted, Balance::P2cEwma] {
        let (found, looks) = found(&crowd, balance);
        assert!(
            (85..=100).contains(&found) && looks <= 128,
            "{found}, {looks} looks, {balance:?}"
        );
    }
}

#[test]
fn who_might_be_treated_as_closed_takes_a_look_at_all() {
    for balance in Balance::ALL {
        assert_eq!(found(&route("rate:0.9 rate:0.8"), balance).0, 0);
        let (found, _) = found(&route("rate:0.9 ok ok ok"), balance);
        assert!((30..90).contains(&found), "{found}, {balance:?}");
    }
}

#[test]
fn what_the_others_latency_is_takes_a_look_at_all() {
    let unknown = |worker| View {
        latency: None,
        ..well(worker)
    };
    let tiers = tier(vec![unknown(0), well(1)]);
    assert_eq!(found(&tiers, Balance::P2cEwma).0, 0);
    assert_eq!(found(&tiers, Balance::RoundRobin).0, 100);
    let on_trial = View {
        unheard: 1,
        ..unknown(0)
    };
    assert_eq!(found(&tier(vec![on_trial, well(1), well(2)]), Balance::P2cEwma).0, 100);
}

#[test]
fn whether_a_cold_worker_costs_least_takes_a_look_at_all() {
    let cold = View { warmth: 0.5, ..well(0) };
    let busy = View { running: 5, ..well(1) };
    assert_eq!(
        found(&tier(vec![cold.clone(), busy.clone()]), Balance::LeastConnections).0,
        0
    );
    let (found, _) = found(&tier(vec![cold, busy]), Balance::ConsistentHash);
    assert!((30..70).contains(&found), "{found}");
}

#[test]
fn whether_more_follow_is_known_or_all_are_looked_at() {
    for (words, expected) in [
        ("ok", Some(false)),
        ("ok | | ok#0", Some(false)),
        ("ok | ok", None),
        ("ok full", None),
        ("ok half", Some(true)),
        ("| ok ok | ok", Some(true)),
        ("full | ok", None),
        ("", None),
    ] {
        // Turn 0, so that the worker at the first place is called.
        let (first, _) = first_by(&route(words), Balance::RoundRobin, &Ask::new(0, 0));
        assert_eq!(first.map(|first| first.has_more), expected, "{words}");
    }
}

#[test]
fn the_reason_is_that_of_the_first_tier_with_workers() {
    for (words, expected) in [
        ("ok ok", "primary_normal"),
        ("half half", "primary_half_open"),
        ("| ok ok", "secondary_normal"),
        ("| half half | ok", "secondary_half_open"),
        ("| | ok ok", "backup_outage"),
    ] {
        let (first, _) = first_by(&route(words), Balance::P2cEwma, &Ask::new(1, 1));
        assert_eq!(first.unwrap().candidate.reason.as_str(), expected, "{words}");
    }
}

#[test]
fn nothing_is_looked_at_once_the_deadline_has_passed_or_the_tier_is_full() {
    let late = Ask {
        deadline_left: Duration::ZERO,
        ..Ask::new(0, 0)
    };
    let full = Ask {
        soft_left: [0, 9, 9],
        ..Ask::new(0, 0)
    };
    for ask in [late, full] {
        assert_eq!(first_by(&route("ok ok"), Balance::P2cEwma, &ask), (None, 0));
    }
}

/// A worker that is probed by its breaker is drawn like any other, and one that warms up as often as it is warm.
#[test]
fn whom_few_looks_find_has_its_share_of_all_firsts() {
    let cold = View {
        warmth: 0.25,
        ..well(0)
    };
    let half_open = View {
        state: State::HalfOpen,
        ..well(2)
    };
    let tiers = tier(vec![cold, well(1), half_open]);
    for balance in [Balance::RoundRobin, Balance::Weighted] {
        let mut firsts = [0_u32; 3];
        for turn in 0..9_000 {
            let ask = Ask::new(turn, turn);
            let first = first_by(&tiers, balance, &ask).0.map(|first| first.candidate);
            let first = first.unwrap_or_else(|| planned_by(&tiers, balance, &ask).candidates[0]);
            firsts[first.worker] += 1;
        }
        for (count, expected) in firsts.iter().zip([1_000, 4_000, 4_000_u32]) {
            assert!(count.abs_diff(expected) <= 150, "{firsts:?}");
        }
    }
}
