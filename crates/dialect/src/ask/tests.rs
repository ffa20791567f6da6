use super::*;
use crate::{chat::parse_request, fixtures::tell};
use orchestrator_core::Role;

fn ask(body: &str) -> Result<String, Failure> {
    to_chat(Bytes::copy_from_slice(body.as_bytes())).map(|chat| String::from_utf8(chat.to_vec()).unwrap())
}

#[test]
fn a_prompt_becomes_the_only_message() {
    let chat = ask(r#"{"prompt":"Why \"so\"?\n"}"#).unwrap();
    assert_eq!(chat, r#"{"messages":[{"role":"user","content":"Why \"so\"?\n"}]}"#);
    let parsed = parse_request(chat.into()).unwrap();
    assert_eq!(parsed.messages[0].role, Role::User);
    assert_eq!(parsed.messages[0].text(), "Why \"so\"?\n");
}

#[test]
fn model_and_stream_are_kept_as_they_were_said() {
    assert_eq!(
        ask(r#"{"stream": true, "prompt":"a", "model":"m\u0031"}"#).unwrap(),
        r#"{"messages":[{"role":"user","content":"a"}],"stream":true,"model":"m\u0031"}"#
    );
}

#[test]
fn a_conversation_is_kept_as_it_was_said() {
    let body = r#"{"messages":[ {"role":"user","content":"a","x":1.10} ]}"#;
    assert_eq!(ask(body).unwrap(), body);
}

#[test]
fn what_is_wrong_is_named() {
    let table = [
        ("{}", "invalid_request at prompt: Give a `prompt`, or `messages`."),
        (
            r#"{"prompt":"a","messages":[]}"#,
            "invalid_request at prompt: Give a `prompt` or `messages`, not both.",
        ),
        (
            r#"{"prompt":7}"#,
            "invalid_request at prompt: `prompt` must be a text that is not empty, found the number 7.",
        ),
        (
            r#"{"prompt":""}"#,
            "invalid_request at prompt: `prompt` must be a text that is not empty, found the text \"\".",
        ),
        (
            r#"{"prompt":"a","temperature":1}"#,
            "invalid_request at temperature: `temperature` is not known here: use prompt or messages, model and stream.",
        ),
        (
            "[]",
            "invalid_request at -: The body must be an object, found an array.",
        ),
        (
            r#"{"prompt":"a","prompt":"b"}"#,
            "invalid_request at -: The body is not valid: a field stands twice, or there are too many at line 1 column 22.",
        ),
        (
            r#"{"prompt":"a""#,
            "invalid_request at -: The body is not valid: EOF while parsing an object at line 1 column 13.",
        ),
    ];
    for (body, expected) in table {
        assert_eq!(tell(&ask(body).unwrap_err()), expected, "{body}");
    }
}

#[test]
fn a_long_unknown_name_is_shown_by_its_beginning() {
    let failure = ask(&format!(r#"{{"prompt":"a","{}":1}}"#, "x".repeat(1000))).unwrap_err();
    assert_eq!(failure.param(), Some(&*format!("{}...", "x".repeat(40))));
}
