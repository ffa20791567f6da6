use super::*;
use expect_test::expect;

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

/// An ending of a plain question about the model `m`.
fn ending(worker: &'static str, code: &'static str, error_source: &'static str) -> Ending<'static> {
    Ending {
        path: "/v1/ask",
        model: "m",
        worker,
        code,
        error_source,
    }
}

#[test]
fn each_family_is_registered_once() {
    let (registry, _metrics) = registered();
    let families = registry.gather();
    let names: Vec<&str> = families.iter().map(|family| family.name()).collect();
    let expected = [
        "orchestrator_client_retries_total",
        "orchestrator_connections",
        "orchestrator_overhead_seconds",
        "orchestrator_request_duration_seconds",
        "orchestrator_requests_total",
        "orchestrator_stream_aborts_total",
        "orchestrator_time_to_first_token_seconds",
        "orchestrator_ws_connections",
    ];
    assert_eq!(names, expected, "all are shown before the first request");
    assert_eq!(
        orchestrator_telemetry::naming::findings(&families),
        Vec::<String>::new()
    );
    assert!(Metrics::register(&registry).is_err(), "twice on one registry");
}

#[test]
fn what_is_known_to_come_is_shown_as_0_from_the_start() {
    let (registry, _metrics) = registered();
    let shown = shown(&registry);
    let samples = shown
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains("_bucket"));
    let samples: Vec<&str> = samples.collect();
    expect![[r#"
        orchestrator_client_retries_total 0
        orchestrator_connections 0
        orchestrator_overhead_seconds_sum 0
        orchestrator_overhead_seconds_count 0
        orchestrator_request_duration_seconds_sum{path="/v1/ask"} 0
        orchestrator_request_duration_seconds_count{path="/v1/ask"} 0
        orchestrator_request_duration_seconds_sum{path="/v1/chat/completions"} 0
        orchestrator_request_duration_seconds_count{path="/v1/chat/completions"} 0
        orchestrator_request_duration_seconds_sum{path="/v1/models"} 0
        orchestrator_request_duration_seconds_count{path="/v1/models"} 0
        orchestrator_request_duration_seconds_sum{path="/v1/models/{id}"} 0
        orchestrator_request_duration_seconds_count{path="/v1/models/{id}"} 0
        orchestrator_request_duration_seconds_sum{path="/v1/stream"} 0
        orchestrator_request_duration_seconds_count{path="/v1/stream"} 0
        orchestrator_request_duration_seconds_sum{path="/v1/stream#handshake"} 0
        orchestrator_request_duration_seconds_count{path="/v1/stream#handshake"} 0
        orchestrator_request_duration_seconds_sum{path="other"} 0
        orchestrator_request_duration_seconds_count{path="other"} 0
        orchestrator_requests_total{code="invalid_request",error_source="client",model="none",path="/v1/ask",worker="none"} 0
        orchestrator_requests_total{code="invalid_request",error_source="client",model="none",path="/v1/chat/completions",worker="none"} 0
        orchestrator_requests_total{code="not_found",error_source="client",model="none",path="other",worker="none"} 0
        orchestrator_requests_total{code="ok",error_source="none",model="none",path="/v1/models",worker="none"} 0
        orchestrator_requests_total{code="ok",error_source="none",model="none",path="/v1/models/{id}",worker="none"} 0
        orchestrator_requests_total{code="ok",error_source="none",model="none",path="/v1/stream#handshake",worker="none"} 0
        orchestrator_stream_aborts_total{by="client"} 0
        orchestrator_stream_aborts_total{by="gateway"} 0
        orchestrator_stream_aborts_total{by="upstream"} 0
        orchestrator_time_to_first_token_seconds_sum 0
        orchestrator_time_to_first_token_seconds_count 0
        orchestrator_ws_connections 0"#]].assert_eq(&samples.join("\n"));
}

#[test]
fn requests_are_counted_by_what_was_asked_and_how_it_ended() {
    let (registry, metrics) = registered();
    let took = Duration::from_millis(5);
    let other = Ending {
        model: "other",
        ..ending("none", "model_not_found", "client")
    };
    for ending in [
        ending("fast", "ok", "none"),
        ending("fast", "ok", "none"),
        ending("none", "cancelled", "client"),
        other,
    ] {
        metrics.ended(&ending, took);
    }
    metrics.aborted(Blame::Upstream);
    let shown = shown(&registry);
    for line in [
        r#"orchestrator_requests_total{code="ok",error_source="none",model="m",path="/v1/ask",worker="fast"} 2"#,
        r#"orchestrator_requests_total{code="cancelled",error_source="client",model="m",path="/v1/ask",worker="none"} 1"#,
        r#"orchestrator_requests_total{code="model_not_found",error_source="client",model="other",path="/v1/ask",worker="none"} 1"#,
        r#"orchestrator_request_duration_seconds_count{path="/v1/ask"} 4"#,
        r#"orchestrator_stream_aborts_total{by="upstream"} 1"#,
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
}

#[test]
fn times_fall_into_the_bucket_that_holds_them() {
    let (registry, metrics) = registered();
    metrics.ended(&ending("fast", "ok", "none"), Duration::from_millis(11));
    metrics.first_token(Duration::from_millis(60));
    metrics.added(Duration::from_micros(100));
    let shown = shown(&registry);
    for line in [
        r#"orchestrator_request_duration_seconds_bucket{path="/v1/ask",le="0.01"} 0"#,
        r#"orchestrator_request_duration_seconds_bucket{path="/v1/ask",le="0.02"} 1"#,
        r#"orchestrator_time_to_first_token_seconds_bucket{le="0.04"} 0"#,
        r#"orchestrator_time_to_first_token_seconds_bucket{le="0.06"} 1"#,
        r#"orchestrator_overhead_seconds_bucket{le="0.00005"} 0"#,
        r#"orchestrator_overhead_seconds_bucket{le="0.0001"} 1"#,
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
}

#[test]
fn what_is_open_is_counted_until_it_is_dropped() {
    let (registry, metrics) = registered();
    let count = |what: &str, open: u8| shown(&registry).contains(&format!("\norchestrator_{what} {open}\n"));
    let open = (metrics.connection(), metrics.socket());
    let more = metrics.connection();
    assert!(count("connections", 2) && count("ws_connections", 1));
    drop(open);
    assert!(count("connections", 1) && count("ws_connections", 0));
    drop(more);
    assert!(count("connections", 0));
}
