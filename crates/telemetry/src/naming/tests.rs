use super::*;
use expect_test::{Expect, expect};
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts,
    core::{Collector, Metric},
    proto,
};
use proptest::prelude::*;

fn counter(name: &str) -> Vec<MetricFamily> {
    IntCounter::new(name, "help").unwrap().collect()
}

fn gauge(name: &str) -> Vec<MetricFamily> {
    Gauge::new(name, "help").unwrap().collect()
}

fn histogram(name: &str) -> Vec<MetricFamily> {
    Histogram::with_opts(HistogramOpts::new(name, "help"))
        .unwrap()
        .collect()
}

fn labelled(labels: &[&str]) -> Vec<MetricFamily> {
    let counter = IntCounterVec::new(Opts::new("orchestrator_x_total", "help"), labels).unwrap();
    counter.with_label_values(&vec!["a"; labels.len()]).inc();
    counter.with_label_values(&vec!["b"; labels.len()]).inc();
    counter.collect()
}

#[track_caller]
fn check(families: &[MetricFamily], expected: Expect) {
    expected.assert_eq(&findings(families).join("\n"));
}

#[test]
fn good_names_pass() {
    for name in [
        "orchestrator_requests_total",
        "orchestrator_received_bytes_total",
        "orchestrator_http2_frames_total",
        "orchestrator_busy_seconds_total",
    ] {
        check(&counter(name), expect![""]);
    }
    for name in [
        "orchestrator_queue_depth",
        "orchestrator_build_info",
        "orchestrator_hit_ratio",
        "orchestrator_config_reload_success_timestamp_seconds",
    ] {
        check(&gauge(name), expect![""]);
    }
    check(&histogram("orchestrator_time_to_first_token_seconds"), expect![""]);
    check(&labelled(&["route", "error_source"]), expect![""]);
    assert!(findings(&[]).is_empty());
}

#[test]
fn the_prefix_is_ours() {
    check(
        &counter("requests_total"),
        expect!["requests_total: the prefix `orchestrator_` is missing"],
    );
}

#[test]
fn counters_and_only_they_end_in_total() {
    check(
        &counter("orchestrator_requests"),
        expect!["orchestrator_requests: a counter ends in `_total`"],
    );
    check(
        &gauge("orchestrator_depth_total"),
        expect!["orchestrator_depth_total: only a counter ends in `_total`"],
    );
    check(
        &histogram("orchestrator_wait_seconds_total"),
        expect!["orchestrator_wait_seconds_total: only a counter ends in `_total`"],
    );
    check(
        &counter("orchestrator_info"),
        expect!["orchestrator_info: a counter ends in `_total`"],
    );
}

#[test]
fn the_parts_of_a_histogram_keep_their_names() {
    check(
        &gauge("orchestrator_workers_count"),
        expect!["orchestrator_workers_count: `_count`, `_sum` and `_bucket` are the parts of a histogram"],
    );
    check(
        &histogram("orchestrator_wait_sum"),
        expect!["orchestrator_wait_sum: `_count`, `_sum` and `_bucket` are the parts of a histogram"],
    );
    check(
        &histogram("orchestrator_wait_info"),
        expect!["orchestrator_wait_info: only a gauge ends in `_info`"],
    );
}

#[test]
fn units_are_base_units_in_full_and_at_the_end() {
    for (name, word) in [
        ("orchestrator_wait_ms", "ms"),
        ("orchestrator_size_megabytes", "megabytes"),
        ("orchestrator_load_percent", "percent"),
        ("orchestrator_wait_sec", "sec"),
    ] {
        let expected = format!("{name}: `{word}` is no base unit in full: those are seconds, bytes and ratio");
        assert_eq!(findings(&gauge(name)), [expected]);
    }
    check(
        &histogram("orchestrator_seconds_waited"),
        expect!["orchestrator_seconds_waited: the unit `seconds` must stand at the end"],
    );
    check(
        &counter("orchestrator_bytes_received_total"),
        expect!["orchestrator_bytes_received_total: the unit `bytes` must stand at the end"],
    );
}

#[test]
fn a_name_says_what_is_counted_and_not_how() {
    check(
        &gauge("orchestrator_depth_gauge"),
        expect!["orchestrator_depth_gauge: `gauge` belongs in the type, not in the name"],
    );
    check(
        &gauge("orchestrator_queueDepth"),
        expect!["orchestrator_queueDepth: a name is lower-case words joined by single `_`"],
    );
    check(
        &gauge("orchestrator__depth"),
        expect!["orchestrator__depth: a name is lower-case words joined by single `_`"],
    );
    check(
        &gauge("orchestrator:depth"),
        expect![[r#"
        orchestrator:depth: the prefix `orchestrator_` is missing
        orchestrator:depth: a name is lower-case words joined by single `_`"#]],
    );
}

#[test]
fn every_family_has_a_help_text() {
    let mut families = gauge("orchestrator_depth");
    families[0].set_help(" ".to_owned());
    check(&families, expect!["orchestrator_depth: the help text is missing"]);
}

#[test]
fn labels_are_neither_reserved_nor_unbounded_and_named_once() {
    check(
        &labelled(&["request_id"]),
        expect!["orchestrator_x_total: the label `request_id` grows with the number of requests"],
    );
    check(
        &labelled(&["job", "stage", "userName"]),
        expect![[r#"
        orchestrator_x_total: the label `job` is reserved
        orchestrator_x_total: the label `userName` is not lower-case words joined by single `_`"#]],
    );
    check(
        &labelled(&["quantile"]),
        expect!["orchestrator_x_total: the label `quantile` is reserved"],
    );
}

#[test]
fn each_family_is_told_of_by_itself() {
    let families: Vec<_> = counter("a_total")
        .into_iter()
        .chain(gauge("orchestrator_b"))
        .chain(gauge("c"))
        .collect();
    check(
        &families,
        expect![[r#"
        a_total: the prefix `orchestrator_` is missing
        orchestrator_b: `b` is no base unit in full: those are seconds, bytes and ratio
        c: the prefix `orchestrator_` is missing"#]],
    );
}

#[test]
fn a_label_of_the_format_itself_is_seen_though_the_library_would_refuse_it() {
    let mut label = proto::LabelPair::default();
    label.set_name("le".to_owned());
    let mut families = gauge("orchestrator_depth");
    let metric = Gauge::new("orchestrator_depth", "help").unwrap().metric();
    families[0].set_metric(vec![metric]);
    families[0].mut_metric()[0].set_label(vec![label]);
    check(&families, expect!["orchestrator_depth: the label `le` is reserved"]);
}

const GOOD_WORDS: [&str; 6] = ["worker", "queue", "http2", "first", "token", "wait"];

fn any_family(name: &str, kind: MetricType) -> Vec<MetricFamily> {
    match kind {
        MetricType::COUNTER => counter(name),
        MetricType::HISTOGRAM => histogram(name),
        _ => gauge(name),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Names put together by the rules pass; one bad word anywhere in them is one finding at least.
    #[test]
    fn names_by_the_rules_pass_and_one_bad_word_does_not(
        words in prop::collection::vec(prop::sample::select(&GOOD_WORDS[..]), 1..4),
        unit in prop::option::of(prop::sample::select(&UNITS[..])),
        kind in prop::sample::select(&[MetricType::COUNTER, MetricType::GAUGE, MetricType::HISTOGRAM][..]),
        bad in prop::sample::select([&SCALED_UNITS[..], &ABBREVIATIONS, &TYPES].concat()),
        at in 0..4_usize,
    ) {
        let total = (kind == MetricType::COUNTER).then_some("total");
        let mut words: Vec<&str> = ["orchestrator"].into_iter().chain(words).chain(unit).chain(total).collect();
        prop_assert_eq!(findings(&any_family(&words.join("_"), kind)), Vec::<String>::new());
        words.insert(at.clamp(1, words.len()), bad);
        let found = findings(&any_family(&words.join("_"), kind));
        prop_assert!(found.iter().any(|finding| finding.contains(bad) || finding.contains("ends in")), "{found:?}");
    }

    /// Any name and any labels are told of or pass, and each finding begins with the name of its family.
    #[test]
    fn each_finding_names_its_family(name in "[a-z_:][a-zA-Z0-9_:]{0,20}", label in "[a-z_][a-zA-Z0-9_]{0,10}") {
        let options = Opts::new(name.clone(), "help");
        let Ok(family) = IntCounterVec::new(options, &[&label]) else { return Ok(()) };
        family.with_label_values(&["x"]).inc();
        let found = findings(&family.collect());
        let passes = name.starts_with("orchestrator_") && name.ends_with("_total");
        prop_assert!(passes || !found.is_empty());
        let prefix = format!("{name}: ");
        prop_assert!(found.iter().all(|finding| finding.starts_with(&prefix)));
    }
}
