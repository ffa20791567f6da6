//! When the last listener leaves, the call ends: in every phase, and at once.

use super::*;
use orchestrator_testkit::Script;
use tokio::time::{sleep, timeout};

/// When a caller that leaves after `patience` is gone for the server, in milliseconds; `None` when it never came.
async fn gone_after(patience: u64, stream: bool, acts: Vec<Act>) -> Option<u64> {
    let (wire, script, mut peers) = pipes(1, 1 << 10);
    let (worker, timeline) = (over(wire, ProviderName::OpenAi, |_| {}), Timeline::begin());
    let mut prompt = streamed("x");
    prompt.request.stream = stream;
    let caller = async {
        let left = timeout(Duration::from_millis(patience), hear(&worker, &prompt, &timeline)).await;
        assert!(left.is_err(), "it leaves in the middle: {timeline}");
        // A connection that was made stays open as long as the worker lives, unless leaving has closed it.
        sleep(Duration::from_secs(3600)).await;
        drop((worker, script));
    };
    let server = peers.remove(0).plays(1, &acts, &timeline);
    soon(async { tokio::join!(caller, server) }).await;
    let lines = timeline.to_string();
    let left = lines.lines().find(|line| line.ends_with("server 1: left"))?;
    left.split(' ').next()?.parse().ok()
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_its_caller_in_every_phase() {
    let head = say("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n");
    let error = say("HTTP/1.1 500 No\r\ncontent-length: 900\r\n\r\n{");
    let mut tokens = vec![begin()];
    tokens.extend((0..100).flat_map(|_| [token("t"), Act::Wait(30)]));
    let phases = [
        ("before the head", true, vec![]),
        ("in the head", true, vec![say("HTTP/1.1 200 OK\r\nco")]),
        ("before the first token", true, vec![begin()]),
        ("between tokens", true, vec![begin(), token("a")]),
        ("while tokens come", true, tokens),
        ("in an error's body", true, vec![error.clone()]),
        ("before a whole answer", false, vec![head.clone()]),
        ("in a whole answer", false, vec![head, say("{\"choices\":")]),
        ("in the body of a refusal", false, vec![error]),
    ];
    for (phase, stream, acts) in phases {
        // Sooner than an error's words are waited for.
        assert_eq!(gone_after(900, stream, acts).await, Some(900), "{phase}");
    }
}

/// Over a socket: the caller's end is seen by the server within the second that it may take.
#[tokio::test]
async fn a_hundred_callers_that_leave_at_once_leave_nothing_behind() {
    let server = ModelServer::following(Script {
        tokens: 1_000,
        gap_ms: 1_000,
        ..Script::default()
    });
    let worker = worker(ProviderName::OpenAi, &server, |_| {});
    let prompt = streamed("x");
    let replies = join_all((0..100).map(|_| call(&worker, &prompt))).await;
    assert!(replies.iter().all(Result::is_ok));
    drop(replies);
    let stats = server
        .until(|stats| stats.total.running == 0 && stats.connections == 0)
        .await;
    assert_eq!((stats.total.calls, stats.total.aborted), (100, 100));
}
