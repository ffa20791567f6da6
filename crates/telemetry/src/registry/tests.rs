use super::*;
use expect_test::expect;
use prometheus::{
    IntCounter, IntCounterVec,
    core::{Collector, Desc},
};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn registry() -> Registry {
    Registry::new("1.2.3", Duration::from_millis(1_700_000_000_500)).unwrap()
}

fn shown(registry: &Registry) -> String {
    let (content_type, text) = registry.exposition();
    assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
    String::from_utf8(text).unwrap()
}

#[test]
fn a_new_registry_shows_what_runs_and_since_when() {
    expect![[r##"
        # HELP orchestrator_build_info The version that runs; always 1
        # TYPE orchestrator_build_info gauge
        orchestrator_build_info{version="1.2.3"} 1
        # HELP orchestrator_start_timestamp_seconds When the process started, in seconds since 1970
        # TYPE orchestrator_start_timestamp_seconds gauge
        orchestrator_start_timestamp_seconds 1700000000.5
    "##]]
    .assert_eq(&shown(&registry()));
}

#[test]
fn its_own_metrics_keep_the_naming_rules() {
    assert_eq!(crate::naming::findings(&registry().families()), Vec::<String>::new());
}

#[test]
fn clones_show_the_same() {
    let registry = registry();
    let counter = IntCounter::new("orchestrator_x_total", "x").unwrap();
    registry.clone().metrics().register(Box::new(counter.clone())).unwrap();
    counter.inc();
    assert!(shown(&registry).ends_with("\norchestrator_x_total 1\n"));
}

#[test]
fn a_name_that_is_taken_is_an_error() {
    let registry = registry();
    let again = Gauge::new("orchestrator_start_timestamp_seconds", "again").unwrap();
    let error = Error::from(registry.metrics().register(Box::new(again)).unwrap_err());
    expect!["a metric cannot be registered: Duplicate metrics collector registration attempted"]
        .assert_eq(&error.to_string());
}

/// Hands out a family that cannot be written: it has no name.
struct Faulty(IntCounter);

impl Collector for Faulty {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        families.iter_mut().for_each(|family| family.set_name(String::new()));
        families
    }
}

#[test]
fn a_faulty_family_hides_no_other() {
    let registry = registry();
    let before = shown(&registry);
    let counter = IntCounter::new("orchestrator_faulty_total", "x").unwrap();
    registry.metrics().register(Box::new(Faulty(counter))).unwrap();
    assert_eq!(shown(&registry), before);
}

/// One sample of the text format: its name, its label's value and its number.
type Sample = (String, String, u64);

/// Reads samples as Prometheus does, for families with the one label `l`.
fn read(text: &str) -> Vec<Sample> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.filter_map(|line| {
        let (name, rest) = line.split_once("{l=\"")?;
        let (value, number) = rest.rsplit_once("\"} ")?;
        Some((name.to_owned(), unescaped(value), number.parse().ok()?))
    });
    samples.collect()
}

fn unescaped(value: &str) -> String {
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some(escaped) => out.push(escaped),
                None => panic!("a lone backslash"),
            },
            '"' => panic!("a quote inside a value"),
            c => out.push(c),
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever names workers and models have, a scraper reads back the samples that were counted.
    #[test]
    fn a_scraper_reads_what_was_counted(
        counts in prop::collection::btree_map(("[a-z]{1,6}", "[ -~\n\\\\\"é{}]{0,8}"), 1..1_000_000_u64, 0..10),
    ) {
        let registry = registry();
        let names: BTreeSet<&String> = counts.keys().map(|(name, _)| name).collect();
        for family in names {
            let options = Opts::new(format!("orchestrator_{family}_total"), "one\nline \\");
            let counter = IntCounterVec::new(options, &["l"]).unwrap();
            for ((_, label), count) in counts.iter().filter(|((name, _), _)| name == family) {
                counter.with_label_values(&[label]).inc_by(*count);
            }
            registry.metrics().register(Box::new(counter)).unwrap();
        }
        let expected: BTreeSet<Sample> = counts
            .iter()
            .map(|((name, label), count)| (format!("orchestrator_{name}_total"), label.clone(), *count))
            .collect();
        let text = shown(&registry);
        prop_assert_eq!(BTreeSet::from_iter(read(&text)), expected);
        prop_assert!(text.ends_with('\n') && text.lines().all(|line| !line.trim().is_empty()));
    }
}
