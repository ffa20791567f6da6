//! What whoever runs the workers reads of the calls that failed, and what nobody reads.

use super::*;
use crate::fixtures::Logged;

/// What was logged: a line as level, worker, attempt, code, status, causes and message.
fn brief(lines: &[serde_json::Value]) -> String {
    let brief = lines.iter().map(|line| {
        let word = |name: &str| line[name].to_string().replace('"', "");
        assert!(word("request_id").starts_with("req_"), "{line}");
        let words = ["level", "worker", "attempt", "code", "status", "causes", "message"].map(word);
        format!("{}\n", words.join(" | ").replace("null", "-"))
    });
    brief.collect()
}

/// What is logged of a request to these workers, without its plans.
async fn log(script: impl Fn(&str, usize) -> Call + Send + Sync + 'static) -> String {
    let bench = Bench::new("a | b", script, |_| {});
    let logged = Logged::begin();
    bench.answer(&streamed()).await.ok();
    let mut lines = logged.lines();
    lines.retain(|line| line["message"] != "a plan");
    brief(&lines)
}

#[tokio::test(start_paused = true)]
async fn each_failed_call_is_logged_with_its_number_and_its_cause() {
    let cause = || std::io::Error::other("the cable is out");
    let log = log(move |name, _| match name {
        "a" => {
            Call::new().fail(Failure::new(Code::UpstreamConnect, "The worker cannot be reached.").with_source(cause()))
        }
        _ => Call::new().fail(Failure::new(Code::UpstreamError, "I am full of secrets").with_status(503)),
    });
    expect![[r#"
        WARN | a | 1 | upstream_connect | - | the cable is out | a call failed: The worker cannot be reached.
        WARN | b | 2 | upstream_error | 503 | - | a call failed: its words are not logged, since they may repeat content
        WARN | a | 3 | upstream_connect | - | the cable is out | a call failed: The worker cannot be reached.
    "#]]
    .assert_eq(&log.await);
}

#[tokio::test(start_paused = true)]
async fn what_a_client_did_wrong_is_no_warning() {
    let log = log(|_, _| Call::new().fail(Failure::new(Code::UpstreamRejected, "a secret").with_status(400)));
    expect![[r#"
        DEBUG | a | 1 | upstream_rejected | 400 | - | a call was refused
    "#]]
    .assert_eq(&log.await);
}

#[tokio::test(start_paused = true)]
async fn a_plan_tells_who_is_called_and_why() {
    let bench = Bench::new("a | b", told(&[("a", "fine"), ("b", "fine")]), |_| {});
    bench.members[0].guard().force_open(ms(9_000));
    let logged = Logged::begin();
    bench.answer(&streamed()).await.unwrap();
    let plans = logged.lines();
    let plan = plans[0]["plan"].to_string();
    assert_eq!(
        (plans.len(), &plans[0]["route"], &plans[0]["level"]),
        (1, &"r".into(), &"DEBUG".into())
    );
    assert!(
        plan.contains("PrimaryBreakerOpen") && plan.contains("BreakerOpen"),
        "{plan}"
    );
}

#[tokio::test(start_paused = true)]
async fn each_change_of_a_breaker_is_told_with_its_cause() {
    let bench = Bench::new("a", told(&[("a", "bad bad fine")]), |setup| {
        setup.config.circuit_breaker_threshold = 2;
        setup.config.close_after = 1;
    });
    let logged = Logged::begin();
    bench.answer(&streamed()).await.ok();
    tokio::time::advance(ms(70_000)).await;
    bench.answer(&streamed()).await.unwrap();
    let mut lines = logged.lines();
    lines.retain(|line| {
        line["message"]
            .as_str()
            .is_some_and(|words| words.starts_with("a breaker"))
    });
    let brief = lines.iter().map(|line| {
        let words = ["level", "worker", "from", "cause", "message"].map(|name| line[name].as_str().unwrap());
        format!("{}\n", words.join(" | "))
    });
    expect![[r#"
        WARN | a | closed | failures_in_row | a breaker is open
        INFO | a | open | elapsed | a breaker has changed
        INFO | a | half_open | probes_served | a breaker has changed
    "#]]
    .assert_eq(&brief.collect::<String>());
}
