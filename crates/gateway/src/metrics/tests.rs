use super::*;

fn registered() -> (Registry, Metrics) {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    (registry, metrics)
}

/// All samples as text.
fn shown(registry: &Registry) -> String {
    prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap()
}

#[test]
fn each_family_is_registered_once() {
    let (registry, metrics) = registered();
    metrics.ended("/v1/ask", "fast", ("ok", "none"), Duration::from_millis(5));
    let families = registry.gather();
    let names: Vec<&str> = families.iter().map(|family| family.name()).collect();
    let expected = [
        "orchestrator_client_retries_total",
        "orchestrator_connections",
        "orchestrator_request_duration_seconds",
        "orchestrator_requests_total",
        "orchestrator_time_to_first_token_seconds",
        "orchestrator_ws_connections",
    ];
    assert_eq!(names, expected);
    assert!(families.iter().all(|family| !family.help().is_empty()));
    assert!(Metrics::register(&registry).is_err(), "twice on one registry");
}

#[test]
fn requests_are_counted_by_what_was_asked_and_how_it_ended() {
    let (registry, metrics) = registered();
    for (worker, how) in [
        ("fast", ("ok", "none")),
        ("fast", ("ok", "none")),
        ("none", ("cancelled", "client")),
    ] {
        metrics.ended("/v1/ask", worker, how, Duration::from_millis(5));
    }
    let shown = shown(&registry);
    for line in [
        r#"orchestrator_requests_total{code="ok",error_source="none",path="/v1/ask",worker="fast"} 2"#,
        r#"orchestrator_requests_total{code="cancelled",error_source="client",path="/v1/ask",worker="none"} 1"#,
        r#"orchestrator_request_duration_seconds_count{path="/v1/ask"} 3"#,
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
}

#[test]
fn times_fall_into_the_bucket_that_holds_them() {
    let (registry, metrics) = registered();
    metrics.ended("/v1/ask", "fast", ("ok", "none"), Duration::from_millis(11));
    metrics.first_token(Duration::from_millis(60));
    let shown = shown(&registry);
    for line in [
        r#"orchestrator_request_duration_seconds_bucket{path="/v1/ask",le="0.01"} 0"#,
        r#"orchestrator_request_duration_seconds_bucket{path="/v1/ask",le="0.02"} 1"#,
        r#"orchestrator_time_to_first_token_seconds_bucket{le="0.04"} 0"#,
        r#"orchestrator_time_to_first_token_seconds_bucket{le="0.06"} 1"#,
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
}
