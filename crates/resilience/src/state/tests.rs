use super::*;
use expect_test::expect;

#[test]
fn each_cause_has_a_name_and_leads_to_one_state() {
    let told = Cause::ALL.map(|cause| {
        let lenient = if cause.by_rate() { " (by a rate)" } else { "" };
        format!("{} -> {}{lenient}\n", cause.as_str(), cause.leads_to().as_str())
    });
    expect![[r#"
        failures_in_row -> open
        failure_rate -> open (by a rate)
        rate_limit_rate -> open (by a rate)
        latency -> open (by a rate)
        silent -> open
        forced -> open
        probe_failed -> open
        elapsed -> half_open
        early_probe -> half_open
        probes_served -> closed
        reset -> closed
    "#]]
    .assert_eq(&told.concat());
}

#[test]
fn a_gauge_shows_0_1_2() {
    assert_eq!(
        [State::Closed, State::HalfOpen, State::Open].map(State::as_gauge),
        [0, 1, 2]
    );
}
