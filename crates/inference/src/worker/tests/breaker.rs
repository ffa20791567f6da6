//! The breaker as callers see it: what opens it, that it spares the server, and how probes close it.

use super::*;
use expect_test::expect;
use orchestrator_core::Code;
use orchestrator_resilience::State;

/// A worker asked once a request, whose breaker opens after two failures for a minute; its answers, and what was heard.
struct Bench {
    worker: Worker,
    timeline: Timeline,
}

impl Bench {
    /// A worker whose n-th call is answered by the n-th of `answers`, and the servers to be run beside it.
    fn new(answers: Vec<Vec<Act>>) -> (Self, impl Future<Output = ()>) {
        let (wire, _, peers) = pipes(answers.len(), 1 << 20);
        let worker = over(wire, ProviderName::OpenAi, |config| {
            once(config);
            config.resilience.circuit_breaker_threshold = Some(2);
            config.resilience.circuit_breaker_timeout_s = Some(60);
            config.resilience.half_open_probes = Some(2);
            config.resilience.close_after = Some(2);
        });
        let bench = Bench {
            worker,
            timeline: Timeline::begin(),
        };
        let timeline = bench.timeline.clone();
        let servers = async move {
            let plays = peers.into_iter().zip(&answers).enumerate();
            join_all(plays.map(|(nth, (peer, acts))| peer.plays(nth + 1, acts, &timeline))).await;
        };
        (bench, servers)
    }

    /// Asks once and writes down how it ended, with the breaker's state then.
    async fn ask(&self) -> Option<Failure> {
        let ended = answer(&self.worker, &streamed("x")).await;
        let state = self.worker.spec.guard().state().as_str();
        match ended {
            Ok((said, _)) => {
                self.timeline.note(format_args!("{said:?}, {state}"));
                None
            }
            Err(failure) => {
                let code = failure.code().as_str();
                self.timeline.note(format_args!("{code}, {state}"));
                Some(failure)
            }
        }
    }

    async fn pass(&self, seconds: u64) {
        sleep(Duration::from_secs(seconds)).await;
    }
}

/// Runs the test's part beside the servers; returns what was written down.
async fn play(answers: Vec<Vec<Act>>, part: impl AsyncFnOnce(&Bench)) -> String {
    let (bench, servers) = Bench::new(answers);
    let part = async {
        part(&bench).await;
        let timeline = bench.timeline.clone();
        drop(bench);
        timeline
    };
    let (timeline, ()) = soon(async { tokio::join!(part, servers) }).await;
    timeline.to_string()
}

fn bad() -> Vec<Act> {
    status(500, "")
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_spares_the_server_until_its_time_is_up_and_probes_close_it() {
    let answers = vec![bad(), bad(), good("one"), good("two"), good("three")];
    let story = play(answers, async |bench| {
        bench.ask().await;
        bench.ask().await;
        for _ in 0..2 {
            let wait = bench.ask().await.unwrap().retry_after().unwrap();
            assert!(wait <= Duration::from_secs(66), "{wait:?}");
            bench.pass(20).await;
        }
        bench.pass(26).await;
        for _ in 0..3 {
            bench.ask().await;
        }
    });
    expect![[r#"
        0      server 1: asked
        0      upstream_error, closed
        0      server 1: left
        0      server 2: asked
        0      upstream_error, open
        0      breaker_open, open
        0      server 2: left
        20000  breaker_open, open
        66000  server 3: asked
        66000  "one", half_open
        66000  server 3: left
        66000  server 4: asked
        66000  "two", closed
        66000  server 4: left
        66000  server 5: asked
        66000  "three", closed
        66000  server 5: left
    "#]]
    .assert_eq(&story.await);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_opens_it_for_twice_as_long() {
    let story = play(vec![bad(), bad(), bad(), good("at last")], async |bench| {
        bench.ask().await;
        bench.ask().await;
        bench.pass(66).await;
        bench.ask().await;
        bench.pass(100).await;
        bench.ask().await;
        bench.pass(33).await;
        bench.ask().await;
    });
    expect![[r#"
        0      server 1: asked
        0      upstream_error, closed
        0      server 1: left
        0      server 2: asked
        0      upstream_error, open
        0      server 2: left
        66000  server 3: asked
        66000  upstream_error, open
        66000  server 3: left
        166000 breaker_open, open
        199000 server 4: asked
        199000 "at last", half_open
        199000 server 4: left
    "#]]
    .assert_eq(&story.await);
}

#[tokio::test(start_paused = true)]
async fn a_half_open_breaker_lets_no_more_probes_through_than_it_may() {
    let slow = vec![Act::Wait(1_000), begin(), token("slow"), Act::Wait(5_000), finish()];
    let answers = vec![bad(), bad(), slow.clone(), slow, good("third")];
    let story = play(answers, async |bench| {
        bench.ask().await;
        bench.ask().await;
        bench.pass(66).await;
        tokio::join!(bench.ask(), bench.ask(), bench.ask());
        bench.ask().await;
    });
    expect![[r#"
        0      server 1: asked
        0      upstream_error, closed
        0      server 1: left
        0      server 2: asked
        0      upstream_error, open
        0      server 2: left
        66000  breaker_open, half_open
        66000  server 3: asked
        66000  server 4: asked
        72000  "slow", closed
        72000  "slow", closed
        72000  server 3: left
        72000  server 4: left
        72000  server 5: asked
        72000  "third", closed
        72000  server 5: left
    "#]]
    .assert_eq(&story.await);
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_caller_leaves_gives_its_place_back() {
    let silent = || vec![begin()];
    let story = play(
        vec![bad(), bad(), silent(), silent(), good("a"), good("b")],
        async |bench| {
            bench.ask().await;
            bench.ask().await;
            bench.pass(66).await;
            for _ in 0..2 {
                let left = tokio::time::timeout(Duration::from_secs(1), bench.ask()).await;
                assert!(left.is_err());
                assert_eq!(bench.worker.spec.guard().state(), State::HalfOpen);
            }
            bench.ask().await;
            bench.ask().await;
        },
    );
    expect![[r#"
        0      server 1: asked
        0      upstream_error, closed
        0      server 1: left
        0      server 2: asked
        0      upstream_error, open
        0      server 2: left
        66000  server 3: asked
        67000  server 3: left
        67000  server 4: asked
        68000  server 4: left
        68000  server 5: asked
        68000  "a", half_open
        68000  server 5: left
        68000  server 6: asked
        68000  "b", closed
        68000  server 6: left
    "#]]
    .assert_eq(&story.await);
}

#[tokio::test(start_paused = true)]
async fn what_breaks_after_the_first_token_counts_and_what_the_caller_did_wrong_does_not() {
    let broken = vec![begin(), token("half"), Act::End];
    let answers = vec![
        broken.clone(),
        status(400, ""),
        status(429, "retry-after: 1\r\n"),
        broken,
    ];
    let story = play(answers, async |bench| {
        bench.ask().await;
        bench.ask().await;
        bench.ask().await;
        bench.pass(1).await;
        bench.ask().await;
        bench.ask().await;
    });
    expect![[r#"
        0      server 1: asked
        0      upstream_truncated, closed
        0      server 1: left
        0      server 2: asked
        0      upstream_rejected, closed
        0      server 2: left
        0      server 3: asked
        0      rate_limit_exceeded, closed
        0      server 3: left
        1000   server 4: asked
        1000   upstream_truncated, closed
        1000   server 4: left
        6000   upstream_connect, open
    "#]]
    .assert_eq(&story.await);
}

#[tokio::test(start_paused = true)]
async fn every_way_in_which_a_worker_fails_opens_it() {
    let ways = [
        (vec![Act::End], Code::UpstreamConnect),
        (status(503, ""), Code::UpstreamError),
        (status(401, ""), Code::UpstreamCredentials),
        (status(307, ""), Code::UpstreamRedirected),
        (vec![begin(), Act::End], Code::UpstreamTruncated),
        (vec![begin(), say("data: {\n\n")], Code::UpstreamProtocol),
        (vec![begin()], Code::FirstTokenTimeout),
    ];
    for (way, code) in ways {
        play(vec![way.clone(), way], async |bench| {
            for _ in 0..2 {
                assert_eq!(bench.ask().await.unwrap().code(), code);
            }
            assert_eq!(bench.worker.spec.guard().state(), State::Open, "{code:?}");
            assert_eq!(bench.ask().await.unwrap().code(), Code::BreakerOpen);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn impatient_callers_do_not_hide_a_worker_that_hangs() {
    let story = play(vec![vec![]; 20], async |bench| {
        for _ in 0..20 {
            let left = tokio::time::timeout(Duration::from_secs(2), bench.ask()).await;
            assert!(left.is_err());
        }
        let refused = bench.ask().await.unwrap();
        assert_eq!(refused.code(), Code::BreakerOpen);
    });
    assert!(story.await.contains("40000  breaker_open, open\n"));
}
