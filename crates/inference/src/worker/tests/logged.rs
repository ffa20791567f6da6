//! What whoever runs a worker may read of a call that failed, and what nobody may: routing logs it.

use super::*;
use expect_test::expect;
use orchestrator_core::Code;

/// A failure as it is logged: code, status, causes and words.
fn brief(failure: &Failure) -> String {
    let status = failure.status().map_or("-".to_owned(), |status| status.to_string());
    let causes = failure.causes().unwrap_or("-".to_owned());
    format!(
        "{} | {status} | {causes} | {}\n",
        failure.code().as_str(),
        failure.loggable()
    )
}

/// What is to be logged of calls that are answered like this, one after the other.
async fn log(answers: &[Vec<Act>]) -> String {
    let mut log = String::new();
    for acts in answers {
        let (wire, _, mut peers) = pipes(1, 1 << 20);
        let (worker, timeline) = (over(wire, ProviderName::OpenAi, |_| {}), Timeline::begin());
        let call = async {
            let failure = answer(&worker, &streamed("a secret")).await.unwrap_err();
            drop(worker);
            failure
        };
        let server = peers.remove(0).plays(1, acts, &timeline);
        log += &brief(&soon(async { tokio::join!(call, server).0 }).await);
    }
    log
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_tells_its_cause() {
    let broken = vec![say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n"), Act::End];
    expect![[r#"
        upstream_truncated | - | the connection ended in the middle of the answer | The connection to the worker broke off in the middle of its answer.
        upstream_protocol | - | the server breaks the protocol: the answer is not HTTP/1 | The worker's answer is not what HTTP allows.
    "#]]
    .assert_eq(&log(&[broken, vec![say("SSH-2.0\r\n")]]).await);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_logged_with_where_to_and_without_what_may_be_a_secret() {
    let log = log(&[status(
        308,
        "location: https://me:key@new.test:8/v2/chat?key=sk-1#x\r\n",
    )])
    .await;
    expect![[r#"
        upstream_redirected | 308 | the worker redirects to https://new.test:8/v2/chat; set its `base_url` | The worker redirects to another address; its `base_url` must be set to that.
    "#]]
    .assert_eq(&log);
}

#[tokio::test(start_paused = true)]
async fn what_a_worker_says_is_not_logged_for_it_may_repeat_the_prompt() {
    let body = r#"{"error":{"message":"cannot answer: a secret"}}"#;
    let refusal = |status: u16| {
        let length = body.len();
        vec![say(format!(
            "HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ))]
    };
    let in_stream = vec![begin(), say(format!("data: {body}\n\n"))];
    let log = log(&[refusal(500), in_stream, refusal(401), refusal(400), refusal(429)]).await;
    expect![[r#"
        upstream_error | 500 | - | its words are not logged, since they may repeat content
        upstream_error | - | - | its words are not logged, since they may repeat content
        upstream_credentials | 401 | - | The worker refused the server's credentials.
        upstream_rejected | 400 | - | its words are not logged, since they may repeat content
        rate_limit_exceeded | 429 | - | its words are not logged, since they may repeat content
    "#]]
    .assert_eq(&log);
}

#[tokio::test]
async fn a_worker_that_is_not_there_is_named_with_the_systems_reason() {
    let spec = spec(ProviderName::OpenAi, |config| {
        config.base_url = Some("http://127.0.0.1:1/v1".to_owned());
    });
    let worker = spec.for_core(&|_| None).unwrap();
    let failure = answer(&worker, &streamed("x")).await.unwrap_err();
    assert_eq!(failure.code(), Code::UpstreamConnect);
    expect![[r#"
        upstream_connect | - | cannot connect to 127.0.0.1:1: Connection refused (os error 111) | The worker cannot be reached.
    "#]]
    .assert_eq(&brief(&failure));
}
