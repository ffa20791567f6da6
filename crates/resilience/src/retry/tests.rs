use super::*;
use rand::{SeedableRng, rngs::StdRng};

const LONG: Duration = Duration::from_secs(600);

fn attempts(allowed: u32) -> Attempts {
    Attempts::new(&Config {
        retry_attempts: allowed,
        ..Config::default()
    })
}

fn after(attempts: &mut Attempts, failure: &Failure, left: Duration) -> Pause {
    let now = Instant::now();
    attempts.after(failure, now, now + left, &mut StdRng::seed_from_u64(3))
}

fn broken() -> Failure {
    Failure::new(Code::UpstreamConnect, "refused")
}

#[test]
fn a_request_costs_as_many_calls_as_allowed_and_no_pause_follows_the_last() {
    let mut attempts = attempts(3);
    for call in 1..=3 {
        attempts.begin();
        assert_eq!(attempts.made(), call);
        let pause = after(&mut attempts, &broken(), LONG);
        assert_eq!(pause == Pause::Never, call == 3, "after call {call}: {pause:?}");
    }
}

#[test]
fn one_attempt_is_never_repeated() {
    let mut attempts = attempts(1);
    attempts.begin();
    assert_eq!(after(&mut attempts, &broken(), LONG), Pause::Never);
}

#[test]
fn what_fails_again_is_not_tried_again() {
    for code in Code::ALL.into_iter().filter(|code| code.retry() == Retry::Never) {
        let mut attempts = attempts(3);
        attempts.begin();
        assert_eq!(
            after(&mut attempts, &Failure::new(code, ""), LONG),
            Pause::Never,
            "{}",
            code.as_str()
        );
    }
}

#[test]
fn no_pause_reaches_past_the_deadline() {
    let mut attempts = Attempts::new(&Config {
        retry_base_ms: 60_000,
        retry_max_ms: 60_000,
        ..Config::default()
    });
    attempts.begin();
    assert_eq!(after(&mut attempts, &broken(), Duration::from_millis(1)), Pause::Never);
}

#[test]
fn a_rest_that_is_asked_for_is_waited_out_when_it_is_short() {
    let limited = |seconds| Failure::new(Code::RateLimited, "").with_retry_after(Duration::from_secs(seconds));
    let mut attempts = attempts(3);
    attempts.begin();
    assert_eq!(
        after(&mut attempts, &limited(2), LONG),
        Pause::For(Duration::from_secs(2))
    );
    assert_eq!(
        after(&mut attempts, &limited(6), LONG),
        Pause::Never,
        "longer than retry_max_ms"
    );
    assert_eq!(
        after(&mut attempts, &Failure::new(Code::RateLimited, ""), LONG),
        Pause::Never,
        "nobody says how long"
    );
}

#[test]
fn a_refusal_that_cost_no_call_leaves_all_tries() {
    let mut attempts = attempts(2);
    let open = Failure::new(Code::BreakerOpen, "").with_retry_after(Duration::from_secs(60));
    assert_eq!(after(&mut attempts, &open, LONG), Pause::Never);
    assert_eq!(attempts.made(), 0);
}
