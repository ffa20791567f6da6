//! A worker that is up but not well: its tier's traffic leaves it within five seconds, in a closed loop through the
//! router, whatever ails it.

use super::*;
use orchestrator_testkit::world;
use rand::Rng;
use std::sync::Arc;

/// The part of its tier's calls that the first of four workers gets from the fifth second on, when it is ill from the
/// start and eight clients call one after the other; the others answer in 20 ms.
async fn share_of_the_ill(stream: bool, ill: impl Fn(usize) -> Call + Send + Sync + 'static) -> f64 {
    let script = move |name: &str, nth: usize| if name == "a" { ill(nth) } else { slow(20) };
    let bench = Arc::new(Bench::new("a b c d", script, |setup| {
        setup.route.balance = crate::Balance::P2cEwma;
    }));
    let (began, mut tasks) = (Instant::now(), tokio::task::JoinSet::new());
    for client in 0..8 {
        let bench = bench.clone();
        tasks.spawn(async move {
            tokio::time::sleep(ms(client)).await;
            while began.elapsed() < ms(9_000) {
                let prompt = within(stream, 2_000);
                tokio::time::timeout(ms(2_000), bench.answer(&prompt)).await.ok();
                tokio::time::sleep(ms(10)).await;
            }
        });
    }
    tokio::time::sleep(ms(5_000)).await;
    let before = bench.calls();
    while tasks.join_next().await.is_some() {}
    bench.is_at_rest();
    let calls: Vec<usize> = bench
        .calls()
        .iter()
        .zip(before)
        .map(|(now, before)| now - before)
        .collect();
    calls[0] as f64 / calls.iter().sum::<usize>() as f64
}

async fn leaves_it(ill: impl Fn(usize) -> Call + Send + Sync + Clone + 'static) {
    for stream in [true, false] {
        let share = share_of_the_ill(stream, ill.clone()).await;
        assert!(share <= 0.05, "{share}, stream: {stream}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_ten_times_slower() {
    leaves_it(|_| slow(200)).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_three_calls_of_ten() {
    leaves_it(|nth| {
        let fails = world(nth as u64).random("errors").random_bool(0.3);
        if fails { bad() } else { slow(20) }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_at_once() {
    leaves_it(|_| bad()).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs() {
    leaves_it(|_| Call::new().hang()).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_always_busy() {
    leaves_it(|_| resting(1)).await;
}

/// One that runs whole answers all the time, and was never asked for a stream.
#[tokio::test(start_paused = true)]
async fn calls_of_the_other_kind_do_not_keep_a_worker_from_its_first() {
    let script = |_: &str, nth: usize| if nth == 0 { Call::new().hang() } else { slow(20) };
    let bench = Bench::new("a b", script, |setup| setup.route.balance = crate::Balance::P2cEwma);
    let (one, other) = (prompt(false), prompt(false));
    let streams = async {
        tokio::time::sleep(ms(1)).await;
        for _ in 0..20 {
            bench.answer(&streamed()).await.unwrap();
        }
    };
    tokio::select! {
        _ = async { tokio::join!(bench.call(&one), bench.call(&other)) } => panic!("they hang"),
        () = streams => {}
    }
    let calls = bench.calls();
    assert!(calls.iter().all(|calls| *calls > 5), "{calls:?}");
    bench.is_at_rest();
}

#[tokio::test(start_paused = true)]
async fn a_well_one_gets_its_part() {
    let share = share_of_the_ill(true, |_| slow(20)).await;
    assert!((0.15..0.35).contains(&share), "{share}");
}
