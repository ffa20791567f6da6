//! What a request asks of its plan: another tier first, to be answered in time, its session's own worker, a model by name.

use super::*;
use orchestrator_core::Tier::{Backup, Primary, Secondary};

fn first(tier: Tier) -> Ask {
    Ask {
        first_tier: tier,
        ..ask()
    }
}

fn within(millis: u64) -> Ask {
    Ask {
        latency_budget: Some(Duration::from_millis(millis)),
        ..ask()
    }
}

fn of_session(session: u64) -> Ask {
    Ask {
        session: Some(session),
        ..ask()
    }
}

fn naming_its_model() -> Ask {
    Ask {
        names_model: true,
        ..ask()
    }
}

/// The candidates of a plan, as in `1 complexity, 0 primary_normal`.
fn called(plan: &Plan) -> String {
    let called = plan.candidates.iter();
    let called: Vec<_> = called
        .map(|one| format!("{} {}", one.worker, one.reason.as_str()))
        .collect();
    called.join(", ")
}

fn hashed(words: &str, ask: &Ask) -> Plan {
    planned_by(&route(words), Balance::ConsistentHash, ask)
}

/// For each reason that a request's own wishes bring about one plan in which it stands.
pub(super) fn one_of_each() -> impl Iterator<Item = (Reason, Plan)> {
    [
        (Reason::Complexity, planned("ok | ok", &first(Secondary))),
        (Reason::LatencyBudget, planned("ms:900 | ms:100", &within(500))),
        (Reason::Sticky, hashed("ok", &of_session(7))),
        (Reason::ExplicitModel, planned("ok", &naming_its_model())),
    ]
    .into_iter()
}

#[test]
fn each_wish_has_a_reason_of_its_own_for_the_first_call() {
    for (reason, plan) in one_of_each() {
        assert_eq!(plan.candidates[0].reason, reason);
    }
}

#[test]
fn a_tier_that_a_request_prefers_goes_first_and_the_others_follow_in_their_order() {
    for (tier, expected) in [
        (Primary, "0 primary_normal, 1 secondary_normal, 2 backup_outage"),
        (Secondary, "1 complexity, 0 primary_normal, 2 backup_outage"),
        (Backup, "2 complexity, 0 primary_normal, 1 secondary_normal"),
    ] {
        assert_eq!(called(&planned("ok | ok | ok", &first(tier))), expected);
    }
    assert_eq!(
        called(&planned("ok | half", &first(Secondary))),
        "1 complexity, 0 primary_normal"
    );
}

#[test]
fn where_the_preferred_tier_cannot_be_used_the_others_are_as_ever() {
    for (words, tier, expected) in [
        ("ok | open | ok", Secondary, "0 primary_normal, 2 backup_outage"),
        ("open | full | ok", Secondary, "2 backup_due_to_load"),
        ("open | rest | ok", Secondary, "2 backup_outage"),
        ("open | ok | full", Backup, "1 primary_breaker_open"),
        ("full | ok | open", Backup, "1 primary_over_capacity"),
        ("ok | |", Secondary, "0 primary_normal"),
    ] {
        assert_eq!(called(&planned(words, &first(tier))), expected, "{words}");
    }
    let all_open = planned("open:9 | open:5", &first(Secondary));
    assert_eq!(all_open.probe.unwrap().reason, Reason::Complexity);
    let refused = planned("open:9 | full", &first(Secondary)).reject.unwrap();
    assert_eq!(refused, Reject::now(Refused::OverCapacity));
}

#[test]
fn a_worker_of_two_tiers_is_called_for_the_one_that_the_request_goes_to_first() {
    let plan = planned("ok ok | ok#1", &first(Secondary));
    assert_eq!(called(&plan), "1 complexity, 0 primary_normal");
    assert_eq!(
        plan.candidates.iter().map(|one| one.tier).collect::<Vec<_>>(),
        [Secondary, Primary]
    );
}

#[test]
fn while_the_first_worker_can_be_in_time_a_budget_only_puts_the_slow_behind() {
    for (words, expected) in [
        ("ms:400 | ms:100", "0 primary_normal, 1 secondary_normal"),
        (
            "ms:500 ms:900 | ms:100",
            "0 primary_normal, 2 secondary_normal, 1 primary_normal",
        ),
        ("full | ms:400 | ms:100", "1 primary_over_capacity, 2 backup_outage"),
    ] {
        assert_eq!(called(&planned(words, &within(500))), expected, "{words}");
    }
}

#[test]
fn where_it_cannot_the_fastest_of_all_tiers_that_can_goes_first() {
    for (words, expected) in [
        (
            "ms:900 | ms:300 ms:200 | ms:400",
            "2 latency_budget, 1 secondary_normal, 3 backup_outage, 0 primary_normal",
        ),
        (
            "ms:900 | ms:300 | ms:200",
            "2 latency_budget, 1 secondary_normal, 0 primary_normal",
        ),
        (
            "ms:900 ms:300 | ms:400",
            "1 latency_budget, 2 secondary_normal, 0 primary_normal",
        ),
        // Running calls share what a worker gives, and a slow start gives less.
        (
            "ms:900 | ms:200+busy:3 | ms:300",
            "2 latency_budget, 1 secondary_normal, 0 primary_normal",
        ),
        (
            "ms:900 | ms:200 | ms:300+weight:2",
            "2 latency_budget, 1 secondary_normal, 0 primary_normal",
        ),
        // A call that is waited for in vain says how slow it is at least.
        (
            "ms:900 | ms:200+least:1 | ms:400",
            "2 latency_budget, 0 primary_normal, 1 secondary_normal",
        ),
    ] {
        assert_eq!(called(&planned(words, &within(500))), expected, "{words}");
    }
}

#[test]
fn where_nobody_is_known_to_be_in_time_the_plan_is_as_without_a_budget() {
    for words in [
        "ms:900 | ms:600 | ms:700",
        "new new | new",
        "new+waits | new",
        "full",
        "open",
        "",
    ] {
        assert_eq!(planned(words, &within(500)), planned(words, &ask()), "{words}");
    }
    assert_eq!(planned("ms:1 | ms:1", &within(0)), planned("ms:1 | ms:1", &ask()));
}

#[test]
fn a_worker_that_nobody_knows_is_as_the_others_of_its_tier_or_tried_one_call_at_a_time() {
    for (words, expected) in [
        (
            "new ms:300 | ms:100",
            "0 primary_normal, 1 primary_normal, 2 secondary_normal",
        ),
        (
            "new ms:900 | ms:100",
            "2 latency_budget, 0 primary_normal, 1 primary_normal",
        ),
        ("new | ms:100", "0 primary_normal, 1 secondary_normal"),
        ("new+waits | ms:100", "1 latency_budget, 0 primary_normal"),
        (
            "ms:900 | new | ms:100",
            "2 latency_budget, 1 secondary_normal, 0 primary_normal",
        ),
    ] {
        assert_eq!(called(&planned(words, &within(500))), expected, "{words}");
    }
}

#[test]
fn a_budget_outweighs_complexity() {
    let both = Ask {
        first_tier: Secondary,
        ..within(500)
    };
    assert_eq!(
        called(&planned("ms:100 | ms:400", &both)),
        "1 complexity, 0 primary_normal"
    );
    assert_eq!(
        called(&planned("ms:100 | ms:900", &both)),
        "0 latency_budget, 1 complexity"
    );
}

#[test]
fn a_session_is_told_whether_it_has_come_to_its_own_worker() {
    let tier = "ok ok ok";
    let own = |session| hashed(tier, &of_session(session)).candidates[0];
    for session in 0..50 {
        let first = own(session);
        assert_eq!(first.reason, Reason::Sticky, "{session}");
        let without = ["ok", "ok", "ok"].iter().enumerate();
        let without: Vec<_> = without
            .map(|(worker, word)| if worker == first.worker { "full" } else { word })
            .collect();
        let moved = hashed(&without.join(" "), &of_session(session)).candidates[0];
        assert_eq!(moved.reason, Reason::PrimaryNormal, "{session}");
        assert_ne!(moved.worker, first.worker);
    }
    assert_eq!(called(&hashed("ok", &ask())), "0 primary_normal", "of no session");
    assert_eq!(
        called(&planned("ok", &of_session(7))),
        "0 primary_normal",
        "by another balance"
    );
}

#[test]
fn only_the_first_call_is_the_sessions_own_and_only_where_nothing_else_led_there() {
    let session = of_session(7);
    for (words, expected) in [
        ("ok | ok", "0 sticky, 1 secondary_normal"),
        ("| ok | ok", "0 sticky, 1 backup_outage"),
        ("half | ok", "0 primary_half_open, 1 secondary_normal"),
        ("full | ok", "1 primary_over_capacity"),
    ] {
        assert_eq!(called(&hashed(words, &session)), expected, "{words}");
    }
    let complex = Ask {
        first_tier: Secondary,
        ..session
    };
    assert_eq!(called(&hashed("ok | ok", &complex)), "1 complexity, 0 primary_normal");
}

#[test]
fn that_it_would_be_its_own_in_another_tier_makes_no_worker_the_sessions() {
    let session = of_session(7);
    let words = match hashed("ok ok", &session).candidates[0].worker {
        0 => "full ok | ok#1",
        _ => "ok full | ok#0",
    };
    assert_eq!(hashed(words, &session).candidates[0].reason, Reason::PrimaryNormal);
}

#[test]
fn a_model_named_by_its_own_name_is_told_of_primary_workers_that_are_well() {
    for (words, expected) in [
        (
            "ok half | ok",
            "0 explicit_model, 1 primary_half_open, 2 secondary_normal",
        ),
        ("full | ok", "1 primary_over_capacity"),
        ("| ok", "0 secondary_normal"),
    ] {
        assert_eq!(called(&planned(words, &naming_its_model())), expected, "{words}");
    }
    let with = |more: Ask| Ask {
        names_model: true,
        ..more
    };
    assert_eq!(called(&hashed("ok", &with(of_session(7)))), "0 sticky");
    assert_eq!(
        called(&planned("ok | ok", &with(first(Secondary)))),
        "1 complexity, 0 primary_normal"
    );
}
