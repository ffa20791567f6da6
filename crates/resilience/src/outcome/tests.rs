use super::*;

#[test]
fn only_what_the_worker_did_wrong_counts_against_it() {
    let failures: Vec<&str> = Code::ALL
        .into_iter()
        .filter(|code| Outcome::from(&Failure::new(*code, "")) == Outcome::Failure)
        .map(Code::as_str)
        .collect();
    let expected = [
        "upstream_credentials",
        "upstream_redirected",
        "upstream_connect",
        "upstream_error",
        "upstream_protocol",
        "upstream_truncated",
        "first_token_timeout",
        "idle_timeout",
    ];
    assert_eq!(failures, expected);
}

#[test]
fn no_failure_is_a_success() {
    assert!(
        Code::ALL
            .into_iter()
            .all(|code| Outcome::from(&Failure::new(code, "")) != Outcome::Success)
    );
}
