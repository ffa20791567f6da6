use super::*;
use serde_json::{Value, json};

fn general() -> orchestrator_resilience::Config {
    orchestrator_resilience::Config {
        retry_attempts: 1,
        retry_base_ms: 2,
        retry_max_ms: 3,
        circuit_breaker_threshold: 4,
        failure_rate: 0.1,
        rate_limit_rate: 0.2,
        latency_p95_ms: 5,
        window_calls: 6,
        window_s: 7,
        min_calls: 8,
        adaptive_thresholds: false,
        circuit_breaker_timeout_s: 9,
        half_open_probes: 10,
        close_after: 11,
        open_max_s: 12,
        slow_start_s: 13,
        requests_per_minute: 14,
        requests_burst: 15,
        tokens_per_minute: 16,
        tokens_burst: 17,
        adaptive_concurrency: false,
    }
}

#[test]
fn a_worker_differs_from_the_general_settings_by_just_the_keys_that_it_names() {
    let general = general();
    assert_eq!(Resilience::default().over(&general), general);
    let all = serde_json::to_value(&general).unwrap();
    let of_requests = |key: &&String| key.starts_with("retry_");
    for key in all.as_object().unwrap().keys().filter(of_requests) {
        assert!(
            serde_json::from_value::<Resilience>(json!({ key: 1 })).is_err(),
            "{key}"
        );
    }
    for (key, value) in all.as_object().unwrap().iter().filter(|(key, _)| !of_requests(key)) {
        let other = match value {
            Value::Bool(on) => json!(!on),
            Value::Number(number) if number.is_f64() => json!(number.as_f64().unwrap() + 0.5),
            number => json!(number.as_u64().unwrap() + 100),
        };
        let own: Resilience = serde_json::from_value(json!({ key: &other })).unwrap();
        let mut expected = all.clone();
        expected[key] = other;
        assert_eq!(serde_json::to_value(own.over(&general)).unwrap(), expected, "{key}");
    }
}

#[test]
fn a_provider_is_called_the_same_in_documents_and_in_the_program() {
    for name in ProviderName::ALL {
        assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        assert_eq!(ProviderName::parse(name.as_str()), Some(name));
    }
    assert_eq!(ProviderName::parse("OpenAI"), None);
}

#[test]
fn a_worker_needs_its_provider_alone_and_has_the_usual_limits() {
    for name in ProviderName::ALL {
        let read: WorkerConfig = serde_json::from_value(json!({ "provider": name.as_str() })).unwrap();
        assert_eq!(read, WorkerConfig::usual(name));
    }
    let usual = WorkerConfig::usual(ProviderName::OpenAi);
    let limits = (
        usual.connect_timeout_ms,
        usual.first_token_timeout_ms,
        usual.idle_timeout_ms,
    );
    assert_eq!(limits, (5_000, 120_000, 60_000));
    assert!(serde_json::from_value::<WorkerConfig>(json!({ "provider": "openai", "timeout": 1 })).is_err());
    assert!(serde_json::from_value::<WorkerConfig>(json!({ "base_url": "http://h" })).is_err());
}

#[test]
fn what_is_written_is_read_again() {
    let worker = WorkerConfig {
        base_url: Some("http://h".to_owned()),
        model: Some("m".to_owned()),
        max_concurrent: 3,
        upstream_stream: UpstreamStream::Always,
        resilience: Resilience {
            close_after: Some(9),
            ..Resilience::default()
        },
        ..WorkerConfig::usual(ProviderName::LlamaCpp)
    };
    let again: WorkerConfig = serde_json::from_value(serde_json::to_value(&worker).unwrap()).unwrap();
    assert_eq!(again, worker);
    let stage = Config {
        max_tokens: Some(7),
        temperature: Some(0.5),
        ..Config::default()
    };
    let again: Config = serde_json::from_value(serde_json::to_value(&stage).unwrap()).unwrap();
    assert_eq!(again, stage);
}
