//! Signs of life: how each kind of server is asked, and what counts as one.

use super::*;
use ProviderName::{Anthropic, LlamaCpp, Ollama, OpenAi, Vllm};
use orchestrator_core::Code::{self, UpstreamConnect, UpstreamError, UpstreamProtocol};
use orchestrator_core::Secret;

/// What a probe makes of a server that answers like this, and what the server was asked.
async fn asked(name: ProviderName, response: &str) -> (Result<(), Code>, String) {
    let (wire, _, mut peers) = pipes(1, 1 << 20);
    let worker = over(wire, name, |config| config.api_key = Some(Secret::new("KEY")));
    let mut peer = peers.remove(0);
    let server = async {
        let request = peer.hears().await;
        peer.may_say(response).await;
        peer.ends().await;
        request
    };
    let (answer, request) = soon(async { tokio::join!(worker.probe(), server) }).await;
    (answer.unwrap().map_err(|failure| failure.code()), request)
}

#[tokio::test(start_paused = true)]
async fn each_server_is_asked_with_its_key_for_what_costs_no_tokens() {
    for (name, path, key) in [
        (OpenAi, "/models", "authorization: Bearer KEY"),
        (Vllm, "/models", "authorization: Bearer KEY"),
        (LlamaCpp, "/health", "authorization: Bearer KEY"),
        (Anthropic, "/models", "x-api-key: KEY"),
        (Ollama, "/api/tags", "authorization: Bearer KEY"),
    ] {
        let (answer, request) = asked(name, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
        assert_eq!(answer, Ok(()));
        assert!(request.starts_with(&format!("GET /v1{path} HTTP/1.1\r\n")), "{request}");
        assert!(request.contains(&format!("{key}\r\n")), "{request}");
        assert!(
            !request.contains("content-length"),
            "nothing is sent with it: {request}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn any_answer_but_a_5xx_is_a_sign_of_life() {
    for (status, expected) in [
        (200, Ok(())),
        (302, Ok(())),
        (401, Ok(())),
        (404, Ok(())),
        (408, Ok(())),
        (429, Ok(())),
        (499, Ok(())),
        (500, Err(UpstreamError)),
        (503, Err(UpstreamError)),
        (599, Err(UpstreamError)),
    ] {
        let response = format!("HTTP/1.1 {status} Said\r\ncontent-length: 2\r\n\r\n{{}}");
        assert_eq!(asked(OpenAi, &response).await.0, expected, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_never_ends_or_is_too_large_changes_nothing() {
    for response in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n{}",
    ] {
        assert_eq!(asked(OpenAi, response).await.0, Ok(()), "{response}");
    }
    let (wire, mut peer) = crate::wire::fixtures::pair();
    let worker = over(wire, OpenAi, |_| {});
    let server = peer.answers("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}");
    let (answer, _) = soon(async { tokio::join!(worker.probe(), server) }).await;
    assert!(answer.unwrap().is_ok(), "the head was enough");
}

#[tokio::test(start_paused = true)]
async fn no_connection_and_no_http_are_told_apart() {
    assert_eq!(asked(OpenAi, "").await.0, Err(UpstreamConnect));
    assert_eq!(
        asked(OpenAi, "220 mail at your service\r\n\r\n").await.0,
        Err(UpstreamProtocol)
    );
    let (wire, ..) = pipes(0, 1);
    let nobody = over(wire, OpenAi, |_| {}).probe().await.unwrap();
    assert_eq!(nobody.unwrap_err().code(), UpstreamConnect);
}

#[tokio::test]
async fn a_probe_leaves_its_connection_to_the_next_call_and_is_no_call() {
    let server = ModelServer::start();
    let worker = openai(&server);
    for sick in [false, true, false] {
        server.sick(sick);
        assert_eq!(worker.probe().await.unwrap().is_err(), sick);
    }
    answer(&worker, &streamed("x")).await.unwrap();
    let stats = server.stats();
    assert_eq!(
        (stats.total.calls, stats.accepted),
        (1, 2),
        "only the failed probe closes its connection"
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_list_of_models_leaves_the_connection_too_but_no_endless_one() {
    let mib = "x".repeat(1 << 20);
    for (mibs, dialed) in [(1, 1), (3, 1), (5, 2)] {
        let (wire, dial, mut peers) = pipes(2, 1 << 20);
        let worker = over(wire, OpenAi, |_| {});
        let [mut second, mut first] = [peers.remove(1), peers.remove(0)];
        let server = async {
            for _ in 0..2 {
                first.hears().await;
                first
                    .may_say(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", mibs << 20))
                    .await;
                for _ in 0..mibs {
                    first.may_say(&mib).await;
                }
                if dialed > 1 {
                    return drop(second.answers("HTTP/1.1 204 None\r\n\r\n").await);
                }
            }
        };
        let probes = async {
            for _ in 0..2 {
                assert!(worker.probe().await.unwrap().is_ok());
            }
        };
        soon(async { tokio::join!(probes, server) }).await;
        assert_eq!(dial.dialed(), dialed, "{mibs} MiB");
    }
}

#[tokio::test]
async fn the_echo_has_nobody_to_ask() {
    let echo = spec(ProviderName::Echo, |_| {}).for_core(&|_| None).unwrap();
    assert!(echo.probe().await.is_none());
}
