//! Which failures are tried again, how often, after what pause, and never once a token could have been heard.

use super::*;
use crate::fixtures::paused;
use expect_test::expect;
use orchestrator_core::Code;
use proptest::prelude::*;

/// Calls that a worker of three attempts makes when each is answered like this, and how it ends.
async fn calls(answer: &[Act]) -> (usize, Result<String, Failure>) {
    let (wire, script, peers) = pipes(3, 1 << 20);
    let (worker, timeline) = (over(wire, ProviderName::OpenAi, |_| {}), Timeline::begin());
    let call = async {
        let said = self::answer(&worker, &streamed("x")).await.map(|(said, _)| said);
        let dialed = script.dialed();
        drop((worker, script));
        (dialed, said)
    };
    let servers = peers.into_iter().map(|peer| peer.plays(1, answer, &timeline));
    soon(async { tokio::join!(call, join_all(servers)).0 }).await
}

#[tokio::test(start_paused = true)]
async fn the_status_says_whether_another_try_may_help() {
    let cases = [
        (300, 1, Code::UpstreamRedirected),
        (302, 1, Code::UpstreamRedirected),
        (308, 1, Code::UpstreamRedirected),
        (400, 1, Code::UpstreamRejected),
        (401, 1, Code::UpstreamCredentials),
        (403, 1, Code::UpstreamCredentials),
        (404, 1, Code::UpstreamRejected),
        (408, 3, Code::UpstreamError),
        (409, 1, Code::UpstreamRejected),
        (413, 1, Code::UpstreamRejected),
        (422, 1, Code::UpstreamRejected),
        (429, 1, Code::RateLimited),
        (499, 1, Code::UpstreamRejected),
        (500, 3, Code::UpstreamError),
        (502, 3, Code::UpstreamError),
        (503, 3, Code::UpstreamError),
        (504, 3, Code::UpstreamError),
        (529, 3, Code::UpstreamError),
    ];
    for (said, made, code) in cases {
        let (calls, ended) = calls(&status(said, "location: http://169.254.169.254/\r\n")).await;
        let failure = ended.unwrap_err();
        let told = (calls, failure.code(), failure.status());
        assert_eq!(told, (made, code, Some(said)), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_breaks_before_the_first_token_is_tried_again() {
    let cases = [
        ("closed before the head", vec![Act::End], Code::UpstreamConnect),
        (
            "closed within the head",
            vec![say("HTTP/1.1 200"), Act::End],
            Code::UpstreamTruncated,
        ),
        (
            "closed after the head",
            vec![begin(), Act::End],
            Code::UpstreamTruncated,
        ),
        ("no HTTP", vec![say("SSH-2.0\r\n")], Code::UpstreamProtocol),
        (
            "an error in the stream",
            vec![begin(), say("data: {\"error\":{\"message\":\"full\"}}\n\n")],
            Code::UpstreamError,
        ),
        ("no JSON", vec![begin(), say("data: {\n\n")], Code::UpstreamProtocol),
        ("silence", vec![begin()], Code::FirstTokenTimeout),
    ];
    for (case, acts, code) in cases {
        let (calls, ended) = calls(&acts).await;
        assert_eq!((calls, ended.unwrap_err().code()), (3, code), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_breaks_after_the_first_token_is_told_and_never_begun_anew() {
    let error = say("data: {\"error\":{\"message\":\"full\"}}\n\n");
    let cases = [
        (vec![Act::End], Code::UpstreamTruncated),
        (vec![say("data: [DONE]\n\n")], Code::UpstreamTruncated),
        (vec![error], Code::UpstreamError),
        (vec![say("data: {\n\n")], Code::UpstreamProtocol),
        (vec![], Code::IdleTimeout),
    ];
    for (rest, code) in cases {
        let acts = [vec![begin(), token("heard")], rest].concat();
        let (calls, ended) = calls(&acts).await;
        assert_eq!((calls, ended.unwrap_err().code()), (1, code));
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_and_the_answer_says_how_many_calls_it_took() {
    let connections = [status(500, ""), status(503, ""), vec![Act::End], good("done")];
    let patient = |config: &mut WorkerConfig| {
        config.resilience.retry_attempts = Some(4);
        config.resilience.retry_base_ms = Some(1_000);
        config.resilience.retry_max_ms = Some(60_000);
    };
    let story = story(streamed("x"), &connections, patient).await;
    expect![[r#"
        0      server 1: asked
        0      server 1: left
        306    server 2: asked
        306    server 2: left
        461    server 3: asked
        461    server 3: left
        1405   server 4: asked
        1405   begins at call 4
        1405   "done"
        1405   over
        1405   server 4: left
    "#]]
    .assert_eq(&story.to_string());
}

/// What was said before is made use of: the client's own error is not hidden by a body without an end.
#[tokio::test(start_paused = true)]
async fn an_error_without_an_end_keeps_the_next_try_waiting_for_a_second() {
    let endless = |status: u16| {
        say(format!(
            "HTTP/1.1 {status} Said\r\n\r\n{{\"error\":{{\"message\":\"too hot\"}}}}"
        ))
    };
    let trickles = [endless(500), Act::Wait(700), say(" "), Act::Wait(700), say(" ")];
    let connections = [vec![endless(503)], trickles.into(), vec![endless(400)]];
    let hasty = |config: &mut WorkerConfig| config.resilience.retry_max_ms = Some(0);
    let story = story(streamed("x"), &connections, hasty).await;
    expect![[r#"
        0      server 1: asked
        1000   server 1: left
        1000   server 2: asked
        2000   server 2: left
        2000   server 3: asked
        3000   failed upstream_rejected
        3000   server 3: left
    "#]]
    .assert_eq(&story.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_redirect_ends_the_request_at_once_whatever_its_body() {
    let elsewhere = say("HTTP/1.1 301 Said\r\nlocation: https://elsewhere.test/v1\r\n\r\nwords");
    let story = story(streamed("x"), &[vec![elsewhere], good("never")], patient).await;
    expect![[r#"
        0      server 1: asked
        0      failed upstream_redirected
        0      server 1: left
    "#]]
    .assert_eq(&story.to_string());
}

fn patient(config: &mut WorkerConfig) {
    config.resilience.retry_max_ms = Some(5_000);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_asks_for_a_rest_gets_it_before_the_next_call() {
    let resting = |value: &str| status(429, &format!("retry-after: {value}\r\n"));
    let connections = [resting("2"), resting("Thu, 01 Jan 2026 00:00:05 GMT"), good("rested")];
    let story = story(streamed("x"), &connections, patient).await;
    expect![[r#"
        0      server 1: asked
        0      server 1: left
        2000   server 2: asked
        2000   server 2: left
        5000   server 3: asked
        5000   begins at call 3
        5000   "rested"
        5000   over
        5000   server 3: left
    "#]]
    .assert_eq(&story.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_does_not_say_how_long_it_rests_is_asked_after_one_second_then_two() {
    let resting = || status(429, "");
    let story = story(streamed("x"), &[resting(), resting(), resting()], patient).await;
    expect![[r#"
        0      server 1: asked
        0      server 1: left
        1000   server 2: asked
        1000   server 2: left
        3000   server 3: asked
        3000   failed rate_limit_exceeded
        3000   server 3: left
    "#]]
    .assert_eq(&story.to_string());
}

/// The first to ask leaves; the one who joined has time for another try.
#[tokio::test(start_paused = true)]
async fn who_waits_longest_decides_how_long_it_is_tried() {
    let connections = [status(429, "retry-after: 2\r\n"), good("late")];
    let (wire, _, peers) = pipes(2, 1 << 20);
    let (worker, timeline) = (over(wire, ProviderName::OpenAi, patient), Timeline::begin());
    let now = Instant::now();
    let (cx, leader) = cx(now + Duration::from_secs(1));
    let until = now + Duration::from_secs(60);
    let (_follower, _) = leader
        .downgrade()
        .join(until, orchestrator_core::Priority::Normal)
        .unwrap();
    drop(leader);
    let servers = peers
        .into_iter()
        .zip(&connections)
        .map(|(peer, acts)| peer.plays(1, acts, &timeline));
    let call = async {
        let prompt = streamed("x");
        let attempts = worker.call(&cx, &prompt).await.map(|reply| reply.head.attempts);
        drop(worker);
        attempts
    };
    let (attempts, _) = soon(async { tokio::join!(call, join_all(servers)) }).await;
    assert_eq!(attempts, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_rest_longer_than_the_longest_pause_is_told_and_not_slept_through() {
    for asked in ["7", "60", "1000000000", "Thu, 01 Jan 2026 01:00:00 GMT"] {
        let (wire, script, mut peers) = pipes(1, 1 << 20);
        let worker = over(wire, ProviderName::OpenAi, |config| {
            config.resilience.retry_max_ms = Some(5_000);
        });
        let acts = status(429, &format!("retry-after: {asked}\r\n"));
        let (begun, timeline, prompt) = (Instant::now(), Timeline::begin(), streamed("x"));
        let server = peers.remove(0).plays(1, &acts, &timeline);
        let (failure, ()) = tokio::join!(answer(&worker, &prompt), server);
        let rest = failure.unwrap_err().retry_after().unwrap();
        assert!(
            rest > Duration::from_secs(5) && rest <= Duration::from_secs(60),
            "{asked}"
        );
        // The next request is refused without a call, and told what is left of the rest.
        sleep(Duration::from_secs(1)).await;
        let failure = answer(&worker, &prompt).await.unwrap_err();
        assert_eq!(failure.code(), Code::RateLimited);
        assert_eq!(failure.retry_after(), Some(rest - Duration::from_secs(1)), "{asked}");
        assert_eq!((script.dialed(), begun.elapsed()), (1, Duration::from_secs(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_between_two_tries_ends_them_with_what_the_last_one_came_to() {
    let connections = [status(500, ""), status(500, ""), good("unheard")];
    let touchy = |config: &mut WorkerConfig| {
        config.resilience.retry_attempts = Some(9);
        config.resilience.circuit_breaker_threshold = Some(2);
    };
    let story = story(streamed("x"), &connections, touchy).await;
    let text = story.to_string();
    assert!(text.contains("server 2: asked") && !text.contains("server 3"), "{text}");
    assert!(text.contains("failed upstream_error"), "{text}");
}

/// Milliseconds from the start at which each call of a worker that always fails was made.
fn calls_of_a_failing_worker(seed: u64, attempts: u32, base: u64, left: u64) -> Vec<u64> {
    paused(async {
        let (wire, _, peers) = pipes(attempts as usize + 1, 1 << 20);
        let mut worker = over(wire, ProviderName::OpenAi, |config| {
            config.resilience.retry_attempts = Some(attempts);
            config.resilience.retry_base_ms = Some(base);
            config.resilience.circuit_breaker_threshold = Some(0);
        });
        worker.rng = Mutex::new(world(seed).random("retries"));
        let (timeline, mut prompt) = (Timeline::begin(), streamed("x"));
        prompt.request.deadline = Instant::now() + Duration::from_millis(left);
        let failing = status(500, "");
        let call = async {
            let failure = answer(&worker, &prompt).await.unwrap_err();
            assert_eq!(
                failure.code(),
                Code::UpstreamError,
                "the last failure, not the deadline, is told"
            );
            drop(worker);
        };
        let servers = peers.into_iter().map(|peer| peer.plays(1, &failing, &timeline));
        soon(async { tokio::join!(call, join_all(servers)) }).await;
        let lines = timeline.to_string();
        let asked = lines.lines().filter(|line| line.ends_with("asked"));
        asked
            .map(|line| line.split(' ').next().unwrap().parse().unwrap())
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_call_is_one_too_many_nor_after_the_deadline_nor_later_than_its_pause_allows(
        seed: u64, attempts in 1_u32..8, base in 1_u64..2_000, left in 1_u64..3_000,
    ) {
        let calls = calls_of_a_failing_worker(seed, attempts, base, left);
        prop_assert!(!calls.is_empty() && calls.len() <= attempts as usize);
        // A sleep ends with the millisecond that it would end in.
        prop_assert!(calls.iter().all(|at| *at <= left), "{calls:?}");
        for (retry, pair) in calls.windows(2).enumerate() {
            // The longest pause is 500 ms by the general settings.
            let ceiling = (base << retry).min(500);
            prop_assert!(pair[1] - pair[0] <= ceiling + 1, "{calls:?}");
        }
    }
}
