use super::*;
use expect_test::expect;
use std::error::Error as _;

#[test]
fn each_error_says_what_to_change_and_keeps_its_cause() {
    let level = Error::Level {
        found: "loud".to_owned(),
        reason: "`loud` is no level".to_owned(),
    };
    let thread = Error::Thread(io::Error::other("no threads left"));
    let metric = Error::Metric(prometheus::Error::AlreadyReg);
    expect![[r#"
        telemetry.level: `loud` is neither error, warn, info, debug, trace or off nor a list like `info,orchestrator_dedup=debug`: `loud` is no level
        the thread that writes the log cannot be started: no threads left
        a metric cannot be registered: Duplicate metrics collector registration attempted
        logs were started before in this process"#]]
    .assert_eq(&[&level, &thread, &metric, &Error::AlreadyStarted].map(ToString::to_string).join("\n"));
    assert!(thread.source().is_some() && metric.source().is_some() && level.source().is_none());
}
