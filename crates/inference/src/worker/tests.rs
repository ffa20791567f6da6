use super::*;
use crate::Config;
use futures_util::TryStreamExt;
use orchestrator_core::{Code, Secret};
use orchestrator_testkit::{ModelServer, Script, chat, prompt, text_of, world};
use prometheus::Registry;

/// A worker of `provider` at `server`, after `change`.
fn worker(provider: ProviderName, server: &ModelServer, change: impl FnOnce(&mut WorkerConfig)) -> Worker {
    let mut config = WorkerConfig {
        base_url: Some(base_url(provider, server)),
        ..WorkerConfig::usual(provider)
    };
    change(&mut config);
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let general = orchestrator_resilience::Config {
        retry_base_ms: 1,
        retry_max_ms: 20,
        ..Default::default()
    };
    let spec = WorkerSpec::new("w", config, &Config::default(), &general, (world(1), metrics));
    spec.for_core(0, &|_| None).unwrap()
}

fn base_url(provider: ProviderName, server: &ModelServer) -> String {
    let root = format!("http://{}", server.addr());
    if provider == ProviderName::OpenAi {
        format!("{root}/v1")
    } else {
        root
    }
}

fn openai(server: &ModelServer) -> Worker {
    worker(ProviderName::OpenAi, server, |_| {})
}

fn streamed(text: &str) -> Prompt {
    let text = serde_json::to_string(text).unwrap();
    let body = format!(r#"{{"model":"test","stream":true,"messages":[{{"role":"user","content":{text}}}]}}"#);
    Prompt {
        request: Box::new(chat(body)),
        ..prompt("")
    }
}

async fn answer(worker: &Worker, prompt: &Prompt) -> Result<(String, u32), Failure> {
    let reply = worker.call(prompt).await?;
    let batches: Vec<Vec<Chunk>> = reply.events.try_collect().await?;
    Ok((text_of(batches.iter().flatten()), reply.head.attempts))
}

async fn fails(server: Script, change: impl FnOnce(&mut WorkerConfig)) -> Failure {
    let server = ModelServer::following(server);
    answer(&worker(ProviderName::OpenAi, &server, change), &streamed("x"))
        .await
        .unwrap_err()
}

const SAID: &str = "tok0 tok1 tok2 tok3 ";

#[tokio::test]
async fn every_provider_answers_streaming_and_whole() {
    use ProviderName::{Anthropic, LlamaCpp, Ollama, OpenAi, Vllm};
    let server = ModelServer::start();
    for provider in [OpenAi, Vllm, LlamaCpp, Anthropic, Ollama] {
        let worker = worker(provider, &server, |_| {});
        assert_eq!(
            answer(&worker, &streamed("x")).await.unwrap().0,
            SAID,
            "{provider:?} streaming"
        );
        assert_eq!(
            answer(&worker, &prompt("x")).await.unwrap().0,
            SAID,
            "{provider:?} whole"
        );
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
            answer(&worker, &streamed("x")).await.unwrap().0,
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
    assert_eq!(answer(&worker, &prompt("x")).await.unwrap().0, SAID);
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
async fn what_fails_before_the_first_token_is_tried_again() {
    for failing in [
        Script::failing(500),
        Script::failing(503),
        Script {
            cut_after: Some(0),
            ..Script::default()
        },
    ] {
        let server = ModelServer::following(failing.then(2, Script::default()));
        assert_eq!(
            answer(&openai(&server), &streamed("x")).await.unwrap(),
            (SAID.to_owned(), 3)
        );
        assert_eq!(server.stats().total.calls, 3);
    }
}

#[tokio::test]
async fn the_last_failure_is_told_after_as_many_calls_as_allowed() {
    for attempts in [1, 2, 4] {
        let server = ModelServer::following(Script::failing(500));
        let worker = worker(ProviderName::OpenAi, &server, |config| {
            config.resilience.retry_attempts = Some(attempts)
        });
        assert_eq!(
            answer(&worker, &streamed("x")).await.unwrap_err().code(),
            Code::UpstreamError
        );
        assert_eq!(server.stats().total.calls, u64::from(attempts));
    }
}

#[tokio::test]
async fn statuses_are_told_apart() {
    let cases = [
        (400, Code::UpstreamRejected),
        (401, Code::UpstreamCredentials),
        (403, Code::UpstreamCredentials),
        (404, Code::UpstreamRejected),
        (408, Code::UpstreamError),
        (422, Code::UpstreamRejected),
        (429, Code::RateLimited),
        (500, Code::UpstreamError),
        (302, Code::UpstreamProtocol),
    ];
    for (status, code) in cases {
        let failure = fails(Script::failing(status), |config| {
            config.resilience.retry_attempts = Some(1)
        })
        .await;
        assert_eq!((failure.code(), failure.status()), (code, Some(status)), "{status}");
    }
}

#[tokio::test]
async fn a_pause_is_read_from_seconds_and_bounded() {
    let cases = [
        ("7", Some(7)),
        ("1000000000", Some(60)),
        ("-5", Some(0)),
        ("1e400", Some(60)),
        ("soon", None),
    ];
    for (value, seconds) in cases {
        let failure = fails(Script::failing(429).header("retry-after", value), |_| {}).await;
        if seconds == Some(0) {
            continue;
        }
        assert_eq!(failure.retry_after().map(|pause| pause.as_secs()), seconds, "{value}");
    }
}

#[tokio::test]
async fn an_answer_that_ends_early_is_a_failure_and_never_a_clean_end() {
    let cases = [
        Script {
            finish: None,
            done: false,
            ..Script::default()
        },
        Script {
            finish: None,
            done: true,
            ..Script::default()
        },
        Script {
            cut_after: Some(300),
            ..Script::default()
        },
    ];
    for script in cases {
        let failure = fails(script.clone(), |config| config.resilience.retry_attempts = Some(1)).await;
        assert_eq!(failure.code(), Code::UpstreamTruncated, "{}", script.json());
    }
}

#[tokio::test]
async fn what_came_before_a_break_is_heard_before_the_failure() {
    let server = ModelServer::following(Script {
        error: Some("overheated".to_owned()),
        gap_ms: 1,
        ..Script::default()
    });
    let reply = openai(&server).call(&streamed("x")).await.unwrap();
    let batches: Vec<Result<Vec<Chunk>, Failure>> = reply.events.collect().await;
    let (last, good) = batches.split_last().unwrap();
    assert_eq!(text_of(good.iter().flatten().flatten()), SAID);
    assert!(last.is_err());
}

#[tokio::test]
async fn garbage_is_no_answer() {
    let bodies = [
        "<html>no</html>",
        "data: {broken\n\n",
        "data: \n\n",
        "",
        "data: [DONE]\n\n",
        "data: 7\n\n",
    ];
    for body in bodies {
        let script = Script {
            body: Some(body.to_owned()),
            ..Script::default()
        };
        let failure = fails(script, |config| config.resilience.retry_attempts = Some(1)).await;
        assert!(
            matches!(failure.code(), Code::UpstreamProtocol | Code::UpstreamTruncated),
            "{body:?}: {failure:?}"
        );
    }
}

#[tokio::test]
async fn odd_but_legal_streams_are_read() {
    let event = r#"{"choices":[{"index":0,"delta":{"content":"ok"},"finish_reason":"stop"}]}"#;
    let bodies = [
        format!("\u{feff}data: {event}\n\ndata: [DONE]\n\n"),
        format!("data:{event}\r\rdata:[DONE]\r\r"),
        format!(": comment\r\nevent: x\r\nid: 1\r\ndata: {event}\r\n\r\n"),
        format!("data: {event}\n\ndata: [DONE]\n\ndata: {{\"after\":1}}\n\n"),
    ];
    for body in bodies {
        let server = ModelServer::following(Script {
            body: Some(body.clone()),
            ..Script::default()
        });
        assert_eq!(
            answer(&openai(&server), &streamed("x")).await.unwrap().0,
            "ok",
            "{body:?}"
        );
    }
}

#[tokio::test]
async fn silence_has_a_limit_before_and_after_the_first_token() {
    let silent = |script, change: fn(&mut WorkerConfig)| {
        fails(script, move |config| {
            config.resilience.retry_attempts = Some(1);
            change(config);
        })
    };
    let failure = silent(Script::silent(), |config| config.first_token_timeout_ms = 50).await;
    assert_eq!(failure.code(), Code::FirstTokenTimeout);
    let stalled = Script {
        stall_after: Some(400),
        ..Script::default()
    };
    let failure = silent(stalled, |config| config.idle_timeout_ms = 50).await;
    assert_eq!(failure.code(), Code::IdleTimeout);
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
async fn dropping_a_reply_ends_the_call_and_frees_its_slot() {
    let server = ModelServer::following(Script::paced(1000, 5));
    let worker = openai(&server);
    let reply = worker.call(&streamed("x")).await.unwrap();
    assert_eq!(worker.spec.guard().slots().taken(), 1);
    drop(reply);
    assert_eq!(worker.spec.guard().slots().taken(), 0);
    let stats = server.until(|stats| stats.total.running == 0).await;
    assert_eq!((stats.total.calls, stats.total.aborted), (1, 1));
}

#[tokio::test]
async fn failures_in_a_row_open_the_breaker_and_spare_the_server() {
    let server = ModelServer::following(Script::failing(500));
    let worker = worker(ProviderName::OpenAi, &server, |config| {
        config.resilience.circuit_breaker_threshold = Some(4);
        config.resilience.retry_attempts = Some(1);
    });
    for _ in 0..4 {
        assert_eq!(
            answer(&worker, &streamed("x")).await.unwrap_err().code(),
            Code::UpstreamError
        );
    }
    for _ in 0..10 {
        assert_eq!(
            answer(&worker, &streamed("x")).await.unwrap_err().code(),
            Code::BreakerOpen
        );
    }
    assert_eq!(server.stats().total.calls, 4);
}

#[tokio::test]
async fn calls_beyond_the_slots_wait_for_one() {
    let server = ModelServer::following(Script {
        head_ms: 5,
        ..Script::default()
    });
    let worker = worker(ProviderName::OpenAi, &server, |config| config.max_concurrent = 3);
    let prompt = streamed("x");
    let answers = futures_util::future::join_all((0..12).map(|_| answer(&worker, &prompt))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(
        (server.stats().total.calls, worker.spec.guard().slots().taken()),
        (12, 0)
    );
    assert!(server.stats().peak <= 3);
}

#[test]
fn a_worker_that_cannot_be_built_says_why() {
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let build = |config: WorkerConfig| {
        let spec = WorkerSpec::new(
            "w",
            config,
            &Config::default(),
            &Default::default(),
            (world(1), metrics.clone()),
        );
        spec.for_core(0, &|_| None).map(drop).unwrap_err().to_string()
    };
    let usual = || WorkerConfig::usual(ProviderName::OpenAi);
    let url = build(WorkerConfig {
        base_url: Some("ftp://x".to_owned()),
        ..usual()
    });
    assert!(url.starts_with("workers.w.base_url: "), "{url}");
    let unset = build(WorkerConfig {
        api_key: Some(Secret::new("${NOT_SET}")),
        ..usual()
    });
    assert_eq!(unset, "workers.w.api_key: the environment variable NOT_SET is not set");
    let newline = build(WorkerConfig {
        api_key: Some(Secret::new("a\nb")),
        ..usual()
    });
    assert!(
        !newline.contains("a\nb") && newline.contains("no header may have"),
        "{newline}"
    );
}
