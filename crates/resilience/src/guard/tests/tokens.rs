//! A worker's tokens: taken by estimate, settled by what a call has cost, whatever way it ends.

use super::{permits::WAYS, *};
use orchestrator_core::{Chunk, Delta, Kind, Usage};
use proptest::prelude::*;

/// A token a second, a hundred of which may come at once.
fn limited_tokens() -> Config {
    Config {
        tokens_per_minute: 60,
        tokens_burst: 100,
        ..quick()
    }
}

fn ask(prompt: u64, answer: u64) -> Call {
    let tokens = Estimate { prompt, answer };
    Call {
        tokens,
        ..Call::from(Pass::Usual)
    }
}

/// Tokens that may come now.
fn left(guard: &Guard) -> u64 {
    let now = Instant::now();
    (0..=100)
        .rev()
        .find(|tokens| guard.rate_limited(*tokens, now).is_zero())
        .unwrap_or(0)
}

fn told(total: u64) -> [Chunk; 2] {
    let usage = Usage {
        completion_tokens: total,
        ..Usage::default()
    };
    [Chunk::text("some words"), Delta::first(Kind::Usage(usage)).into()]
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_its_estimate_and_settles_what_it_has_cost() {
    let (guard, _) = guard(limited_tokens(), 4);
    let mut call = guard.try_admit(ask(20, 50)).unwrap();
    assert_eq!(left(&guard), 30);
    let wait = guard.try_admit(ask(10, 50)).unwrap_err();
    assert_eq!(wait, Refusal::RateLimited(Duration::from_secs(30)));
    call.first_token();
    call.hear(&told(25));
    assert_eq!(left(&guard), 30, "it is settled when it is over");
    drop(call);
    assert_eq!(left(&guard), 75);
    assert!(guard.try_admit(ask(10, 50)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_debt_keeps_all_calls_away_until_the_clock_has_worked_it_off() {
    let (guard, _) = guard(limited_tokens(), 4);
    let mut call = guard.try_admit(ask(1, 1)).unwrap();
    call.first_token();
    call.hear(&told(160));
    drop(call);
    let debt = Duration::from_secs(60);
    assert_eq!(
        refused(&guard),
        Refusal::RateLimited(debt),
        "also those of unknown size"
    );
    let view = guard.view(Instant::now());
    assert_eq!((view.rate_limited, view.free), (debt + Duration::from_secs(1), 0));
    tokio::time::advance(debt).await;
    drop(guard.try_admit(Pass::Usual).unwrap());
    assert_eq!((left(&guard), guard.view(Instant::now()).free), (0, 0));
    tokio::time::advance(Duration::from_secs(100)).await;
    assert!(
        guard.try_admit(ask(1_000, 1_000_000)).is_ok(),
        "it is as large as the burst, then"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_one_limit_refuses_counts_at_neither() {
    let config = Config {
        requests_per_minute: 60,
        requests_burst: 2,
        ..limited_tokens()
    };
    let (guard, _) = guard(config, 4);
    drop(guard.try_admit(ask(90, 0)).unwrap());
    for _ in 0..10 {
        let wait = guard.try_admit(ask(30, 0)).unwrap_err();
        assert_eq!(wait, Refusal::RateLimited(Duration::from_secs(20)));
    }
    drop(guard.try_admit(ask(5, 0)).unwrap());
    let wait = guard.try_admit(ask(5, 0)).unwrap_err();
    assert_eq!(wait, Refusal::RateLimited(Duration::from_secs(1)), "of the calls");
    assert_eq!(guard.rate_limited(5, Instant::now()), Duration::from_secs(1));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(left(&guard), 6);
}

/// Whoever gave it up had asked already; whoever was refused, or not asked, has cost nothing.
#[tokio::test(start_paused = true)]
async fn every_end_leaves_what_the_call_has_cost_and_no_more() {
    for way in WAYS {
        let (guard, _) = guard(limited_tokens(), 1);
        let permit = guard.try_admit(ask(20, 50)).unwrap();
        permits::end(permit, way).await;
        let cost = if way == "rejected" { 0 } else { 20 };
        assert_eq!((left(&guard), guard.slots().taken()), (100 - cost, 0), "{way}");
    }
    let ends: [(&str, End, u64); 6] = [
        ("it is not made", Permit::unused, 0),
        ("nobody is there", |permit| fail_with(permit, Code::UpstreamConnect), 0),
        ("429", |permit| fail_with(permit, Code::RateLimited), 0),
        ("it hangs", |permit| fail_with(permit, Code::FirstTokenTimeout), 20),
        ("the deadline", |permit| fail_with(permit, Code::DeadlineExceeded), 20),
        (
            "it breaks off",
            |mut permit| {
                permit.first_token();
                permit.hear(&[Chunk::text("1234")]);
                fail_with(permit, Code::UpstreamTruncated);
            },
            21,
        ),
    ];
    for (end, make, cost) in ends {
        let (guard, _) = guard(limited_tokens(), 1);
        make(guard.try_admit(ask(20, 50)).unwrap());
        assert_eq!((left(&guard), guard.slots().taken()), (100 - cost, 0), "{end}");
    }
}

/// How a call comes to its end.
type End = fn(Permit);

fn fail_with(mut permit: Permit, code: Code) {
    drop(permit.failed(Failure::new(code, "")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Calls that end in any order and way, as long as nothing comes back by the clock: what is left is what they did not cost.
    #[test]
    fn what_is_left_is_what_calls_have_not_cost(
        calls in prop::collection::vec((0_u64..40, 0_u64..40, prop::option::of(0_u64..30), any::<bool>()), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (guard, _) = guard(limited_tokens(), 20);
            let (mut held, mut spent) = (Vec::new(), 0_u64);
            for (prompt, answer, usage, is_kept) in calls {
                let fits = prompt + answer <= left(&guard) && guard.rate_limited(0, Instant::now()).is_zero();
                let admitted = guard.try_admit(ask(prompt, answer));
                prop_assert_eq!(admitted.is_ok(), fits);
                let Ok(mut permit) = admitted else { continue };
                permit.first_token();
                usage.into_iter().for_each(|usage| permit.hear(&told(usage)));
                spent += usage.unwrap_or(prompt);
                if is_kept {
                    held.push(permit);
                }
            }
            drop(held);
            let now = Instant::now();
            prop_assert_eq!(guard.rate_limited(0, now).as_secs(), spent.saturating_sub(100));
            if spent <= 100 {
                prop_assert_eq!(left(&guard), 100 - spent);
            }
            Ok(())
        })?;
    }
}
