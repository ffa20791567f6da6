//! Whom each way calls first, and in which order the others follow.

mod closed_loop;
mod shares;

use super::*;
use crate::view::fixtures::{well, wells};
use orchestrator_core::stable;
use proptest::{collection::vec, prelude::*};
use std::time::Duration;

fn all_of(views: &[View]) -> Vec<Usable<'_>> {
    let views = views.iter().enumerate();
    views
        .map(|(place, view)| Usable::new(place, view, Pass::Usual))
        .collect()
}

/// The workers in the order in which they are called.
fn ordered(views: &[View], balance: Balance, ask: &Ask) -> Vec<usize> {
    let mut usable = all_of(views);
    order(&mut usable, views, balance, ask);
    usable.iter().map(|one| one.view.worker).collect()
}

fn first(views: &[View], balance: Balance, ask: &Ask) -> usize {
    ordered(views, balance, ask)[0]
}

fn at_turn(turn: u64) -> Ask {
    Ask::new(mix(turn), turn)
}

fn ms(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis))
}

fn running(worker: usize, running: usize) -> View {
    View {
        running,
        ..well(worker)
    }
}

#[test]
fn round_robin_takes_one_after_the_other_each_followed_by_its_next() {
    let orders = [0, 1, 2, 3, u64::MAX].map(|turn| ordered(&wells(3), Balance::RoundRobin, &at_turn(turn)));
    assert_eq!(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2], [0, 1, 2]]);
}

#[test]
fn no_worker_and_a_single_one_need_no_order() {
    for balance in Balance::ALL {
        assert_eq!(ordered(&[], balance, &at_turn(7)), [0; 0]);
        assert_eq!(ordered(&wells(1), balance, &at_turn(7)), [0]);
    }
}

#[test]
fn fewest_running_calls_for_the_weight_come_first() {
    let views = [
        running(0, 3),
        running(1, 1),
        View {
            weight: 9,
            ..running(2, 5)
        },
        running(3, 0),
    ];
    assert_eq!(ordered(&views, Balance::LeastConnections, &at_turn(0)), [2, 3, 1, 0]);
}

#[test]
fn of_workers_with_as_many_calls_none_wins_by_standing_in_front() {
    let mut firsts = [0_u32; 3];
    for turn in 0..300 {
        firsts[first(&wells(3), Balance::LeastConnections, &at_turn(turn))] += 1;
    }
    assert!(firsts.iter().all(|count| count.abs_diff(100) <= 25), "{firsts:?}");
}

#[test]
fn a_worker_that_warms_up_counts_as_the_lighter_one() {
    let cold = View {
        warmth: 0.1,
        ..running(0, 1)
    };
    let views = [cold, running(1, 9)];
    for balance in [Balance::LeastConnections, Balance::P2cEwma] {
        assert_eq!(first(&views, balance, &at_turn(1)), 1);
    }
}

#[test]
fn of_two_the_one_expected_to_answer_sooner_comes_first() {
    let fast = |running| View {
        latency: ms(100),
        running,
        ..well(0)
    };
    let slow = View {
        latency: ms(1_000),
        ..well(1)
    };
    for turn in 0..50 {
        assert_eq!(first(&[fast(8), slow.clone()], Balance::P2cEwma, &at_turn(turn)), 0);
        assert_eq!(first(&[fast(10), slow.clone()], Balance::P2cEwma, &at_turn(turn)), 1);
    }
}

#[test]
fn the_best_of_many_is_not_always_drawn_but_the_worst_never() {
    let views: Vec<_> = (0..10)
        .map(|worker| View {
            latency: ms(100 * (worker as u64 + 1)),
            ..well(worker)
        })
        .collect();
    let mut firsts = [0; 10];
    for turn in 0..1_000 {
        firsts[first(&views, Balance::P2cEwma, &at_turn(turn))] += 1;
    }
    // Of ten places two are drawn: the best is among them in one case of five.
    assert!((150..250).contains(&firsts[0]), "{firsts:?}");
    assert_eq!(firsts[9], 0);
    assert!(firsts.is_sorted_by(|one, next| *one + 60 > *next), "{firsts:?}");
}

#[test]
fn behind_the_first_of_two_the_others_follow_by_what_they_cost() {
    let views: Vec<_> = [400, 100, 300, 200]
        .into_iter()
        .enumerate()
        .map(|(worker, millis)| View {
            latency: ms(millis),
            ..well(worker)
        })
        .collect();
    for turn in 0..50 {
        let order = ordered(&views, Balance::P2cEwma, &at_turn(turn));
        let rest: Vec<_> = [1, 3, 2, 0].into_iter().filter(|worker| *worker != order[0]).collect();
        assert_eq!(order[1..], rest);
    }
}

#[test]
fn a_worker_without_samples_counts_as_the_median() {
    for (known, median) in [
        (&[50, 300, 100][..], 0.1),
        (&[50, 300, 100, 200], 0.2),
        (&[70], 0.07),
        (&[], LEAST_LATENCY),
    ] {
        let latencies = known.iter().map(|millis| ms(*millis)).chain([None]);
        let views: Vec<_> = latencies.map(|latency| View { latency, ..well(0) }).collect();
        assert_eq!(median_latency(&all_of(&views)), median, "{known:?}");
        let unknown = views.last().unwrap();
        assert_eq!(expected_wait(unknown, Some(median)), Some(median));
        assert_eq!(expected_wait(unknown, None), None);
    }
}

#[test]
fn a_worker_without_samples_is_tried_before_those_slower_than_most() {
    let views: Vec<_> = [ms(50), ms(100), ms(300), None]
        .into_iter()
        .enumerate()
        .map(|(worker, latency)| View {
            latency,
            ..well(worker)
        })
        .collect();
    let firsts: Vec<_> = (0..50)
        .map(|turn| first(&views, Balance::P2cEwma, &at_turn(turn)))
        .collect();
    assert!(firsts.contains(&3) && !firsts.contains(&2), "{firsts:?}");
}

#[test]
fn a_worker_on_trial_gets_no_second_call_while_there_is_another() {
    let trial = |worker| View {
        latency: None,
        unheard: 1,
        ..running(worker, 1)
    };
    let busy = View {
        latency: ms(60_000),
        ..running(2, 90)
    };
    for turn in 0..50 {
        let order = ordered(&[trial(0), trial(1), busy.clone()], Balance::P2cEwma, &at_turn(turn));
        assert_eq!(order[0], 2);
        let mut alone = ordered(&[trial(0), trial(1)], Balance::P2cEwma, &at_turn(turn));
        alone.sort_unstable();
        assert_eq!(alone, [0, 1]);
    }
}

#[test]
fn a_call_that_was_given_up_at_once_makes_no_worker_fast_and_a_long_wait_makes_it_slow() {
    let known = View {
        latency: ms(100),
        ..well(1)
    };
    for (given_up_after, expected) in [(0, vec![0, 1]), (1, vec![0, 1]), (450, vec![1])] {
        let unknown = View {
            latency: None,
            latency_at_least: Duration::from_millis(given_up_after),
            ..well(0)
        };
        let views = [unknown, known.clone()];
        let mut firsts: Vec<_> = (0..50)
            .map(|turn| first(&views, Balance::P2cEwma, &at_turn(turn)))
            .collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts, expected, "given up after {given_up_after} ms");
    }
}

#[test]
fn calls_of_the_other_kind_are_no_trial() {
    let unknown = View {
        latency: None,
        ..running(0, 1)
    };
    let slow = View {
        latency: ms(60_000),
        ..running(1, 90)
    };
    for turn in 0..50 {
        assert_eq!(
            first(&[unknown.clone(), slow.clone()], Balance::P2cEwma, &at_turn(turn)),
            0
        );
    }
}

#[test]
fn where_nothing_is_known_each_gets_its_trial() {
    let mut views = wells(4);
    views.iter_mut().for_each(|view| view.latency = None);
    for turn in 0..4 {
        let chosen = first(&views, Balance::P2cEwma, &at_turn(turn));
        assert_eq!(views[chosen].running, 0);
        (views[chosen].running, views[chosen].unheard) = (1, 1);
    }
}

#[test]
fn running_calls_weigh_even_where_all_is_forgotten() {
    let idle = |worker| View {
        latency: ms(0),
        ..well(worker)
    };
    let views = [View { running: 2, ..idle(0) }, idle(1)];
    for turn in 0..50 {
        assert_eq!(first(&views, Balance::P2cEwma, &at_turn(turn)), 1);
    }
}

#[test]
fn a_session_keeps_its_worker_whatever_chance_and_turn_say() {
    let views = wells(7);
    let of_session = |turn| Ask {
        session: Some(stable::hash(b"alice")),
        ..at_turn(turn)
    };
    let order = ordered(&views, Balance::ConsistentHash, &of_session(0));
    for turn in 1..100 {
        assert_eq!(ordered(&views, Balance::ConsistentHash, &of_session(turn)), order);
    }
}

#[test]
fn a_session_keeps_its_worker_where_workers_stand_in_another_order() {
    let mut turned = wells(7);
    turned.rotate_left(3);
    for session in 0..50 {
        let ask = Ask {
            session: Some(session),
            ..at_turn(0)
        };
        let [one, other] = [&wells(7), &turned].map(|views| ordered(views, Balance::ConsistentHash, &ask));
        assert_eq!(one, other);
    }
}

#[test]
fn numbers_drawn_from_hashes_stay_within_their_bounds() {
    for hash in [0, 1, u64::MAX / 2, u64::MAX] {
        assert!(unit(hash) > 0.0 && unit(hash) <= 1.0);
        for len in [0, 1, 2, 1_000] {
            assert!(below(len, hash) < len.max(1));
        }
    }
    assert_eq!([below(2, 0), below(2, u64::MAX)], [0, 1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_way_keeps_all_workers(
        latencies in vec(prop::option::of(0_u64..5_000), 0..40),
        calls in vec(0_usize..5, 40),
        turn in any::<u64>(),
    ) {
        let views: Vec<_> = latencies.iter().zip(&calls).enumerate().map(|(worker, (latency, calls))| View {
            latency: latency.and_then(ms),
            ..running(worker, *calls)
        }).collect();
        for balance in Balance::ALL {
            let mut all = ordered(&views, balance, &at_turn(turn));
            all.sort_unstable();
            prop_assert_eq!(all, (0..views.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn two_choices_never_prefer_the_slower_of_two(
        latencies in (1_u64..10_000, 1_u64..10_000), calls in 0_usize..20, seed in any::<u64>(),
    ) {
        let views = [
            View { latency: ms(latencies.0), ..running(0, calls) },
            View { latency: ms(latencies.1), ..running(1, calls) },
        ];
        let order = ordered(&views, Balance::P2cEwma, &Ask::new(seed, 0));
        prop_assert!(views[order[0]].latency <= views[order[1]].latency);
    }
}
