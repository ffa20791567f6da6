use super::*;
use orchestrator_core::Env;

fn failure(code: Code) -> Failure {
    Failure::new(code, "It went wrong.")
}

#[test]
fn every_code_has_its_row_in_the_table() {
    let rows: Vec<String> = Code::ALL
        .into_iter()
        .map(|code| {
            let fault = Fault::of(&failure(code));
            format!(
                "{} {} {}",
                fault.status.as_u16(),
                fault.kind,
                fault.code.unwrap_or("null")
            )
        })
        .collect();
    let expected = [
        "400 invalid_request_error null",
        "400 invalid_request_error context_length_exceeded",
        "401 invalid_request_error invalid_api_key",
        "404 invalid_request_error model_not_found",
        "413 invalid_request_error request_too_large",
        "405 invalid_request_error method_not_allowed",
        "404 invalid_request_error not_found",
        "415 invalid_request_error unsupported_media_type",
        "408 invalid_request_error request_timeout",
        "409 invalid_request_error id_in_use",
        "404 invalid_request_error resume_not_possible",
        "503 service_unavailable_error slow_consumer",
        "503 service_unavailable_error server_is_overloaded",
        "503 service_unavailable_error server_draining",
        "503 service_unavailable_error server_is_overloaded",
        "429 rate_limit_error rate_limit_exceeded",
        "400 invalid_request_error upstream_rejected",
        "502 server_error upstream_error",
        "502 server_error upstream_error",
        "502 server_error upstream_error",
        "502 server_error upstream_error",
        "502 server_error upstream_error",
        "502 server_error upstream_error",
        "504 server_error first_token_timeout",
        "504 server_error idle_timeout",
        "503 service_unavailable_error retrieval_failed",
        "504 server_error deadline_exceeded",
        "499 invalid_request_error cancelled",
        "500 server_error internal_error",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_worker_that_refuses_the_request_keeps_its_status() {
    for status in [400, 404, 422] {
        assert_eq!(
            Fault::of(&failure(Code::UpstreamRejected).with_status(status))
                .status
                .as_u16(),
            status
        );
    }
}

#[test]
fn the_body_has_all_four_keys_and_names_the_request() {
    let id = Env::system().request_id();
    let failure = Failure::invalid("messages[0].role", "It went wrong.");
    let body: serde_json::Value = serde_json::from_slice(&Fault::of(&failure).json(&failure, id)).unwrap();
    let message = format!("It went wrong. (request id: {id})");
    let error = serde_json::json!({ "message": message, "type": "invalid_request_error", "param": "messages[0].role", "code": null });
    assert_eq!(body["error"], error);
}

#[test]
fn a_rate_limit_says_in_words_when_to_try_again() {
    let limited = failure(Code::RateLimited).with_retry_after(Duration::from_millis(1_500));
    let body = Fault::of(&limited).json(&limited, Env::system().request_id());
    assert!(String::from_utf8_lossy(&body).contains("try again in 1.5s"));
}

#[test]
fn pauses_lie_in_the_range_that_sdks_obey() {
    for (millis, seconds) in [(0, "1"), (1, "1"), (1_001, "2"), (60_000, "60"), (86_400_000, "60")] {
        let failure = failure(Code::Overloaded).with_retry_after(Duration::from_millis(millis));
        let headers = Fault::of(&failure).headers(&failure);
        let pause = headers.iter().find(|(name, _)| name == header::RETRY_AFTER).unwrap();
        assert_eq!(pause.1, seconds, "{millis} ms");
    }
}

#[test]
fn sdks_are_told_where_another_try_is_pointless() {
    let told = |code| {
        let failure = failure(code);
        let headers = Fault::of(&failure).headers(&failure);
        headers
            .iter()
            .find(|(name, _)| name == "x-should-retry")
            .map(|(_, value)| value.clone())
    };
    assert_eq!(told(Code::UpstreamError).unwrap(), "false", "we have tried already");
    assert_eq!(told(Code::Draining).unwrap(), "true");
    assert_eq!(told(Code::Overloaded), None);
}

#[test]
fn the_culprit_stands_in_a_header() {
    for (code, culprit) in [
        (Code::InvalidRequest, "client"),
        (Code::UpstreamError, "upstream"),
        (Code::Internal, "gateway"),
    ] {
        let failure = failure(code);
        let headers = Fault::of(&failure).headers(&failure);
        assert_eq!(headers[0].1, culprit);
        assert_eq!(source(Some(&failure)), culprit);
    }
    assert_eq!(source(None), "none");
}
