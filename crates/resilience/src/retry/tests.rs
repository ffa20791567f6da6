use super::*;
use proptest::prelude::*;
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

#[test]
fn a_pause_that_just_fits_is_taken_and_one_that_ends_at_the_deadline_is_not() {
    let limited = Failure::new(Code::RateLimited, "").with_retry_after(Duration::from_secs(2));
    for (left_ms, expected) in [
        (1_999, Pause::Never),
        (2_000, Pause::Never),
        (2_001, Pause::For(Duration::from_secs(2))),
    ] {
        let mut attempts = attempts(3);
        attempts.begin();
        let left = Duration::from_millis(left_ms);
        assert_eq!(after(&mut attempts, &limited, left), expected, "with {left_ms} ms left");
    }
}

#[test]
fn a_deadline_that_has_passed_allows_nothing() {
    let mut attempts = attempts(20);
    attempts.begin();
    let now = Instant::now();
    let deadline = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
    let mut rng = StdRng::seed_from_u64(3);
    for _ in 0..100 {
        assert_eq!(attempts.after(&broken(), now, deadline, &mut rng), Pause::Never);
    }
}

#[test]
fn pauses_grow_with_each_retry_and_not_with_the_calls_of_other_requests() {
    let config = Config {
        retry_attempts: 6,
        retry_base_ms: 100,
        retry_max_ms: 1_000,
        ..Config::default()
    };
    // The longest of many draws comes close to the ceiling of its retry.
    let mut longest = [Duration::ZERO; 5];
    for seed in 0..400 {
        let (mut attempts, mut rng) = (Attempts::new(&config), StdRng::seed_from_u64(seed));
        let now = Instant::now();
        for longest in &mut longest {
            attempts.begin();
            if let Pause::For(pause) = attempts.after(&broken(), now, now + LONG, &mut rng) {
                *longest = pause.max(*longest);
            }
        }
    }
    for (longest, ceiling) in longest.iter().zip([100, 200, 400, 800, 1_000]) {
        let range = Duration::from_millis(ceiling * 9 / 10)..=Duration::from_millis(ceiling);
        assert!(range.contains(longest), "{longest:?} of {ceiling} ms");
    }
}

/// What a call of the simulated worker brings, and how long it takes.
#[derive(Clone, Debug)]
struct Call {
    takes_ms: u64,
    code: Code,
    asks_s: Option<u64>,
}

fn call() -> impl Strategy<Value = Call> {
    let code = prop_oneof![
        3 => Just(Code::UpstreamConnect),
        2 => Just(Code::RateLimited),
        1 => Just(Code::BreakerOpen),
        1 => prop::sample::select(Code::ALL.to_vec()),
    ];
    (0_u64..2_000, code, prop::option::of(0_u64..8)).prop_map(|(takes_ms, code, asks_s)| Call {
        takes_ms,
        code,
        asks_s,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A request against a worker that fails each time: it costs at most the allowed calls, sleeps only before a call that
    /// it may still make, never past its deadline, and only after what may be tried again.
    #[test]
    fn a_request_keeps_within_its_calls_and_its_deadline(
        calls in prop::collection::vec(call(), 1..30),
        (allowed, base, longest) in (1_u32..8, 1_u64..3_000, 1_u64..5_000),
        patience_ms in 0_u64..20_000,
        seed in any::<u64>(),
    ) {
        let config = Config { retry_attempts: allowed, retry_base_ms: base, retry_max_ms: longest, ..Config::default() };
        let (mut attempts, mut rng) = (Attempts::new(&config), StdRng::seed_from_u64(seed));
        let mut now = Instant::now();
        let deadline = now + Duration::from_millis(patience_ms);
        for (nth, call) in calls.iter().enumerate() {
            attempts.begin();
            now += Duration::from_millis(call.takes_ms);
            let failure = Failure::new(call.code, "");
            let failure = match call.asks_s {
                Some(asked) => failure.with_retry_after(Duration::from_secs(asked)),
                None => failure,
            };
            prop_assert_eq!(attempts.made() as usize, nth + 1);
            let Pause::For(pause) = attempts.after(&failure, now, deadline, &mut rng) else { break };
            prop_assert!(attempts.made() < allowed, "no sleep after the last call");
            prop_assert!(call.code.retry() == Retry::Now || call.code == Code::RateLimited);
            prop_assert!(pause <= Duration::from_millis(longest));
            prop_assert!(call.code != Code::RateLimited || failure.retry_after() == Some(pause), "just as long as asked");
            now += pause;
            prop_assert!(now < deadline, "time is left for the call");
        }
        prop_assert!(attempts.made() <= allowed);
    }
}
