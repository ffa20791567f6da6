//! What holds of every plan: over all routes of one worker a tier, and over many drawn ones.

use super::*;
use crate::{
    balance::draw,
    view::fixtures::{first_by, well},
};
use orchestrator_resilience::State;
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeSet;

const STATES: [&str; 11] = [
    "",
    "ok",
    "half",
    "unknown",
    "open:3",
    "rate:0.6",
    "down",
    "rest:2",
    "limited:4",
    "full",
    "open:1+down",
];

/// The plans of all routes with at most one worker a tier.
fn all_small() -> impl Iterator<Item = (String, Plan)> {
    let words = STATES.into_iter().flat_map(|primary| {
        STATES.into_iter().flat_map(move |secondary| {
            let words = move |backup| format!("{primary} | {secondary} | {backup}");
            STATES.into_iter().map(words)
        })
    });
    words.map(|words| {
        let plan = planned(&words, &ask());
        (words, plan)
    })
}

#[test]
fn every_code_is_reached_and_none_is_missing_from_its_list() {
    let late = Ask {
        deadline_left: Duration::ZERO,
        ..ask()
    };
    let wishes = wishes::one_of_each().map(|(_, plan)| plan);
    let plans: Vec<_> = all_small()
        .map(|(_, plan)| plan)
        .chain([planned("ok", &late)])
        .chain(wishes)
        .collect();
    let reasons: BTreeSet<_> = plans
        .iter()
        .flat_map(|plan| &plan.candidates)
        .map(|one| one.reason)
        .collect();
    let whys: BTreeSet<_> = plans.iter().flat_map(|plan| &plan.skipped).map(|one| one.why).collect();
    let refused: BTreeSet<_> = plans
        .iter()
        .filter_map(|plan| plan.reject)
        .map(|one| one.refused)
        .collect();
    assert_eq!(reasons, BTreeSet::from(Reason::ALL));
    assert_eq!(whys, BTreeSet::from(Why::ALL));
    let planned = Refused::ALL
        .into_iter()
        .filter(|refused| *refused != Refused::UnknownModel);
    assert_eq!(
        refused,
        planned.collect(),
        "where no route serves the model there is no plan"
    );
}

#[test]
fn no_small_route_refuses_while_a_tier_has_room() {
    for (words, plan) in all_small() {
        let has_room = words.split(" | ").any(|word| ["ok", "half", "unknown"].contains(&word));
        if has_room {
            assert_eq!(plan.reject, None, "{words}");
        }
        assert_eq!(plan.reject.is_none(), !plan.candidates.is_empty(), "{words}");
        assert!(plan.probe.is_none() || plan.reject.is_some(), "{words}");
    }
}

/// A worker in any condition.
fn any_view() -> impl Strategy<Value = View> {
    let state = prop_oneof![
        3 => Just((State::Closed, false)),
        1 => Just((State::HalfOpen, false)),
        1 => Just((State::Open, false)),
        2 => Just((State::Open, true)),
    ];
    let seconds = || prop_oneof![3 => Just(0), 1 => 1_u64..60];
    let healthy = prop_oneof![3 => Just(Some(true)), 1 => Just(None), 1 => Just(Some(false))];
    let load = (0_usize..5, prop_oneof![1 => Just(0), 4 => 1_usize..10]);
    let measured = (
        prop::option::of(1_u64..5_000),
        0.0..=1.0_f64,
        prop_oneof![2 => Just(1.0), 1 => 0.1..=1.0_f64],
        1_u32..=1_000,
    );
    let drawn = (state, (1_u64..300, seconds(), seconds()), healthy, load, measured);
    drawn.prop_map(|(state, (due, rest, limited), healthy, load, measured)| View {
        state: state.0,
        opened_by_rate: state.1,
        badness: measured.1,
        due: Duration::from_secs(if state.0 == State::Open { due } else { 0 }),
        rest: Duration::from_secs(rest),
        rate_limited: Duration::from_secs(limited),
        running: load.0,
        free: load.1,
        warmth: measured.2,
        weight: measured.3,
        healthy,
        latency: measured.0.map(Duration::from_millis),
        last_latency: measured.0.map(Duration::from_millis),
        unheard: load.0 / 2,
        ..well(0)
    })
}

/// Three tiers of up to five of eight workers, each of which may stand in several.
fn any_route() -> impl Strategy<Value = [Vec<View>; 3]> {
    let places = || prop::sample::subsequence((0..8).collect::<Vec<usize>>(), 0..=5);
    (vec(any_view(), 8), [places(), places(), places()]).prop_map(|(views, tiers)| {
        tiers.map(|places| {
            let place = |worker: usize| View {
                worker,
                key: worker as u64,
                ..views[worker].clone()
            };
            places.into_iter().map(place).collect()
        })
    })
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let soft_left = prop::array::uniform3(prop_oneof![1 => Just(0), 4 => 1_usize..10]);
    let wishes = (
        prop::sample::select(Tier::ALL.to_vec()),
        prop::option::of(0_u64..3_000),
        any::<bool>(),
    );
    let drawn = (
        prop::option::of(any::<u64>()),
        any::<u64>(),
        any::<u64>(),
        soft_left,
        wishes,
    );
    drawn.prop_map(
        |(session, seed, turn, soft_left, (first_tier, budget, names_model))| Ask {
            session,
            soft_left,
            first_tier,
            latency_budget: budget.map(Duration::from_millis),
            names_model,
            ..Ask::new(seed, turn)
        },
    )
}

fn any_balance() -> impl Strategy<Value = Balance> {
    prop::sample::select(Balance::ALL.to_vec())
}

/// Whether the worker may be called as its breaker says, by the sentence of the behaviour.
fn is_usable(view: &View, tiers: &[Vec<View>; 3], soft_left: usize) -> bool {
    let all_down = tiers.iter().flatten().all(|view| view.healthy == Some(false));
    let is_open = view.state == State::Open;
    let is_full = view.free == 0 || soft_left == 0;
    let is_resting = view.rest > Duration::ZERO || view.rate_limited > Duration::ZERO;
    let is_unhealthy = view.healthy == Some(false) && !all_down;
    !(is_open || is_full || is_resting || is_unhealthy)
}

/// The tiers in the order in which a request goes over them.
fn in_order(ask: &Ask) -> Vec<Tier> {
    let others = Tier::ALL.into_iter().filter(|tier| *tier != ask.first_tier);
    [ask.first_tier].into_iter().chain(others).collect()
}

/// The workers that pass as usual, each in the first tier in which it is usable.
fn usable_by_the_book(tiers: &[Vec<View>; 3], ask: &Ask) -> BTreeSet<(Tier, usize)> {
    let mut seen = BTreeSet::new();
    let mut usable = BTreeSet::new();
    for tier in in_order(ask) {
        let (views, soft_left) = (&tiers[tier as usize], ask.soft_left[tier as usize]);
        for view in views.iter().filter(|view| is_usable(view, tiers, soft_left)) {
            if seen.insert(view.worker) {
                usable.insert((tier, view.worker));
            }
        }
    }
    usable
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_usable_workers_are_those_of_the_book(tiers in any_route(), balance in any_balance(), ask in any_ask()) {
        let plan = planned_by(&tiers, balance, &ask);
        let usual = plan.candidates.iter().filter(|one| one.pass == Pass::Usual);
        let usual: BTreeSet<_> = usual.map(|one| (one.tier, one.worker)).collect();
        prop_assert_eq!(usual, usable_by_the_book(&tiers, &ask));
    }

    #[test]
    fn each_worker_is_a_candidate_once_or_skipped(tiers in any_route(), balance in any_balance(), ask in any_ask()) {
        let plan = planned_by(&tiers, balance, &ask);
        let called: BTreeSet<_> = plan.candidates.iter().map(|one| one.worker).collect();
        prop_assert_eq!(called.len(), plan.candidates.len());
        let place = |one: &Candidate| in_order(&ask).into_iter().position(|tier| tier == one.tier);
        prop_assert!(ask.latency_budget.is_some() || plan.candidates.is_sorted_by_key(place));
        let told: BTreeSet<_> = called.into_iter().chain(plan.skipped.iter().map(|one| one.worker)).collect();
        let all: BTreeSet<_> = tiers.iter().flatten().map(|view| view.worker).collect();
        prop_assert_eq!(told, all);
    }

    #[test]
    fn what_few_looks_find_is_what_the_whole_plan_has_in_front(tiers in any_route(), ask in any_ask()) {
        for balance in Balance::ALL {
            let (first, looks) = first_by(&tiers, balance, &ask);
            prop_assert!(looks <= 2 * draw::looks(5));
            let Some(first) = first else { continue };
            let plan = planned_by(&tiers, balance, &ask);
            prop_assert_eq!(Some(&first.candidate), plan.candidates.first());
            prop_assert_eq!(first.has_more, plan.candidates.len() > 1);
        }
    }

    #[test]
    fn equal_inputs_give_equal_plans_and_the_balance_only_their_order(tiers in any_route(), ask in any_ask()) {
        let sorted = |balance| {
            let plan = planned_by(&tiers, balance, &ask);
            assert_eq!(plan, planned_by(&tiers, balance, &ask));
            // Who comes first may have a reason of its own.
            let mut candidates: Vec<_> = plan.candidates.iter().map(|one| (one.worker, one.tier, one.pass as u8)).collect();
            candidates.sort_unstable();
            (candidates, plan.skipped, plan.probe, plan.reject)
        };
        for balance in Balance::ALL {
            prop_assert_eq!(sorted(balance), sorted(Balance::RoundRobin));
        }
    }

    #[test]
    fn a_latency_budget_changes_the_order_alone(tiers in any_route(), balance in any_balance(), ask in any_ask()) {
        let sorted = |ask| {
            let mut plan = planned_by(&tiers, balance, &ask);
            plan.candidates.sort_unstable_by_key(|one| (one.worker, one.tier));
            plan.candidates.iter_mut().for_each(|one| one.reason = Reason::PrimaryNormal);
            plan
        };
        prop_assert_eq!(sorted(ask), sorted(Ask { latency_budget: None, ..ask }));
    }

    #[test]
    fn a_budget_is_kept_by_the_first_if_anybody_is_known_to_keep_it(
        tiers in any_route(), balance in any_balance(), ask in any_ask(), millis in 0_u64..3_000,
    ) {
        let budget = Duration::from_millis(millis);
        let plan = planned_by(&tiers, balance, &Ask { latency_budget: Some(budget), ..ask });
        let known = |one: &Candidate| {
            let view = tiers[one.tier as usize].iter().find(|view| view.worker == one.worker).unwrap();
            view.last_latency
        };
        let is_kept = plan.candidates.iter().filter_map(known).any(|latency| latency <= budget);
        let first = plan.candidates.first();
        prop_assert!(!is_kept || first.and_then(known).is_none_or(|latency| latency <= budget));
        let moved = plan.candidates.iter().position(|one| one.reason == Reason::LatencyBudget);
        prop_assert!(moved.is_none_or(|place| place == 0));
    }

    #[test]
    fn rates_never_skip_more_than_half_of_the_only_tier(views in vec(any_view(), 1..10), ask in any_ask()) {
        let numbered = views.into_iter().enumerate().map(|(worker, view)| View { worker, ..view });
        let tiers = [numbered.collect(), vec![], vec![]];
        let plan = planned_by(&tiers, Balance::RoundRobin, &ask);
        let healthy = |view: &View| View { state: State::Closed, ..view.clone() };
        let kept_by_rates_alone = tiers[0].iter().filter(|view| {
            let skipped = plan.skipped.iter().any(|one| one.worker == view.worker);
            skipped && view.opened_by_rate && is_usable(&healthy(view), &tiers, ask.soft_left[0])
        });
        prop_assert!(kept_by_rates_alone.count() <= tiers[0].len() / 2);
    }

    #[test]
    fn a_refusal_names_the_earliest_end_of_any_wait(tiers in any_route(), ask in any_ask()) {
        let plan = planned_by(&tiers, Balance::P2cEwma, &ask);
        let Some(reject) = plan.reject else { return Ok(()) };
        prop_assert!(plan.candidates.is_empty());
        let ends = plan.skipped.iter().filter(|one| one.why != Why::Unhealthy).map(|one| {
            let view = tiers[one.tier as usize].iter().find(|view| view.worker == one.worker).unwrap();
            view.due.max(view.rest).max(view.rate_limited)
        });
        prop_assert_eq!(reject.after, ends.min().unwrap_or_default());
    }
}
