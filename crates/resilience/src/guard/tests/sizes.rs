//! How many calls a worker takes can be changed under way.

use super::*;
use proptest::prelude::*;

/// As many calls as are let through.
fn fill(guard: &Guard) -> Vec<Permit> {
    std::iter::from_fn(|| guard.try_admit(Pass::Usual).ok()).collect()
}

#[tokio::test(start_paused = true)]
async fn fewer_slots_than_calls_let_none_through_until_enough_have_ended() {
    let (guard, registry) = guard(quick(), 4);
    let mut calls = fill(&guard);
    guard.set_max_concurrent(2);
    assert_eq!((calls.len(), guard.max_concurrent()), (4, 2));
    for left in [3, 2] {
        calls.pop();
        assert_eq!((refused(&guard), guard.slots().taken()), (Refusal::Full, left));
    }
    calls.pop();
    assert_eq!(shown(&registry, "orchestrator_worker_free_slots", "w"), 1.0);
    assert_eq!(fill(&guard).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn more_slots_serve_the_next_call() {
    let (guard, registry) = guard(quick(), 1);
    let _held = fill(&guard);
    assert_eq!(refused(&guard), Refusal::Full);
    guard.set_max_concurrent(3);
    assert_eq!(shown(&registry, "orchestrator_worker_free_slots", "w"), 2.0);
    assert_eq!((fill(&guard).len(), guard.max_concurrent()), (2, 3));
}

/// Slots that adapt, while none of the calls is slow.
#[tokio::test(start_paused = true)]
async fn slots_that_adapt_never_exceed_what_they_are_bounded_to_meanwhile() {
    let config = Config {
        adaptive_concurrency: true,
        ..quick()
    };
    let (guard, _) = guard(config, 4);
    let round = || async {
        let mut calls = fill(&guard);
        tokio::time::advance(Duration::from_millis(20)).await;
        calls.iter_mut().for_each(Permit::first_token);
        calls.len()
    };
    let mut seen = Vec::new();
    for max in [4, 2, 9] {
        guard.set_max_concurrent(max);
        assert_eq!(guard.max_concurrent(), max);
        for _ in 0..4 {
            seen.push(round().await);
        }
    }
    assert_eq!(seen, [1, 2, 4, 4, 2, 2, 2, 2, 2, 4, 8, 9]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However it is changed, and whether its slots adapt: never more than the last change says come in, and one always may.
    #[test]
    fn the_last_change_is_obeyed(is_adaptive: bool, first in 0_usize..6, changes in prop::collection::vec(0_usize..6, 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let config = Config { adaptive_concurrency: is_adaptive, ..quick() };
            let (guard, _) = guard(config, first);
            for max in changes {
                guard.set_max_concurrent(max);
                let mut calls = fill(&guard);
                prop_assert!((1..=max.max(1)).contains(&calls.len()), "{} of {max}", calls.len());
                prop_assert!(is_adaptive || calls.len() == max.max(1));
                prop_assert_eq!(guard.max_concurrent(), max.max(1));
                calls.iter_mut().for_each(Permit::first_token);
            }
            Ok(())
        })?;
    }
}
