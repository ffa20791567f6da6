//! What is asked and what is answered, over sockets.

use super::*;
use orchestrator_core::{Code, Secret};
use orchestrator_testkit::{Script, prompt};

const SAID: &str = "tok0 tok1 tok2 tok3 ";

#[tokio::test]
async fn every_provider_answers_streaming_and_whole() {
    use ProviderName::{Anthropic, LlamaCpp, Ollama, OpenAi, Vllm};
    let server = ModelServer::start();
    for provider in [OpenAi, Vllm, LlamaCpp, Anthropic, Ollama] {
        let worker = worker(provider, &server, |_| {});
        assert_eq!(
            answer(&worker, &streamed("x")).await.unwrap(),
            SAID,
            "{provider:?} streaming"
        );
        assert_eq!(answer(&worker, &prompt("x")).await.unwrap(), SAID, "{provider:?} whole");
    }
}

#[tokio::test]
async fn bytes_that_come_one_by_one_make_the_same_answer() {
    use ProviderName::{Anthropic, Ollama, OpenAi};
    let pieces = vec!["grün ".to_owned(), "🙂".to_owned(), "\n\"end\"".to_owned()];
    let server = ModelServer::following(Script {
        split: 1,
        pieces,
        ..Script::default()
    });
    for provider in [OpenAi, Anthropic, Ollama] {
        let worker = worker(provider, &server, |_| {});
        assert_eq!(
            answer(&worker, &streamed("x")).await.unwrap(),
            "grün 🙂\n\"end\"",
            "{provider:?}"
        );
    }
}

#[tokio::test]
async fn a_worker_that_always_streams_does_so_for_clients_that_do_not() {
    let server = ModelServer::start();
    let worker = worker(ProviderName::OpenAi, &server, |config| {
        config.upstream_stream = UpstreamStream::Always
    });
    assert_eq!(answer(&worker, &prompt("x")).await.unwrap(), SAID);
    let asked = &server.received()[0];
    assert!(String::from_utf8_lossy(&asked.body).contains(r#""stream":true"#));
}

#[tokio::test]
async fn the_key_and_the_workers_own_model_go_upstream_and_nothing_else_changes() {
    let server = ModelServer::start();
    let worker = worker(ProviderName::OpenAi, &server, |config| {
        config.api_key = Some(Secret::new("sk-test"));
        config.model = Some("real".to_owned());
    });
    let body = r#"{"model":"alias", "messages":[{"role":"user","content":"x"}],"odd":1.10}"#;
    answer(
        &worker,
        &Prompt {
            request: Box::new(chat(body)),
            ..prompt("")
        },
    )
    .await
    .unwrap();
    let asked = &server.received()[0];
    assert_eq!(asked.header("authorization"), Some("Bearer sk-test"));
    let sent = String::from_utf8_lossy(&asked.body).into_owned();
    assert!(sent.contains(r#""model":"real""#) && sent.contains("1.10"), "{sent}");
}

#[tokio::test]
async fn anthropic_is_asked_in_its_own_way() {
    let server = ModelServer::start();
    let worker = worker(ProviderName::Anthropic, &server, |config| {
        config.api_key = Some(Secret::new("k"))
    });
    answer(&worker, &prompt("x")).await.unwrap();
    let asked = &server.received()[0];
    assert_eq!(
        (asked.header("x-api-key"), asked.header("anthropic-version")),
        (Some("k"), Some("2023-06-01"))
    );
}

#[tokio::test]
async fn what_came_before_a_break_is_heard_before_the_failure() {
    let server = ModelServer::following(Script {
        error: Some("overheated".to_owned()),
        gap_ms: 1,
        ..Script::default()
    });
    let reply = call(&openai(&server), &streamed("x")).await.unwrap();
    let batches: Vec<Result<Vec<Chunk>, Failure>> = reply.events.collect().await;
    let (last, good) = batches.split_last().unwrap();
    assert_eq!(text_of(good.iter().flatten().flatten()), SAID);
    assert!(last.is_err());
}

#[tokio::test]
async fn nobody_at_the_address_is_a_failed_connection() {
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = ModelServer::start();
    let worker = worker(ProviderName::OpenAi, &server, |config| {
        config.base_url = Some(format!("http://{nowhere}/v1"))
    });
    assert_eq!(
        answer(&worker, &streamed("x")).await.unwrap_err().code(),
        Code::UpstreamConnect
    );
}

#[tokio::test]
async fn dropping_a_reply_ends_the_call() {
    let server = ModelServer::following(Script::paced(1000, 5));
    let worker = openai(&server);
    let reply = call(&worker, &streamed("x")).await.unwrap();
    drop(reply);
    let stats = server.until(|stats| stats.total.running == 0).await;
    assert_eq!((stats.total.calls, stats.total.aborted), (1, 1));
}

#[tokio::test]
async fn calls_and_tokens_are_counted() {
    let server = ModelServer::following(Script::failing(503).then(2, Script::default()));
    let registry = Registry::new();
    let config = WorkerConfig {
        base_url: Some(server.url()),
        ..WorkerConfig::usual(ProviderName::Ollama)
    };
    let parts = (world(1), Metrics::register(&registry).unwrap());
    let spec = WorkerSpec::new("w", config, &Config::default(), parts);
    let worker = spec.for_core(&|_| None).unwrap();
    for fine in [false, false, true] {
        assert_eq!(answer(&worker, &streamed("x")).await.is_ok(), fine);
    }
    let value = |name: &str, label: &str| {
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let has_label =
            |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|pair| pair.value() == label);
        let metric = family.get_metric().iter().find(has_label).unwrap();
        metric.get_counter().get_value()
    };
    assert_eq!(value("orchestrator_upstream_calls_total", "upstream_error"), 2.0);
    assert_eq!(value("orchestrator_upstream_calls_total", "ok"), 1.0);
    assert!(value("orchestrator_tokens_total", "input") > 0.0);
    assert_eq!(value("orchestrator_tokens_total", "output"), 4.0);
}

#[tokio::test(start_paused = true)]
async fn a_usage_that_is_told_after_each_token_is_counted_once() {
    let told = |tokens: u32| {
        let usage = format!(r#""usage":{{"prompt_tokens":9,"completion_tokens":{tokens}}}"#);
        let choice = r#"{"index":0,"delta":{"content":"x"}}"#;
        say(format!("data: {{\"choices\":[{choice}],{usage}}}\n\n"))
    };
    let (wire, _, mut peers) = pipes(1, 1 << 20);
    let worker = over(wire, ProviderName::OpenAi, |_| {});
    let acts = [
        vec![begin()],
        (1..=4).flat_map(|nth| [told(nth), Act::Wait(5)]).collect(),
        vec![finish()],
    ]
    .concat();
    let timeline = Timeline::begin();
    let call = async {
        let mut reply = call(&worker, &streamed("x")).await.unwrap();
        let mut batches = 0;
        while let Some(batch) = reply.events.next().await {
            batches += usize::from(!text_of(batch.unwrap().iter()).is_empty());
        }
        batches
    };
    let server = peers.remove(0).plays(1, &acts, &timeline);
    let (batches, ()) = soon(async { tokio::join!(call, server) }).await;
    assert_eq!(batches, 4, "the tokens came one by one");
    assert_eq!(worker.metrics.tokens(), (9, 4));
}
