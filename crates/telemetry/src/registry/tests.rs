use super::*;
use expect_test::expect;
use prometheus::{
    IntCounter,
    core::{Collector, Desc},
};

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
