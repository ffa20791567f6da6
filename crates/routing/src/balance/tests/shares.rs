//! How many calls each worker gets over many requests.

use super::*;

const TURNS: u64 = 10_000;

/// Workers of these weights.
fn weighted(weights: &[u32]) -> Vec<View> {
    let views = weights.iter().enumerate();
    views
        .map(|(worker, weight)| View {
            weight: *weight,
            ..well(worker)
        })
        .collect()
}

/// The part of `turns` in which each worker stands at `place` of the order.
fn shares(views: &[View], balance: Balance, turns: u64, place: usize) -> Vec<f64> {
    let mut counts = vec![0.0; views.len()];
    for turn in 0..turns {
        counts[ordered(views, balance, &at_turn(turn))[place]] += 1.0;
    }
    counts.iter().map(|count| count / turns as f64).collect()
}

fn assert_close(found: &[f64], expected: &[f64], within: f64) {
    let close = found
        .iter()
        .zip(expected)
        .all(|(one, other)| (one - other).abs() <= within);
    assert!(
        close && found.len() == expected.len(),
        "{found:?} instead of {expected:?}"
    );
}

/// What the weights promise.
fn promised(weights: &[u32]) -> Vec<f64> {
    let all: u32 = weights.iter().sum();
    weights
        .iter()
        .map(|weight| f64::from(*weight) / f64::from(all))
        .collect()
}

#[test]
fn shares_follow_the_weights() {
    for weights in [&[1, 1][..], &[3, 1], &[1, 2, 3, 4], &[1_000, 1], &[5, 0, 5]] {
        // A weight of zero, which the configuration refuses, is taken for the least there is.
        let lawful: Vec<_> = weights.iter().map(|weight| *weight.max(&1)).collect();
        for balance in [Balance::RoundRobin, Balance::Weighted, Balance::ConsistentHash] {
            assert_close(&shares(&weighted(weights), balance, TURNS, 0), &promised(&lawful), 0.02);
        }
    }
}

#[test]
fn a_short_run_of_turns_is_already_close_to_the_weights() {
    let weights = [3, 2, 1];
    for balance in [Balance::RoundRobin, Balance::Weighted] {
        assert_close(&shares(&weighted(&weights), balance, 60, 0), &promised(&weights), 0.04);
    }
}

#[test]
fn what_a_failed_worker_leaves_is_shared_by_weight_too() {
    // Behind the first: each of the others by its weight, in the turns in which it was not first itself.
    let first: [f64; 3] = [0.5, 0.3, 0.2];
    let second = |one: usize| {
        let others = (0..3).filter(|other| *other != one);
        others
            .map(|other| first[other] * first[one] / (1.0 - first[other]))
            .sum()
    };
    let expected = [second(0), second(1), second(2)];
    assert_close(
        &shares(&weighted(&[5, 3, 2]), Balance::Weighted, TURNS, 1),
        &expected,
        0.02,
    );
}

#[test]
fn a_worker_that_warms_up_gets_the_part_that_it_is_warm() {
    let mut views = wells(2);
    views[0].warmth = 0.25;
    for balance in [Balance::RoundRobin, Balance::Weighted, Balance::ConsistentHash] {
        assert_close(&shares(&views, balance, TURNS, 0), &[0.2, 0.8], 0.02);
    }
}

#[test]
fn equals_get_equal_shares_whatever_the_way() {
    for balance in Balance::ALL {
        assert_close(&shares(&wells(4), balance, TURNS, 0), &[0.25; 4], 0.02);
    }
}

#[test]
fn the_latest_turns_are_as_even_as_the_first() {
    let views = weighted(&[3, 1]);
    let firsts = (u64::MAX - 1_000..u64::MAX).filter(|turn| first(&views, Balance::Weighted, &at_turn(*turn)) == 0);
    assert!((740..=760).contains(&firsts.count()));
}

#[test]
fn a_worker_that_goes_moves_no_session_of_another() {
    let all = wells(10);
    let mut moved = 0;
    for session in 0..TURNS {
        let ask = Ask {
            session: Some(session),
            ..at_turn(0)
        };
        let before = ordered(&all, Balance::ConsistentHash, &ask);
        let after = first(&all[..9], Balance::ConsistentHash, &ask);
        if before[0] == 9 {
            moved += 1;
            assert_eq!(after, before[1]);
        } else {
            assert_eq!(after, before[0]);
        }
    }
    assert!((800..1_200).contains(&moved), "{moved} of {TURNS}");
}

#[test]
fn a_worker_that_grows_takes_sessions_and_gives_none_away() {
    let [before, after] = [&[1, 1, 1], &[1, 1, 2]].map(|weights| weighted(weights));
    for session in 0..TURNS {
        let ask = Ask {
            session: Some(session),
            ..at_turn(0)
        };
        let [old, new] = [&before, &after].map(|views| first(views, Balance::ConsistentHash, &ask));
        assert!(new == old || new == 2);
    }
}
