use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

const REQUEST_ID: &str = "req_018f3d5b7c6a70008000000000000001";

fn parse(text: &str) -> Result<Command, Refused> {
    Command::parse(&Bytes::from(text.to_owned()))
}

/// How a frame is refused: the id it is refused under, the field at fault and the words.
#[track_caller]
fn check(frame: &str, expected: Expect) {
    let refused = parse(frame).expect_err("it should be refused");
    assert_eq!(refused.failure.code(), orchestrator_core::Code::InvalidRequest);
    let id = refused.id.as_deref().unwrap_or("-");
    let param = refused.failure.param().unwrap_or("-");
    expected.assert_eq(&format!("{id} | {param} | {}", refused.failure.public()));
}

#[test]
fn a_submit_carries_the_bytes_of_its_request() {
    let frame = Bytes::from_static(
        br#" {"type":"submit","id":"c1","request": { "n": 1.10,  "messages":[] } ,"priority":"high","session":"s\u00e9"} "#,
    );
    let Command::Submit(submit) = Command::parse(&frame).unwrap() else {
        panic!()
    };
    let expected = Submit {
        id: "c1".into(),
        request: Bytes::from_static(br#"{ "n": 1.10,  "messages":[] }"#),
        priority: Some(Priority::High),
        session: Some("sé".into()),
    };
    assert_eq!(submit, expected);
    let within = frame.as_ptr_range();
    assert!(within.contains(&submit.request.as_ptr()), "the request was copied");
}

#[test]
fn what_is_optional_may_be_missing_or_null() {
    let bare = parse(r#"{"type":"submit","id":"c1","request":{}}"#).unwrap();
    let null =
        parse(r#"{"type":"submit","id":"c1","request":{},"priority":null,"session":null,"after":null}"#).unwrap();
    assert_eq!(bare, null);
    assert_eq!(&**bare.id(), "c1");
}

#[test]
fn a_cancel_names_its_request() {
    let id = Text::from_static("c1");
    assert_eq!(
        parse(r#"{"id":"c1","type":"cancel"}"#).unwrap(),
        Command::Cancel { id: id.clone() }
    );
    assert_eq!(parse(r#"{"id":"c1","type":"cancel"}"#).unwrap().id(), &id);
}

#[test]
fn a_resume_names_the_answer_and_the_place_in_it() {
    let resume = |after: &str| {
        parse(&format!(
            r#"{{"type":"resume","id":"c1","request_id":"{REQUEST_ID}"{after}}}"#
        ))
    };
    let expected = |after| {
        Command::Resume(Resume {
            id: "c1".into(),
            request_id: RequestId::parse(REQUEST_ID).unwrap(),
            after,
        })
    };
    assert_eq!(resume("").unwrap(), expected(None));
    assert_eq!(resume(r#","after":17"#).unwrap(), expected(Some(17)));
    assert_eq!(resume(r#","after":0"#).unwrap().id(), "c1");
}

#[test]
fn a_frame_that_is_no_object_is_refused() {
    check("", expect!["- | - | A frame must be a JSON object."]);
    check("[1]", expect!["- | - | A frame must be a JSON object."]);
    check("\"submit\"", expect!["- | - | A frame must be a JSON object."]);
    check("ping", expect!["- | - | A frame must be a JSON object."]);
}

#[test]
fn broken_json_is_refused_by_its_place() {
    check(
        r#"{"type":"submit","id":"c1","#,
        expect!["- | - | The frame is not valid JSON: it breaks at line 1, column 27."],
    );
    check(
        "{\"type\":\"cancel\",\n\"id\" \"c1\"}",
        expect!["- | - | The frame is not valid JSON: it breaks at line 2, column 6."],
    );
    check(
        r#"{"type":"cancel","id":"c1"} {}"#,
        expect!["- | - | The frame is not valid JSON: it breaks at line 1, column 29."],
    );
}

#[test]
fn fields_that_are_unknown_double_or_of_another_type_are_refused_under_the_id() {
    check(
        r#"{"type":"submit","id":"c1","request":{},"prioritty":"high"}"#,
        expect![
            "c1 | - | The frame cannot be read: unknown field `prioritty`, expected one of `type`, `id`, `request`, `priority`, `session`, `request_id`, `after` at line 1 column 51."
        ],
    );
    check(
        r#"{"type":"cancel","id":"c1","type":"submit"}"#,
        expect!["c1 | - | The frame cannot be read: duplicate field `type` at line 1 column 33."],
    );
    check(
        r#"{"type":"cancel","id":"c1","request":{}}"#,
        expect!["c1 | request | A `cancel` frame has no field `request`."],
    );
    check(
        r#"{"type":"cancel","id":"c1","after":1}"#,
        expect!["c1 | after | A `cancel` frame has no field `after`."],
    );
    check(
        r#"{"type":"submit","id":"c1","request":{},"after":1}"#,
        expect!["c1 | after | A `submit` frame has no field `after`."],
    );
    check(
        &format!(r#"{{"type":"resume","id":"c1","request_id":"{REQUEST_ID}","session":"s"}}"#),
        expect!["c1 | session | A `resume` frame has no field `session`."],
    );
}

#[test]
fn an_unknown_type_is_refused_with_those_that_are() {
    check(
        r#"{"type":"sumbit","id":"c1"}"#,
        expect!["c1 | type | `type` must be submit, cancel or resume, not `sumbit`."],
    );
    check(r#"{"id":"c1"}"#, expect!["c1 | type | The field `type` is missing."]);
    check(
        r#"{"type":7,"id":"c1"}"#,
        expect!["c1 | type | `type` must be a string."],
    );
}

#[test]
fn an_id_is_bounded_and_printable() {
    let limit = "é".repeat(MAX_ID);
    assert!(parse(&format!(r#"{{"type":"cancel","id":"{limit}"}}"#)).is_ok());
    check(
        &format!(r#"{{"type":"cancel","id":"{limit}x"}}"#),
        expect!["- | id | `id` must be 1 to 128 printable characters."],
    );
    check(
        r#"{"type":"cancel","id":""}"#,
        expect!["- | id | `id` must be 1 to 128 printable characters."],
    );
    check(
        r#"{"type":"cancel","id":"a\u0000b"}"#,
        expect!["- | id | `id` must be 1 to 128 printable characters."],
    );
    check(
        r#"{"type":"cancel","id":12}"#,
        expect!["- | id | `id` must be a string."],
    );
    check(r#"{"type":"cancel"}"#, expect!["- | id | The field `id` is missing."]);
    check(
        r#"{"type":"cancel","id":null}"#,
        expect!["- | id | The field `id` is missing."],
    );
    check(
        r#"{"type":"cancel","id":"\ud800"}"#,
        expect!["- | id | `id` must be a string."],
    );
}

#[test]
fn the_parts_of_a_submit_are_checked_each() {
    check(
        r#"{"type":"submit","id":"c1"}"#,
        expect!["c1 | request | The field `request` is missing."],
    );
    check(
        r#"{"type":"submit","id":"c1","request":"{}"}"#,
        expect!["c1 | request | `request` must be a JSON object."],
    );
    check(
        r#"{"type":"submit","id":"c1","request":[{}]}"#,
        expect!["c1 | request | `request` must be a JSON object."],
    );
    check(
        r#"{"type":"submit","id":"c1","request":{},"priority":"urgent"}"#,
        expect!["c1 | priority | `priority` must be high, normal or low, not `urgent`."],
    );
    check(
        r#"{"type":"submit","id":"c1","request":{},"priority":1}"#,
        expect!["c1 | priority | `priority` must be a string."],
    );
    check(
        r#"{"type":"submit","id":"c1","request":{},"session":""}"#,
        expect!["c1 | session | `session` must be 1 to 256 printable characters."],
    );
}

#[test]
fn the_parts_of_a_resume_are_checked_each() {
    let with = |rest: &str| format!(r#"{{"type":"resume","id":"c1",{rest}}}"#);
    check(
        &with(r#""after":1"#),
        expect!["c1 | request_id | The field `request_id` is missing."],
    );
    check(
        &with(r#""request_id":"c1""#),
        expect!["c1 | request_id | `request_id` must be `req_` and 32 hex digits, as `accepted` gave it."],
    );
    check(
        &with(r#""request_id":12"#),
        expect!["c1 | request_id | `request_id` must be a string."],
    );
    for after in ["-1", "1.5", "\"1\"", "99999999999999999999999"] {
        let frame = with(&format!(r#""request_id":"{REQUEST_ID}","after":{after}"#));
        let refused = parse(&frame).unwrap_err();
        assert_eq!(
            (refused.id.as_deref(), refused.failure.param()),
            (Some("c1"), Some("after"))
        );
    }
}

#[test]
fn a_refusal_repeats_only_a_little_of_what_came() {
    let long = "x".repeat(100_000);
    for frame in [
        format!(r#"{{"type":"{long}","id":"c1"}}"#),
        format!(r#"{{"{long}":1,"id":"c1"}}"#),
        format!(r#"{{"type":"submit","id":"c1","request":{{}},"priority":"{long}"}}"#),
    ] {
        let refused = parse(&frame).unwrap_err();
        assert!(refused.failure.public().len() < 250, "{}", refused.failure.public());
        assert_eq!(refused.id.as_deref(), Some("c1"));
    }
}

#[test]
fn deep_json_neither_overflows_nor_passes_as_something_else() {
    let deep = "[".repeat(200_000);
    assert!(parse(&format!(r#"{{"type":"submit","id":"c1","request":{deep}"#)).is_err());
    let closed = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let frame = format!(r#"{{"type":"submit","id":"c1","request":{{"a":{closed}}}}}"#);
    // The request itself is read by those who know its format; here it only has to be found.
    assert!(parse(&frame).is_ok_and(|command| &**command.id() == "c1"));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let frame = Bytes::from_static(b"{\"type\":\"cancel\",\"id\":\"\xff\"}");
    assert!(Command::parse(&frame).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Nothing that a client sends is more than refused.
    #[test]
    fn any_frame_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let refused = Command::parse(&bytes.into());
        prop_assert!(refused.is_err());
    }

    /// The same of frames that are nearly right.
    #[test]
    fn a_frame_with_one_wrong_byte_is_read_or_refused(at in 0..75_usize, byte in any::<u8>()) {
        let frame = r#"{"type":"submit","id":"c1","request":{"a":[1]},"priority":"low","session":"s"}"#;
        let mut bytes = frame.as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(command) = Command::parse(&bytes.into()) {
            prop_assert!(!command.id().is_empty());
        }
    }

    /// A client's id comes back as it was sent.
    #[test]
    fn an_id_survives(id in "[ -~é-ü]{1,128}") {
        let frame = serde_json::json!({ "type": "cancel", "id": id }).to_string();
        let command = parse(&frame).unwrap();
        prop_assert_eq!(&**command.id(), id.as_str());
    }
}
