//! Everything that a call holds is given back, whatever way it ends.

use super::*;
use futures_util::FutureExt;
use proptest::prelude::*;
use std::panic::AssertUnwindSafe;

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_its_caller_before_the_first_token_and_in_the_stream() {
    let bench = Bench::new("a", |_, _| Call::new().after(100).text("x").hang(), |_| {});
    let prompt = streamed();
    assert!(tokio::time::timeout(ms(99), bench.call(&prompt)).await.is_err());
    bench.is_at_rest();
    let mut reply = bench.call(&prompt).await.unwrap();
    assert!(
        tokio::time::timeout(ms(50), reply.events.collect::<Vec<_>>())
            .await
            .is_err()
    );
    bench.is_at_rest();
    reply = bench.call(&prompt).await.unwrap();
    assert_eq!(bench.members[0].guard().slots().taken(), 1);
    drop(reply);
    bench.is_at_rest();
    assert_eq!((bench.calls(), bench.models[0].dropped()), (vec![3], 3));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_in_a_pause_makes_no_other_call() {
    let bench = Bench::new("a", told(&[("a", "rests:3 fine")]), |_| {});
    assert!(tokio::time::timeout(ms(1_000), bench.call(&streamed())).await.is_err());
    tokio::time::sleep(ms(60_000)).await;
    assert_eq!(bench.calls(), [1]);
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_while_it_waits_for_a_slot_takes_none() {
    let bench = Bench::new("a", told(&[("a", "slow:10000")]), |setup| setup.slots = 1);
    let (first, second) = (streamed(), streamed());
    let leaves = async {
        assert!(tokio::time::timeout(ms(5_000), bench.call(&second)).await.is_err());
        assert_eq!(bench.members[0].guard().slots().taken(), 1);
    };
    let (heard, ()) = tokio::join!(bench.answer(&first), leaves);
    assert_eq!((heard.unwrap(), bench.calls()), ("slow".to_owned(), vec![1]));
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_model_that_panics_gives_all_back() {
    let bench = Bench::new("a", |_, _| Call::new().panic(), |_| {});
    let prompt = streamed();
    assert!(AssertUnwindSafe(bench.call(&prompt)).catch_unwind().await.is_err());
    bench.is_at_rest();
    let seen = bench.members[0].view((0, 1), &of_kind(true), Instant::now());
    assert_eq!(seen.latency, None, "that it was over soon does not speak for it");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_was_given_up_is_a_lower_bound_of_the_latency() {
    let bench = Bench::new("a b", told(&[("a", "hangs"), ("b", "fine")]), |_| {});
    let seen = |is_stream| {
        let view = bench.members[0].view((0, 1), &of_kind(is_stream), Instant::now());
        (view.latency, view.latency_at_least)
    };
    let call = streamed();
    assert!(tokio::time::timeout(ms(700), bench.call(&call)).await.is_err());
    assert_eq!((seen(true), seen(false)), ((None, ms(700)), (None, ms(0))));
}

#[tokio::test(start_paused = true)]
async fn impatient_clients_do_not_make_an_unknown_worker_the_fastest() {
    let bench = Bench::new("a b", told(&[("a", "hangs"), ("b", "hangs")]), |setup| {
        setup.route.balance = crate::Balance::P2cEwma;
        // That they hear nothing opens no breaker.
        setup.config.circuit_breaker_threshold = 0;
    });
    bench.members[1].answered(true, ms(100), Instant::now());
    for _ in 0..40 {
        assert!(tokio::time::timeout(ms(1), bench.call(&streamed())).await.is_err());
    }
    let calls = bench.calls();
    assert!(
        calls.iter().all(|&calls| calls > 3),
        "each gets about its half: {calls:?}"
    );
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_too_slow_for_its_half_is_known_to_be() {
    let bench = Bench::new("a b", told(&[("a", "hangs"), ("b", "fine")]), |_| {});
    assert_eq!(bench.answer(&within(false, 3_000)).await.unwrap(), "fine");
    let latency = bench.members[0]
        .view((0, 1), &of_kind(false), Instant::now())
        .latency
        .unwrap();
    assert!(latency >= ms(1_500), "{latency:?}");
}

/// How one call of a storm goes.
fn fate() -> impl Strategy<Value = (u8, u64)> {
    (0_u8..7, 1_u64..300)
}

fn played((fate, after): (u8, u64)) -> Call {
    let call = Call::new().after(after);
    match fate {
        0 => slow(after),
        1 => call.fail(Failure::new(Code::UpstreamError, "no")),
        2 => call
            .text("x")
            .after(after)
            .fail(Failure::new(Code::UpstreamTruncated, "cut")),
        3 => call.panic(),
        4 => call.text("x").after(after).panic(),
        5 => call.text("x").hang(),
        _ => call.hang(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_count_is_zero_after_any_storm(
        fates in proptest::collection::vec(fate(), 1..12),
        callers in proptest::collection::vec((0_u64..200, 1_u64..2_000, proptest::bool::ANY), 1..40),
        slots in 1_usize..4,
    ) {
        crate::fixtures::paused(async {
            let script = move |_: &str, nth: usize| played(fates[nth % fates.len()]);
            let bench = Bench::new("a b | c", script, |setup| {
                setup.slots = slots;
                setup.route.soft_limit = Some(2 * slots);
                setup.pool = Some(orchestrator_resilience::Slots::new(2 * slots));
            });
            let callers = callers.into_iter().map(|(at, patience, is_stream)| {
                let bench = &bench;
                async move {
                    tokio::time::sleep(ms(at)).await;
                    let prompt = within(is_stream, patience);
                    let heard = AssertUnwindSafe(bench.answer(&prompt)).catch_unwind();
                    tokio::time::timeout(ms(patience), heard).await.ok();
                }
            });
            join_all(callers).await;
            bench.is_at_rest();
        });
    }
}
