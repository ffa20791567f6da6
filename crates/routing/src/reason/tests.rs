use super::*;
use std::collections::BTreeSet;

fn distinct<const N: usize>(codes: [&'static str; N]) -> BTreeSet<&'static str> {
    let set = BTreeSet::from(codes);
    assert_eq!(set.len(), N, "{codes:?}");
    set
}

#[test]
fn no_code_admits_and_refuses() {
    let admits = distinct(Reason::ALL.map(Reason::as_str));
    let refuses = distinct(Refused::ALL.map(Refused::as_str));
    assert!(admits.is_disjoint(&refuses));
}

#[test]
fn a_skip_shares_no_code_with_a_refusal() {
    let refuses = distinct(Refused::ALL.map(Refused::as_str));
    for tier in Tier::ALL {
        assert!(distinct(Why::ALL.map(|why| why.code(tier))).is_disjoint(&refuses));
    }
}

#[test]
fn the_code_of_a_skip_is_its_tier_and_its_cause() {
    let causes = ["breaker_open", "unhealthy", "resting", "rate_limited", "over_capacity"];
    for tier in Tier::ALL {
        for (why, cause) in Why::ALL.into_iter().zip(causes) {
            assert_eq!(why.code(tier), format!("{}_{cause}", tier.as_str()));
        }
    }
}

#[test]
fn an_overflow_is_told_by_the_code_of_the_skip_that_caused_it() {
    for (reason, why) in [
        (Reason::PrimaryOverCapacity, Why::OverCapacity),
        (Reason::PrimaryBreakerOpen, Why::BreakerOpen),
        (Reason::PrimaryUnhealthy, Why::Unhealthy),
        (Reason::PrimaryResting, Why::Resting),
    ] {
        assert_eq!(reason.as_str(), why.code(Tier::Primary));
    }
}

#[test]
fn only_capacity_and_our_own_limits_are_load() {
    let load: Vec<_> = Why::ALL.into_iter().filter(|why| why.is_load()).collect();
    assert_eq!(load, [Why::RateLimited, Why::OverCapacity]);
}

#[test]
fn usual_is_a_worker_that_is_well_in_a_place_of_its_own() {
    let usual: Vec<_> = Reason::ALL.into_iter().filter(|reason| reason.is_usual()).collect();
    assert_eq!(
        usual,
        [Reason::PrimaryNormal, Reason::SecondaryNormal, Reason::ExplicitModel]
    );
}

#[test]
fn an_overflow_is_what_only_load_has_brought() {
    let overflows: Vec<_> = Reason::ALL.into_iter().filter(|reason| reason.is_overflow()).collect();
    assert_eq!(overflows, [Reason::PrimaryOverCapacity, Reason::BackupDueToLoad]);
}
