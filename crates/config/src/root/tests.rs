use super::*;

#[test]
fn a_declared_worker_goes_before_the_provider_of_its_name() {
    let mut config = Config::dev();
    assert_eq!(config.worker("openai"), Some(WorkerConfig::usual(ProviderName::OpenAi)));
    let mine = WorkerConfig::usual(ProviderName::Vllm);
    config.workers.insert("openai".to_owned(), mine.clone());
    assert_eq!(config.worker("openai"), Some(mine));
    assert_eq!(config.worker("nobody"), None);
}

#[test]
fn without_a_document_the_echo_answers() {
    let config = Config::dev();
    let workers = config.workers_in_use();
    let (name, worker) = workers.first().unwrap();
    assert_eq!((name.as_str(), worker.provider), ("echo", ProviderName::Echo));
    let routes = config.routes();
    let (name, route) = routes.first().unwrap();
    assert_eq!((name.as_str(), &route.models[..]), ("default", &["*".to_owned()][..]));
}

#[test]
fn a_route_of_the_reduced_mode_alone_leaves_one_for_requests() {
    let mut config = Config::dev();
    let reduced = RouteConfig {
        models: Vec::new(),
        primary: vec!["ollama".to_owned()],
        ..RouteConfig::default()
    };
    config.routes.insert("reduced".to_owned(), reduced.clone());
    assert_eq!(
        config.routes().keys().collect::<Vec<_>>(),
        ["reduced"],
        "a route like any"
    );
    config.degradation.chain.push(Step::Reduced);
    let routes = config.routes();
    assert_eq!(routes.keys().collect::<Vec<_>>(), ["default", "reduced"]);
    assert_eq!(
        (&routes["default"].primary[0], &routes["reduced"]),
        (&"echo".to_owned(), &reduced)
    );
    assert_eq!(config.in_full().in_full(), config.in_full());
}

#[test]
fn workers_in_use_are_those_that_routes_name_each_once_in_their_order() {
    let mut config = Config::dev();
    let route = |primary: &[&str], backup: &[&str]| RouteConfig {
        primary: primary.iter().map(|&name| name.to_owned()).collect(),
        backup: backup.iter().map(|&name| name.to_owned()).collect(),
        ..RouteConfig::default()
    };
    config
        .routes
        .insert("a".to_owned(), route(&["vllm", "nobody"], &["echo"]));
    config
        .routes
        .insert("b".to_owned(), route(&["echo"], &["ollama", "vllm"]));
    let workers = config.workers_in_use();
    assert_eq!(workers.keys().collect::<Vec<_>>(), ["vllm", "echo", "ollama"]);
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
