//! What a call that fails is told as, and that it stays one call: whether another is made is routing's to say.

use super::*;
use expect_test::expect;
use orchestrator_core::{Code, Retry};

/// How a call ends whose server answers like this; a second connection, which nobody should make, would be answered too.
async fn ended(answer: &[Act]) -> Result<String, Failure> {
    let (wire, script, peers) = pipes(2, 1 << 20);
    let (worker, timeline) = (over(wire, ProviderName::OpenAi, |_| {}), Timeline::begin());
    let call = async {
        let said = self::answer(&worker, &streamed("x")).await;
        assert_eq!(script.dialed(), 1, "one call is one connection");
        drop((worker, script));
        said
    };
    let servers = peers.into_iter().map(|peer| peer.plays(1, answer, &timeline));
    soon(async { tokio::join!(call, join_all(servers)).0 }).await
}

#[tokio::test(start_paused = true)]
async fn the_status_says_whether_another_call_may_help() {
    let cases = [
        (300, Retry::Never, Code::UpstreamRedirected),
        (302, Retry::Never, Code::UpstreamRedirected),
        (400, Retry::Never, Code::UpstreamRejected),
        (401, Retry::Never, Code::UpstreamCredentials),
        (403, Retry::Never, Code::UpstreamCredentials),
        (404, Retry::Never, Code::UpstreamRejected),
        (408, Retry::Now, Code::UpstreamError),
        (409, Retry::Never, Code::UpstreamRejected),
        (413, Retry::Never, Code::UpstreamRejected),
        (422, Retry::Never, Code::UpstreamRejected),
        (429, Retry::After, Code::RateLimited),
        (499, Retry::Never, Code::UpstreamRejected),
        (500, Retry::Now, Code::UpstreamError),
        (502, Retry::Now, Code::UpstreamError),
        (503, Retry::Now, Code::UpstreamError),
        (504, Retry::Now, Code::UpstreamError),
        (529, Retry::Now, Code::UpstreamError),
    ];
    for (said, retry, code) in cases {
        let failure = ended(&status(said, "location: http://169.254.169.254/\r\n"))
            .await
            .unwrap_err();
        let told = (failure.code().retry(), failure.code(), failure.status());
        assert_eq!(told, (retry, code, Some(said)), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_breaks_before_the_first_token_is_the_calls_failure() {
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
        let failure = ended(&acts).await.unwrap_err();
        assert_eq!((failure.code(), code.retry()), (code, Retry::Now), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_breaks_after_the_first_token_is_told_in_the_stream() {
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
        let story = story(streamed("x"), &[acts], |_| {}).await.to_string();
        let lines: Vec<&str> = story.lines().map(|line| line.get(7..).unwrap()).collect();
        let failed = format!("failed {}", code.as_str());
        assert!(
            lines.starts_with(&["server 1: asked", "begins", "\"heard\""]),
            "{story}"
        );
        assert_eq!(lines.iter().filter(|line| **line == failed).count(), 1, "{story}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_asks_for_a_rest_is_told_with_its_length() {
    let mut told = String::new();
    for asked in [
        "0",
        "2",
        "60",
        "Thu, 01 Jan 2026 00:00:05 GMT",
        "Thu, 01 Jan 2026 01:00:00 GMT",
        "soon",
        "",
    ] {
        let failure = ended(&status(429, &format!("retry-after: {asked}\r\n")))
            .await
            .unwrap_err();
        assert_eq!(failure.code(), Code::RateLimited);
        told += &format!("{asked:?} {:?}\n", failure.retry_after());
    }
    expect![[r#"
        "0" Some(0ns)
        "2" Some(2s)
        "60" Some(60s)
        "Thu, 01 Jan 2026 00:00:05 GMT" Some(5s)
        "Thu, 01 Jan 2026 01:00:00 GMT" Some(60s)
        "soon" None
        "" None
    "#]]
    .assert_eq(&told);
}
