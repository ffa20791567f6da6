use super::*;
use expect_test::expect;
use orchestrator_core::Delta;
use prometheus::{Encoder, TextEncoder};

/// All families, as a scraper reads them, without those that are still at zero.
fn page(registry: &Registry) -> String {
    let mut page = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    let ours =
        |line: &&str| line.contains("upstream_calls") || line.contains("_tokens_") || line.contains("first_token");
    let lines = page.lines().filter(ours).filter(|line| !line.starts_with('#'));
    lines
        .filter(|line| !line.ends_with(" 0"))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn usage(prompt_tokens: u64, completion_tokens: u64) -> Chunk {
    Chunk::from(Delta::first(Kind::Usage(Usage {
        prompt_tokens,
        completion_tokens,
        ..Usage::default()
    })))
}

#[test]
fn calls_are_told_apart_by_worker_and_by_how_they_ended() {
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let (a, b) = (metrics.worker("a"), metrics.worker("b"));
    a.answered(Duration::from_millis(3));
    a.answered(Duration::from_millis(700));
    b.failed(&Failure::new(Code::UpstreamConnect, ""));
    b.failed(&Failure::new(Code::RateLimited, ""));
    b.failed(&Failure::new(Code::RateLimited, ""));
    let page = page(&registry);
    let calls: String = page
        .lines()
        .filter(|line| line.contains("calls"))
        .collect::<Vec<_>>()
        .join("\n");
    expect![[r#"
        orchestrator_upstream_calls_total{outcome="ok",worker="a"} 2
        orchestrator_upstream_calls_total{outcome="rate_limit_exceeded",worker="b"} 2
        orchestrator_upstream_calls_total{outcome="upstream_connect",worker="b"} 1"#]]
    .assert_eq(&calls);
    assert!(page.contains(r#"first_token_seconds_count{worker="a"} 2"#), "{page}");
    assert!(page.contains(r#"first_token_seconds_sum{worker="a"} 0.703"#), "{page}");
}

#[test]
fn the_time_to_the_first_token_is_kept_in_the_buckets_that_all_such_times_have() {
    let registry = Registry::new();
    Metrics::register(&registry).unwrap().worker("w");
    let families = registry.gather();
    let family = families
        .iter()
        .find(|family| family.name().ends_with("first_token_seconds"));
    let metric = &family.unwrap().get_metric()[0];
    let bounds: Vec<f64> = metric
        .get_histogram()
        .get_bucket()
        .iter()
        .map(|bucket| bucket.upper_bound())
        .collect();
    assert_eq!(bounds, buckets::TTFT);
}

#[test]
fn the_last_usage_of_a_reply_counts_once_however_often_it_is_told() {
    let registry = Registry::new();
    let worker = Metrics::register(&registry).unwrap().worker("w");
    for replies in [
        vec![vec![Chunk::text("no usage here")]],
        vec![
            vec![usage(7, 1), Chunk::text("x"), usage(7, 3)],
            vec![usage(7, 5)],
            vec![],
        ],
        vec![vec![usage(1, 0)], vec![Chunk::text("then silence")]],
    ] {
        let mut spent = worker.spent();
        replies.iter().for_each(|chunks| spent.hear(chunks));
    }
    expect![[r#"
        orchestrator_tokens_total{direction="input",worker="w"} 8
        orchestrator_tokens_total{direction="output",worker="w"} 5
    "#]]
    .assert_eq(&page(&registry));
}

#[test]
fn what_may_go_wrong_at_a_worker_is_shown_before_it_does() {
    let registry = Registry::new();
    Metrics::register(&registry).unwrap().worker("w");
    let families = registry.gather();
    let calls = families.iter().find(|family| family.name().ends_with("calls_total"));
    let outcomes = calls.unwrap().get_metric().iter().map(|metric| {
        assert_eq!(metric.get_counter().get_value(), 0.0);
        metric.get_label()[0].value()
    });
    let expected = [
        "first_token_timeout",
        "idle_timeout",
        "ok",
        "rate_limit_exceeded",
        "upstream_connect",
        "upstream_credentials",
        "upstream_error",
        "upstream_protocol",
        "upstream_redirected",
        "upstream_truncated",
    ];
    assert_eq!(outcomes.collect::<Vec<_>>(), expected);
}

#[test]
fn names_are_taken_once() {
    let registry = Registry::new();
    Metrics::register(&registry).unwrap();
    let again = Metrics::register(&registry).unwrap_err();
    assert!(matches!(again, prometheus::Error::AlreadyReg), "{again}");
}
