use super::*;
use http::HeaderValue;
use std::sync::Arc;

fn read(headers: &[(&'static str, &str)]) -> Result<Options, Failure> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let chaos: Chaos = Arc::new(|words| match words {
        "failure=1" => Ok(()),
        _ => Err(Failure::new(Code::InvalidRequest, "Only that.")),
    });
    Options::read(&map, &Config::default(), &chaos)
}

fn refused(name: &'static str, value: &str) -> Failure {
    let failure = read(&[(name, value)]).unwrap_err();
    assert_eq!((failure.code(), failure.param()), (Code::InvalidRequest, Some(name)));
    failure
}

#[test]
fn a_request_without_wishes_has_the_usual_ones() {
    let options = read(&[]).unwrap();
    let usual = Options {
        timeout: Duration::from_secs(600),
        ..Options::default()
    };
    assert_eq!(options, usual);
}

#[test]
fn every_wish_is_read() {
    let options = read(&[
        ("x-orchestrator-priority", "high"),
        ("x-orchestrator-timeout-ms", " 250 "),
        ("x-orchestrator-latency-budget-ms", "80"),
        ("x-orchestrator-session-id", "s1"),
        ("x-orchestrator-cache-control", "no-store"),
        ("x-orchestrator-dry-run", "false"),
    ]);
    let expected = Options {
        priority: Priority::High,
        timeout: Duration::from_millis(250),
        latency_budget: Some(Duration::from_millis(80)),
        session: Some("s1".into()),
        reuse: Reuse::Never,
        dry_run: false,
        chaos: None,
    };
    assert_eq!(options.unwrap(), expected);
}

#[test]
fn who_asks_for_faults_shares_no_answer() {
    let asked = |more: &[(&'static str, &str)]| read(&[&[("x-orchestrator-chaos", " failure=1 ")], more].concat());
    for more in [&[][..], &[("x-orchestrator-cache-control", "no-cache")]] {
        let options = asked(more).unwrap();
        assert_eq!(
            (options.chaos.as_deref(), options.reuse),
            (Some("failure=1"), Reuse::Never)
        );
    }
    assert!(
        refused("x-orchestrator-chaos", "failure=2")
            .public()
            .contains("Only that.")
    );
    let wrong = asked(&[("x-orchestrator-cache-control", "perhaps")]).unwrap_err();
    assert_eq!(wrong.param(), Some("x-orchestrator-cache-control"));
}

#[test]
fn a_timeout_only_lowers_the_servers() {
    let asked = |millis: &str| read(&[("x-orchestrator-timeout-ms", millis)]).unwrap().timeout;
    assert_eq!(asked("18446744073709551615"), Duration::from_secs(600));
    assert_eq!(asked("1"), Duration::from_millis(1));
}

#[test]
fn values_that_are_not_allowed_are_named_with_those_that_are() {
    for value in ["0", "-1", "1.5", "soon", "18446744073709551616"] {
        for (name, what) in [
            ("x-orchestrator-timeout-ms", "timeout"),
            ("x-orchestrator-latency-budget-ms", "latency budget"),
        ] {
            let expected = format!("`{value}` is no {what}: use whole milliseconds above 0.");
            assert_eq!(refused(name, value).public(), expected);
        }
    }
    assert!(
        refused("x-orchestrator-priority", "urgent")
            .public()
            .contains("high, normal or low")
    );
    assert!(
        refused("x-orchestrator-cache-control", "max-age=1")
            .public()
            .contains("no-store or no-cache")
    );
    refused("x-orchestrator-session-id", &"s".repeat(257));
    refused("x-orchestrator-session-id", "");
    refused("x-orchestrator-priority", "h\u{e4}h");
    refused("x-orchestrator-dry-run", "perhaps");
}

#[test]
fn a_callers_name_is_echoed_unless_it_is_too_long_or_cannot_be_shown() {
    let echoed = |name: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_bytes(name.as_bytes()).unwrap());
        caller_id(&headers)
    };
    let longest = "x".repeat(128);
    assert_eq!(echoed(" mine "), Some("mine".into()));
    assert_eq!(echoed(&longest), Some(longest.as_str().into()));
    for odd in [&"x".repeat(129), "", "m\u{fc}ll"] {
        assert_eq!(echoed(odd), None, "{odd}");
    }
    assert_eq!(caller_id(&HeaderMap::new()), None);
}

#[test]
fn bodies_are_json_unless_they_say_otherwise() {
    let declared = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
        expect_json(&headers).map_err(|failure| failure.code())
    };
    for good in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.api+json",
    ] {
        assert_eq!(declared(good), Ok(()), "{good}");
    }
    for bad in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ] {
        assert_eq!(declared(bad), Err(Code::UnsupportedMediaType), "{bad}");
    }
    assert!(expect_json(&HeaderMap::new()).is_ok());
}
