//! Impatient clients do not hide a hung worker; and a worker that answers, whatever it says, is not hung.

use super::*;

/// As many calls in a row open a breaker if nobody heard of the worker.
const SILENT_CALLS: u32 = 20;

/// Ends a call before its first token in one of the ways in which nobody hears of the worker.
fn end_in_silence(guard: &Guard, way: usize) {
    let mut permit = guard.try_admit(Pass::Usual).unwrap();
    match way % 3 {
        0 => drop(permit),
        1 => drop(permit.failed(Failure::new(Code::Cancelled, "the client left"))),
        _ => drop(permit.failed(Failure::new(Code::DeadlineExceeded, "the deadline passed"))),
    }
}

fn answer_with(guard: &Guard, code: Code) {
    let failure = Failure::new(code, "").with_retry_after(Duration::ZERO);
    guard.try_admit(Pass::Usual).unwrap().failed(failure);
}

#[tokio::test(start_paused = true)]
async fn impatient_clients_do_not_hide_a_hung_worker() {
    let (guard, _) = guard(quick(), 4);
    for call in 0..SILENT_CALLS as usize {
        assert_eq!(guard.state(), State::Closed, "after {call} calls");
        end_in_silence(&guard, call);
    }
    assert_eq!(guard.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn one_first_token_ends_the_row_of_silent_calls() {
    let (guard, _) = guard(quick(), 4);
    for call in 0..100 {
        match call % 10 {
            0 => guard.try_admit(Pass::Usual).unwrap().first_token(),
            _ => end_in_silence(&guard, call),
        }
    }
    assert_eq!(guard.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn clients_whose_requests_are_refused_shut_nobody_else_out() {
    let (guard, _) = guard(quick(), 4);
    let refusals = [
        Code::UpstreamRejected,
        Code::InvalidRequest,
        Code::ContextLengthExceeded,
        Code::RateLimited,
    ];
    for code in refusals.iter().cycle().take(1_000) {
        answer_with(&guard, *code);
    }
    assert_eq!(guard.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_among_silent_calls_neither_counts_nor_ends_the_row() {
    let (guard, _) = guard(quick(), 4);
    for call in 1..SILENT_CALLS as usize {
        end_in_silence(&guard, call);
        answer_with(&guard, Code::UpstreamRejected);
    }
    assert_eq!(guard.state(), State::Closed);
    end_in_silence(&guard, 0);
    assert_eq!(guard.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn each_change_of_the_breaker_begins_the_row_anew() {
    let (guard, _) = guard(quick(), 4);
    for call in 1..SILENT_CALLS as usize {
        end_in_silence(&guard, call);
    }
    fail(&guard);
    assert_eq!(guard.state(), State::Open, "the last of the row was a failure");
    tokio::time::advance(Duration::from_secs(12)).await;
    for call in 1..SILENT_CALLS as usize {
        end_in_silence(&guard, call);
        assert_eq!(
            guard.state(),
            State::HalfOpen,
            "after {call} probes that nobody waited for"
        );
    }
    end_in_silence(&guard, 0);
    assert_eq!(
        guard.state(),
        State::Open,
        "a worker that is still hung is left alone again"
    );
}

#[tokio::test(start_paused = true)]
async fn calls_from_before_a_change_are_no_part_of_the_row() {
    let (guard, _) = guard(quick(), 100);
    let mut old = Vec::new();
    for _ in 0..50 {
        old.push(guard.try_admit(Pass::Usual).unwrap());
    }
    fail(&guard);
    fail(&guard);
    tokio::time::advance(Duration::from_secs(12)).await;
    let mut probe = guard.try_admit(Pass::Usual).unwrap();
    drop(old);
    probe.first_token();
    end_in_silence(&guard, 0);
    assert_eq!(guard.state(), State::HalfOpen);
    guard.try_admit(Pass::Usual).unwrap().first_token();
    assert_eq!(guard.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_is_switched_off_stays_closed() {
    let (guard, _) = guard(
        Config {
            circuit_breaker_threshold: 0,
            ..quick()
        },
        4,
    );
    for call in 0..100 {
        end_in_silence(&guard, call);
        fail(&guard);
    }
    assert_eq!(guard.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_before_their_first_token_are_silent_whatever_the_threshold() {
    let config = Config {
        circuit_breaker_threshold: 1_000,
        ..quick()
    };
    let (guard, _) = guard(config, 1);
    for _ in 0..20 {
        assert_eq!(guard.state(), State::Closed);
        fail(&guard);
    }
    assert_eq!(guard.view(Instant::now()).cause, Some(Cause::Silent));
}
