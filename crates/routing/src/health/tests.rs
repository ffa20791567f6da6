//! The machine against a model that keeps everything, and the probes on a paused clock.

use super::*;
use crate::fixtures::{Bench, fine, ms, paused, prompt};
use orchestrator_testkit::Timeline;
use parking_lot::Mutex;
use proptest::prelude::*;
use std::future::{pending, ready};

fn probing(down_after: u32, up_after: u32) -> Probing {
    Probing {
        interval: ms(30_000),
        timeout: ms(5_000),
        down_after,
        up_after,
    }
}

/// What an answer can be: good, a 5xx, no connection, no HTTP, or none at all.
fn answer(code: Option<Code>) -> Option<Result<(), Failure>> {
    Some(code.map_or(Ok(()), |code| Err(Failure::new(code, "no"))))
}

/// A route over `a`, then `b`, of which `a` is probed and answers like this.
fn probed<F>(answers: impl Fn(usize) -> F + Send + Sync + 'static) -> Bench
where
    F: Future<Output = Option<Result<(), Failure>>> + Send + 'static,
{
    let bench = Bench::new("a | b", |_, _| fine(), |setup| setup.probing = probing(3, 2));
    bench.models[0].probed(answers);
    bench
}

/// What holds of `a` while the bench's workers are looked after for so many seconds.
async fn watched(bench: &Bench, seconds: u64) {
    let watch = bench
        .router
        .watch_health(orchestrator_testkit::world(3).random("health"));
    drop(timeout(Duration::from_secs(seconds), watch).await);
}

fn healthy(bench: &Bench) -> Option<bool> {
    bench.members[0].healthy(Instant::now())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn it_is_what_enough_answers_in_a_row_said_last(
        down in 1_u32..5,
        up in 1_u32..5,
        answers in prop::collection::vec(any::<bool>(), 0..60),
    ) {
        let mut health = Health::new(probing(down, up));
        let mut known = None;
        for end in 0..answers.len() {
            let news = health.probed(answers[end]);
            let heard = &answers[..=end];
            let row = heard.iter().rev().take_while(|ok| **ok == answers[end]).count();
            let enough = if answers[end] { up } else { down };
            let expected = if row >= enough as usize { Some(answers[end]) } else { known };
            let state = paused(async { health.state(Instant::now()) });
            prop_assert_eq!(state, expected);
            prop_assert_eq!(news, expected.filter(|_| expected != known), "only a change is news");
            known = expected;
        }
    }

    #[test]
    fn a_call_that_was_served_counts_for_one_interval_whatever_the_probes_say(
        answers in prop::collection::vec(any::<bool>(), 0..9),
        later in 0_u64..60_000,
    ) {
        paused(async {
            let mut health = Health::new(probing(3, 2));
            let now = Instant::now();
            health.served(now);
            let mut unserved = Health::new(probing(3, 2));
            for ok in answers {
                assert_eq!(health.probed(ok), unserved.probed(ok));
            }
            let expected = if later < 30_000 { Some(true) } else { unserved.state(now) };
            prop_assert_eq!(health.state(now + ms(later)), expected);
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_stays_unknown_until_enough_answers_agree() {
    let mut health = Health::new(probing(3, 2));
    let states = [true, false, false, true, false, false, false, true, true].map(|ok| {
        health.probed(ok);
        health.state(Instant::now())
    });
    let (none, down) = (None, Some(false));
    assert_eq!(states, [none, none, none, none, none, none, down, down, Some(true)]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_never_probed_is_never_known() {
    let bench = Bench::new("a", |_, _| fine(), |_| {});
    bench.models[0].probed(|_| ready(answer(None)));
    bench.answer(&prompt(false)).await.unwrap();
    let began = Instant::now();
    watched(&bench, 3_600).await;
    assert_eq!((bench.models[0].probes(), healthy(&bench)), (0, None));
    assert_eq!(began.elapsed(), Duration::ZERO, "nothing is left to be done");
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_a_server_is_asked_once() {
    let bench = probed(|_| ready(None));
    watched(&bench, 3_600).await;
    assert_eq!((bench.models[0].probes(), healthy(&bench)), (1, None));
}

#[tokio::test(start_paused = true)]
async fn probes_come_after_a_random_part_of_the_interval_and_then_every_interval_or_so() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let (kept, began) = (times.clone(), Instant::now());
    let bench = probed(move |_| {
        kept.lock().push(began.elapsed());
        ready(answer(None))
    });
    watched(&bench, 3_600).await;
    let times = times.lock().clone();
    assert!(times[0] < ms(30_000), "{:?}", times[0]);
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        gaps.iter().all(|gap| (ms(26_999)..=ms(33_001)).contains(gap)),
        "{gaps:?}"
    );
    assert!(gaps.iter().any(|gap| *gap != gaps[0]), "they are not in step");
    assert_eq!(bench.models[0].calls(), 0, "never a completion");
}

#[tokio::test(start_paused = true)]
async fn a_5xx_a_failed_connection_and_silence_count_and_nothing_else_does() {
    for (code, expected) in [
        (None, Some(true)),
        (Some(Code::UpstreamError), Some(false)),
        (Some(Code::UpstreamConnect), Some(false)),
        (Some(Code::UpstreamProtocol), None),
        (Some(Code::UpstreamTruncated), None),
    ] {
        let bench = probed(move |_| ready(answer(code)));
        watched(&bench, 150).await;
        assert_eq!(healthy(&bench), expected, "{code:?}");
    }
    let silent = probed(|_| pending());
    watched(&silent, 180).await;
    assert_eq!(healthy(&silent), Some(false));
}

#[tokio::test(start_paused = true)]
async fn an_unhealthy_worker_is_left_alone_until_it_is_well_again() {
    let bench = probed(|nth| ready(answer((nth < 3).then_some(Code::UpstreamError))));
    let timeline = Timeline::begin();
    let clients = async {
        for _ in 0..6 {
            sleep(ms(34_000)).await;
            let reply = bench.call(&prompt(false)).await.unwrap();
            timeline.note(reply.head.tier.as_str());
        }
    };
    let both = async { tokio::join!(clients, watched(&bench, 204)) };
    both.await;
    expect_test::expect![[r#"
        34000  primary
        68000  primary
        102000 secondary
        136000 secondary
        170000 primary
        204000 primary
    "#]]
    .assert_eq(&timeline.to_string());
}

#[tokio::test(start_paused = true)]
async fn when_all_are_unhealthy_they_are_called_all_the_same_within_their_slots() {
    let bench = Bench::new(
        "a",
        |_, _| fine(),
        |setup| (setup.probing, setup.slots) = (probing(1, 1), 2),
    );
    bench.members[0].probed(false);
    assert_eq!(healthy(&bench), Some(false));
    let credits: Vec<_> = (0..3).map(|_| bench.admit(0).map(drop)).collect();
    assert_eq!(credits, [Ok(()); 3], "each is given back before the next is asked for");
    let _held = [bench.admit(0).unwrap(), bench.admit(0).unwrap()];
    assert_eq!(bench.admit(0).unwrap_err(), "full");
    bench.answer(&prompt(false)).await.unwrap();
    assert_eq!(healthy(&bench), Some(true), "a call that is served says more");
}

#[tokio::test(start_paused = true)]
async fn health_is_shown_while_it_is_known() {
    let bench = Bench::new("a | b | c", |_, _| fine(), |setup| setup.probing = probing(1, 1));
    let page = || bench.shown_with_zeros("orchestrator_worker_healthy");
    assert_eq!(page(), "");
    bench.members[0].probed(true);
    bench.members[1].probed(false);
    bench.members[2].served(Instant::now());
    let known = "orchestrator_worker_healthy{worker=\"a\"} 1\norchestrator_worker_healthy{worker=\"b\"} 0\n";
    assert_eq!(
        page(),
        format!("{known}orchestrator_worker_healthy{{worker=\"c\"}} 1\n")
    );
    tokio::time::advance(ms(30_000)).await;
    assert_eq!(page(), known, "what c served is long ago");
}
