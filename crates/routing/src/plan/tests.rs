//! Which workers are called, and what is said about it: the decisions, one by one.

mod lenience;
mod properties;
mod wishes;

use super::*;
use crate::view::fixtures::{planned, planned_by, route, told};
use expect_test::{Expect, expect};

fn ask() -> Ask {
    Ask::new(0, 0)
}

/// The plan without its skipped workers: who is called or probed, and what is refused.
fn outcome(words: &str) -> String {
    let mut plan = planned(words, &ask());
    plan.skipped.clear();
    told(&plan).trim_end().replace('\n', ", ")
}

fn check(words: &str, expected: &Expect) {
    expected.assert_eq(&told(&planned(words, &ask())));
}

#[test]
fn the_decision_table_of_one_worker_a_tier() {
    // Rows as of an earlier system's table; where it refused a request although a tier had room, the tier is called.
    for (row, words, expected) in [
        ("1", "open | | ok", "call 1 backup_outage Usual"),
        ("1", "open | open | ok", "call 2 backup_outage Usual"),
        (
            "2",
            "open:9 | open:8 |",
            "probe 1 primary_breaker_open, reject all_breakers_open after 8s",
        ),
        (
            "2",
            "open:9 | open:8 | open:7",
            "probe 2 backup_outage, reject all_breakers_open after 7s",
        ),
        ("2", "open | open | full", "reject over_capacity after 0ns"),
        ("3", "open | ok |", "call 1 primary_breaker_open Usual"),
        ("4", "open | full | ok", "call 2 backup_due_to_load Usual"),
        ("5", "ok | |", "call 0 primary_normal Usual"),
        ("5", "half | |", "call 0 primary_half_open Usual"),
        ("6", "full | ok |", "call 1 primary_over_capacity Usual"),
        ("7", "full | open | ok", "call 2 backup_due_to_load Usual"),
        ("7", "full | full | ok", "call 2 backup_due_to_load Usual"),
        ("7", "full | open |", "reject over_capacity after 0ns"),
        ("8", "full | | ok", "call 1 backup_due_to_load Usual"),
        ("8", "full | | open", "reject over_capacity after 0ns"),
        (
            "9",
            "| ok | ok",
            "call 0 secondary_normal Usual, call 1 backup_outage Usual",
        ),
    ] {
        assert_eq!(outcome(words), expected, "row {row}: {words}");
    }
}

#[test]
fn a_full_primary_with_nothing_behind_it_is_over_capacity_and_not_an_open_breaker() {
    check(
        "full",
        &expect![[r#"
            skip 0 primary_over_capacity
            reject over_capacity after 0ns
        "#]],
    );
}

#[test]
fn usable_workers_of_later_tiers_are_called_after_those_of_earlier_ones() {
    check(
        "ok half | ok half | half",
        &expect![[r#"
            call 0 primary_normal Usual
            call 1 primary_half_open Usual
            call 2 secondary_normal Usual
            call 3 secondary_half_open Usual
            call 4 backup_outage Usual
        "#]],
    );
}

#[test]
fn each_cause_of_a_skip_is_told_with_its_tier() {
    check(
        "open down rest limited full ok | open down rest limited full | open down rest limited full",
        &expect![[r#"
            call 5 primary_normal Usual
            skip 0 primary_breaker_open
            skip 1 primary_unhealthy
            skip 2 primary_resting
            skip 3 primary_rate_limited
            skip 4 primary_over_capacity
            skip 6 secondary_breaker_open
            skip 7 secondary_unhealthy
            skip 8 secondary_resting
            skip 9 secondary_rate_limited
            skip 10 secondary_over_capacity
            skip 11 backup_breaker_open
            skip 12 backup_unhealthy
            skip 13 backup_resting
            skip 14 backup_rate_limited
            skip 15 backup_over_capacity
        "#]],
    );
}

#[test]
fn of_several_causes_the_one_that_outweighs_is_told() {
    for (words, expected) in [
        ("open+down+rest+limited+full", Why::BreakerOpen),
        ("down+rest+limited+full", Why::Unhealthy),
        ("rest+limited+full", Why::Resting),
        ("limited+full", Why::RateLimited),
        ("half+full", Why::OverCapacity),
    ] {
        let plan = planned(&format!("{words} | ok"), &ask());
        assert_eq!(plan.skipped[0].why, expected, "{words}");
    }
}

#[test]
fn a_secondary_worker_is_called_for_what_befell_the_primary_ones() {
    for (primary, expected) in [
        ("open", Reason::PrimaryBreakerOpen),
        ("down", Reason::PrimaryUnhealthy),
        ("rest", Reason::PrimaryResting),
        ("limited", Reason::PrimaryOverCapacity),
        ("full", Reason::PrimaryOverCapacity),
        ("rest open", Reason::PrimaryResting),
        ("open rest", Reason::PrimaryBreakerOpen),
        ("open rest full", Reason::PrimaryOverCapacity),
        ("down limited", Reason::PrimaryOverCapacity),
    ] {
        for secondary in ["ok", "half"] {
            let plan = planned(&format!("{primary} | {secondary}"), &ask());
            assert_eq!(plan.candidates[0].reason, expected, "{primary} | {secondary}");
        }
    }
}

#[test]
fn the_backup_is_due_to_load_only_where_load_kept_all_before_it() {
    for (words, expected) in [
        ("open | rest | ok", Reason::BackupOutage),
        ("open full | rest | ok", Reason::BackupDueToLoad),
        ("open | limited | ok", Reason::BackupDueToLoad),
        ("ok full | full | half", Reason::BackupOutage),
        ("| | ok", Reason::BackupOutage),
    ] {
        let plan = planned(words, &ask());
        assert_eq!(plan.candidates.last().unwrap().reason, expected, "{words}");
    }
}

#[test]
fn a_reached_soft_limit_makes_its_tier_full_and_no_other() {
    let full_primary = Ask {
        soft_left: [0, 5, 5],
        ..ask()
    };
    expect![[r#"
        call 1 primary_over_capacity Usual
        call 2 backup_outage Usual
        skip 0 primary_over_capacity
    "#]]
    .assert_eq(&told(&planned("ok | ok | ok", &full_primary)));
    let all_full = Ask {
        soft_left: [0; 3],
        ..ask()
    };
    assert_eq!(
        planned("ok | ok | ok", &all_full).reject,
        Some(Reject::now(Refused::OverCapacity))
    );
}

#[test]
fn an_unknown_health_is_no_reason_to_skip() {
    assert_eq!(outcome("unknown"), "call 0 primary_normal Usual");
    assert_eq!(
        outcome("unknown | ok"),
        "call 0 primary_normal Usual, call 1 secondary_normal Usual"
    );
}

#[test]
fn health_is_ignored_when_it_speaks_against_all() {
    assert_eq!(
        outcome("down | down"),
        "call 0 primary_normal Usual, call 1 secondary_normal Usual"
    );
    assert_eq!(outcome("down | unknown"), "call 1 primary_unhealthy Usual");
    assert_eq!(outcome("down+open:9 | down+full"), "reject over_capacity after 0ns");
}

#[test]
fn what_is_refused_is_what_keeps_the_worker_that_is_back_first() {
    for (words, expected) in [
        ("rest:5 | rest:3", "reject all_resting after 3s"),
        ("limited:5 | limited:7", "reject rate_limited after 5s"),
        ("rest:5 | open:3", "reject all_breakers_open after 3s"),
        ("rest:3 | open:3", "reject all_breakers_open after 3s"),
        ("rest:2 | open:3 | limited:4", "reject all_resting after 2s"),
        ("rest:2+limited:6 | open:30", "reject all_resting after 6s"),
        ("rest:2 down | full", "reject over_capacity after 0ns"),
        ("rest:2 down | rest:9", "reject all_resting after 2s"),
        ("", "reject all_breakers_open after 0ns"),
    ] {
        assert_eq!(outcome(words), expected, "{words}");
    }
}

#[test]
fn a_passed_deadline_is_refused_before_anything_is_looked_at() {
    let late = Ask {
        deadline_left: Duration::ZERO,
        ..ask()
    };
    assert_eq!(told(&planned("ok", &late)), "reject deadline_too_short after 0ns\n");
    let hardly = Ask {
        deadline_left: Duration::from_nanos(1),
        ..ask()
    };
    assert_eq!(planned("ok", &hardly).candidates.len(), 1);
}

#[test]
fn when_all_are_open_the_one_due_soonest_may_be_probed() {
    for (words, expected) in [
        ("open:9 open:4 | open:5", "probe 1 primary_half_open"),
        ("open:9 | open:4 | open:4", "probe 1 primary_breaker_open"),
        ("| open:4", "probe 0 secondary_half_open"),
        ("open:9 | | open:5", "probe 1 backup_outage"),
        ("open:1+rest:2 | open:5", "probe 1 primary_breaker_open"),
        ("open:1+full | open:5", "probe 1 primary_breaker_open"),
        ("open:1+down | open:5", "probe 1 primary_breaker_open"),
        ("open:1+down | open:5+down", "probe 0 primary_half_open"),
        ("open:1 down | open:5", "probe 0 primary_half_open"),
    ] {
        let plan = planned(words, &ask());
        assert!(plan.candidates.is_empty(), "{words}");
        assert!(told(&plan).contains(expected), "{words}: {}", told(&plan));
        assert_eq!(plan.probe.unwrap().pass, Pass::EarlyProbe);
    }
}

#[test]
fn nothing_is_probed_while_a_worker_may_be_back_by_itself_or_none_could_take_the_probe() {
    for words in [
        "open | ok",
        "open | rest",
        "open | full",
        "open | limited",
        "open+rest",
        "open+full",
        "rest",
        "",
    ] {
        assert_eq!(planned(words, &ask()).probe, None, "{words}");
    }
}

#[test]
fn a_worker_of_two_tiers_is_called_for_the_first_in_which_it_is_usable() {
    assert_eq!(
        outcome("ok ok | ok#0 ok"),
        "call 0 primary_normal Usual, call 1 primary_normal Usual, call 2 secondary_normal Usual"
    );
    let full_primary = Ask {
        soft_left: [0, 1, 1],
        ..ask()
    };
    expect![[r#"
        call 0 primary_over_capacity Usual
        skip 0 primary_over_capacity
    "#]]
    .assert_eq(&told(&planned("ok | ok#0 | ok#0", &full_primary)));
}
