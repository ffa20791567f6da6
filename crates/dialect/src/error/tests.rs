use super::*;
use crate::fixtures::tell;
use proptest::prelude::*;

#[test]
fn the_message_is_found_in_the_body_of_every_protocol() {
    let table = [
        // OpenAI, vLLM, llama.cpp
        (
            r#"{"error":{"message":"bad model","type":"invalid_request_error","param":null,"code":null}}"#,
            "bad model",
        ),
        (
            r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
            "Loading model",
        ),
        (
            r#"{"object":"error","message":"too long","type":"BadRequestError","code":400}"#,
            "too long",
        ),
        // Anthropic
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}"#,
            "Overloaded",
        ),
        // Ollama
        (r#"{"error":"model 'x' not found"}"#, "model 'x' not found"),
        // Frameworks in front of them
        (r#"{"detail":"Not Found"}"#, "Not Found"),
        (r#"{"message":"no Route matched"}"#, "no Route matched"),
        (r#""just a text""#, "just a text"),
        (r#"{"error":{"message":"tab\tand\nline"}}"#, "tabandline"),
    ];
    for (body, expected) in table {
        assert_eq!(read(body.as_bytes()).as_deref(), Some(expected), "{body}");
    }
}

#[test]
fn a_body_without_a_message_has_none() {
    for body in [
        "",
        "<html>502</html>",
        "{}",
        "[]",
        "7",
        r#"{"error":null}"#,
        r#"{"error":{}}"#,
        r#"{"error":{"message":17}}"#,
        r#"{"error":{"message":""}}"#,
        r#"{"detail":[{"msg":"x"}]}"#,
        r#"{"error":"#,
    ] {
        assert_eq!(read(body.as_bytes()), None, "{body}");
    }
    assert_eq!(read(b"{\"error\":\"\xff\"}"), None);
}

#[test]
fn a_long_message_is_cut_at_a_character() {
    let body = format!(r#"{{"error":"{}"}}"#, "ü".repeat(10_000));
    assert_eq!(read(body.as_bytes()), Some("ü".repeat(500)));
}

#[test]
fn the_kind_of_an_error_tells_whose_fault_it_was() {
    let table = [
        (r#"{"type":"rate_limit_error","message":"slow"}"#, "rate_limit_exceeded"),
        (r#"{"code":429,"message":"slow"}"#, "rate_limit_exceeded"),
        (
            r#"{"code":"rate_limit_exceeded","message":"slow"}"#,
            "rate_limit_exceeded",
        ),
        (
            r#"{"code":"context_length_exceeded","type":"invalid_request_error","message":"long"}"#,
            "context_length_exceeded",
        ),
        (
            r#"{"type":"invalid_request_error","message":"bad"}"#,
            "upstream_rejected",
        ),
        (r#"{"code":400,"message":"bad"}"#, "upstream_rejected"),
        (
            r#"{"type":"authentication_error","message":"key sk-1"}"#,
            "upstream_credentials",
        ),
        (r#"{"code":"401","message":"key sk-1"}"#, "upstream_credentials"),
        (r#"{"type":"overloaded_error","message":"busy"}"#, "upstream_error"),
        (r#"{"type":"api_error","code":500,"message":"oops"}"#, "upstream_error"),
        (r#"{"message":"oops"}"#, "upstream_error"),
        (r#""oops""#, "upstream_error"),
        (
            r#"{"error":{"type":"rate_limit_error","message":"slow"}}"#,
            "rate_limit_exceeded",
        ),
    ];
    for (error, expected) in table {
        assert_eq!(failure(error).code().as_str(), expected, "{error}");
    }
}

#[test]
fn an_errors_text_is_passed_on_but_not_of_refused_credentials() {
    assert_eq!(
        tell(&failure(r#"{"message":"CUDA out of memory"}"#)),
        "upstream_error at -: The worker reports an error: CUDA out of memory"
    );
    assert_eq!(
        tell(&failure(r#"{"code":401,"message":"Incorrect key: sk-123"}"#)),
        "upstream_credentials at -: The worker refused the server's credentials."
    );
    assert_eq!(
        tell(&failure("17")),
        "upstream_error at -: The worker reports an error without a text."
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_body_is_read_to_some_short_text_or_none(body in proptest::collection::vec(any::<u8>(), 0..200), text in ".*") {
        let _ = read(&body);
        let wrapped = serde_json::json!({ "error": { "message": text } }).to_string();
        let read = read(wrapped.as_bytes()).unwrap_or_default();
        prop_assert!(read.chars().count() <= MAX_TEXT);
        prop_assert!(!read.chars().any(char::is_control));
        let _ = failure(&text);
    }
}
