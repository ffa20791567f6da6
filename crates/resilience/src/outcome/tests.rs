use super::*;
use expect_test::expect;

#[test]
fn each_code_says_one_thing_about_the_worker_and_none_that_it_serves() {
    let told = |what: Outcome| {
        let is = |code: &Code| Outcome::from(&Failure::new(*code, "")) == what;
        let codes = Code::ALL.into_iter().filter(is);
        codes.map(|code| format!("{}\n", code.as_str())).collect::<String>()
    };
    expect![[r#"
        upstream_credentials
        upstream_redirected
        upstream_connect
        upstream_error
        upstream_protocol
        upstream_truncated
        first_token_timeout
        idle_timeout
    "#]]
    .assert_eq(&told(Outcome::Failure));
    assert_eq!(
        told(Outcome::RateLimited),
        "rate_limit_exceeded\n",
        "a 429 is no success, and no failure"
    );
    expect![[r#"
        deadline_exceeded
        cancelled
    "#]]
    .assert_eq(&told(Outcome::GivenUp));
    assert_eq!(told(Outcome::Success), "");
}
