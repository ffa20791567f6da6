use super::*;

#[test]
fn a_declared_worker_goes_before_the_provider_of_its_name() {
    let mut config = Config::dev();
    config.pipeline.stages.inference.worker = "openai".to_owned();
    assert_eq!(config.worker().unwrap().1, WorkerConfig::usual(ProviderName::OpenAi));
    let mine = WorkerConfig::usual(ProviderName::Vllm);
    config.workers.insert("openai".to_owned(), mine.clone());
    assert_eq!(config.worker(), Some(("openai", mine)));
    config.pipeline.stages.inference.worker = "nobody".to_owned();
    assert_eq!(config.worker(), None);
}

#[test]
fn without_a_document_the_echo_answers() {
    let config = Config::dev();
    let (name, worker) = config.worker().unwrap();
    assert_eq!((name, worker.provider), ("echo", ProviderName::Echo));
}

#[test]
fn the_time_to_drain_is_what_pre_stop_leaves() {
    let shutdown = ShutdownConfig::default();
    assert_eq!(
        (shutdown.pre_stop(), shutdown.drain()),
        (Duration::from_secs(5), Duration::from_secs(20))
    );
    let late = ShutdownConfig {
        pre_stop_ms: 3,
        grace_ms: 2,
    };
    assert_eq!(late.drain(), Duration::ZERO);
}
