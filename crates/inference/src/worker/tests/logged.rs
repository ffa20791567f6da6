//! What whoever runs a worker reads of the calls that failed, and what nobody reads.

use super::*;
use crate::fixtures::Logged;
use expect_test::expect;
use orchestrator_core::Code;

/// What was logged: a line as level, code, status, attempt, causes and message.
fn brief(lines: &[serde_json::Value]) -> String {
    let brief = lines.iter().map(|line| {
        let word = |name: &str| line[name].to_string().replace('"', "");
        assert!(
            word("request_id").starts_with("req_") && word("worker") == "w",
            "{line}"
        );
        let words = ["level", "attempt", "code", "status", "causes", "message"].map(word);
        format!("{}\n", words.join(" | ").replace("null", "-"))
    });
    brief.collect()
}

/// The log of a worker whose connections act like this, one connection a call.
async fn log(connections: &[Vec<Act>]) -> String {
    let logged = Logged::begin();
    story(streamed("a secret"), connections, |_| {}).await;
    brief(&logged.lines())
}

#[tokio::test(start_paused = true)]
async fn each_failed_call_is_logged_with_its_number_and_its_cause() {
    let broken = vec![say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n"), Act::End];
    let log = log(&[broken, vec![say("SSH-2.0\r\n")], good("fine")]).await;
    expect![[r#"
        WARN | 1 | upstream_truncated | - | the connection ended in the middle of the answer | a call failed: The connection to the worker broke off in the middle of its answer.
        WARN | 2 | upstream_protocol | - | the server breaks the protocol: the answer is not HTTP/1 | a call failed: The worker's answer is not what HTTP allows.
    "#]].assert_eq(&log);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_logged_with_where_to_and_without_what_may_be_a_secret() {
    let log = log(&[status(
        308,
        "location: https://me:key@new.test:8/v2/chat?key=sk-1#x\r\n",
    )])
    .await;
    expect![[r#"
        WARN | 1 | upstream_redirected | 308 | the worker redirects to https://new.test:8/v2/chat; set its `base_url` | a call failed: The worker redirects to another address; its `base_url` must be set to that.
    "#]]
    .assert_eq(&log);
}

#[tokio::test(start_paused = true)]
async fn what_a_worker_says_is_not_logged_for_it_may_repeat_the_prompt() {
    let body = r#"{"error":{"message":"cannot answer: a secret"}}"#;
    let refusal = |status: u16| {
        let length = body.len();
        say(format!(
            "HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ))
    };
    let in_stream = vec![begin(), say(format!("data: {body}\n\n"))];
    let failing = log(&[vec![refusal(500)], in_stream, vec![refusal(401)]]).await;
    expect![[r#"
        WARN | 1 | upstream_error | 500 | - | a call failed: its words are not logged, since they may repeat content
        WARN | 2 | upstream_error | - | - | a call failed: its words are not logged, since they may repeat content
        WARN | 3 | upstream_credentials | 401 | - | a call failed: The worker refused the server's credentials.
    "#]]
    .assert_eq(&failing);
    let refused = log(&[vec![refusal(400)]]).await;
    expect![[r#"
        DEBUG | 1 | upstream_rejected | 400 | - | a call was refused
    "#]]
    .assert_eq(&refused);
    assert!(!failing.contains("secret") && !refused.contains("secret"));
}

#[tokio::test]
async fn a_worker_that_is_not_there_is_named_with_the_systems_reason() {
    let logged = Logged::begin();
    let spec = spec(ProviderName::OpenAi, |config| {
        config.base_url = Some("http://127.0.0.1:1/v1".to_owned());
        once(config);
    });
    let worker = spec.for_core(0, &|_| None).unwrap();
    assert_eq!(
        answer(&worker, &streamed("x")).await.unwrap_err().code(),
        Code::UpstreamConnect
    );
    expect![[r#"
        WARN | 1 | upstream_connect | - | cannot connect to 127.0.0.1:1: Connection refused (os error 111) | a call failed: The worker cannot be reached.
    "#]].assert_eq(&brief(&logged.lines()));
}
