use super::*;
use crate::{chat::parse_request, fixtures::tell};
use expect_test::expect;
use proptest::prelude::*;

#[test]
fn a_body_that_is_no_object_is_told_where_it_breaks() {
    let table = [
        "",
        "   ",
        "[]",
        "\"a b\"",
        "hello",
        "null",
        "{\"a\":1}x",
        "{\"a\":1,}",
        "{a:1}",
        "{\n\"a\":01}",
        "{\"a\":\"\n\"}",
        "{\"\\ud800\":1}",
        "{\"messages\":[{\"role\":}]}",
        "{\"messages\":[{} {}]}",
        "{\"messages\":[{},]}",
        "{\"messages\":[,{}]}",
        "{\"messages\":[",
        "{\"messages\":[{\"role\"",
        "\u{feff}{}",
    ];
    let told: Vec<String> = table
        .into_iter()
        .map(|body| format!("{body:?} {}\n", tell(&Scan::read(body).unwrap_err())))
        .collect();
    expect![[r#"
        "" invalid_request at -: The body is not valid: EOF while parsing a value at line 1 column 0.
        "   " invalid_request at -: The body is not valid: EOF while parsing a value at line 1 column 3.
        "[]" invalid_request at -: The body must be a JSON object, found an array.
        "\"a b\"" invalid_request at -: The body must be a JSON object, found a text.
        "hello" invalid_request at -: The body must be a JSON object, found nothing that is JSON.
        "null" invalid_request at -: The body must be a JSON object, found null.
        "{\"a\":1}x" invalid_request at -: The body is not valid: trailing characters at line 1 column 8.
        "{\"a\":1,}" invalid_request at -: The body is not valid: trailing comma at line 1 column 8.
        "{a:1}" invalid_request at -: The body is not valid: key must be a string at line 1 column 2.
        "{\n\"a\":01}" invalid_request at -: The body is not valid: invalid number at line 2 column 6.
        "{\"a\":\"\n\"}" invalid_request at -: The body is not valid: control character (\u0000-\u001F) found while parsing a string at line 1 column 6.
        "{\"\\ud800\":1}" invalid_request at -: The body is not valid: unexpected end of hex escape at line 1 column 9.
        "{\"messages\":[{\"role\":}]}" invalid_request at -: The body is not valid: expected value at line 1 column 22.
        "{\"messages\":[{} {}]}" invalid_request at -: The body is not valid: expected `,` or `]` at line 1 column 17.
        "{\"messages\":[{},]}" invalid_request at -: The body is not valid: trailing comma at line 1 column 17.
        "{\"messages\":[,{}]}" invalid_request at -: The body is not valid: expected value at line 1 column 14.
        "{\"messages\":[" invalid_request at -: The body is not valid: EOF while parsing a list at line 1 column 13.
        "{\"messages\":[{\"role\"" invalid_request at -: The body is not valid: EOF while parsing an object at line 1 column 20.
        "\u{feff}{}" invalid_request at -: The body must be a JSON object, found nothing that is JSON.
    "#]].assert_eq(&told.concat());
}

#[test]
fn what_stands_where_is_found_without_a_second_pass() {
    let text = r#" {"a":[1],"messages":[ {"role" : "user","x":{"role":1},"content":null } , 7,{}],"b" :"}]"} "#;
    let scan = Scan::read(text).unwrap();
    let fields: Vec<(&str, &str)> = scan
        .fields
        .iter()
        .map(|(name, range)| (&**name, scan.value(range)))
        .collect();
    let messages = r#"[ {"role" : "user","x":{"role":1},"content":null } , 7,{}]"#;
    assert_eq!(fields, [("a", "[1]"), ("messages", messages), ("b", r#""}]""#)]);
    let read: Vec<_> = scan
        .messages
        .iter()
        .map(|message| (message.raw, message.role, message.content))
        .collect();
    let first = r#"{"role" : "user","x":{"role":1},"content":null }"#;
    assert_eq!(
        read,
        [(first, Some("\"user\""), None), ("7", None, None), ("{}", None, None)]
    );
}

#[test]
fn messages_that_are_no_array_are_a_value_like_others() {
    for value in ["7", "{\"a\":[{}]}", "\"[{\"", "null"] {
        let text = format!("{{\"messages\" : {value},\"z\":[]}}");
        let scan = Scan::read(&text).unwrap();
        assert_eq!(scan.value(&scan.fields[0].1), value);
        assert!(scan.messages.is_empty());
    }
}

/// White space of every kind, where JSON allows it.
fn space() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,2}"
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-0".to_owned()),
        Just("1.10".to_owned()),
        Just("1e400".to_owned()),
        "[a-z:,\\[\\]{}ü]{0,6}".prop_map(|text| format!("\"{text}\"")),
        Just(r#""\"\\\u0041""#.to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let pair = (space(), inner.clone()).prop_map(|(space, value)| format!("\"k{{[:\"{space}:{space}{value}"));
        prop_oneof![
            proptest::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
            pair.prop_map(|pair| format!("{{{pair}}}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The places must be those that a parser without our tricks would find.
    #[test]
    fn fields_and_messages_stand_where_a_plain_parser_finds_them(
        before in proptest::collection::vec(json(), 0..3),
        extras in proptest::collection::vec(json(), 1..4),
        gap in space(),
        after in proptest::collection::vec(json(), 0..3),
    ) {
        let message = |extra: &String| format!("{{{gap}\"x\"{gap}:{extra}{gap},\"role\":\"user\"{gap},{gap}\"content\":\"hi\",\"y\":{extra}{gap}}}");
        let messages: Vec<String> = extras.iter().map(message).collect();
        let mut fields: Vec<(String, String)> = before.iter().enumerate().map(|(i, v)| (format!("b{i}"), v.clone())).collect();
        fields.push(("messages".to_owned(), format!("[{gap}{}{gap}]", messages.join(&format!("{gap},{gap}")))));
        fields.extend(after.iter().enumerate().map(|(i, v)| (format!("a{i}"), v.clone())));
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{gap}\"{name}\"{gap}:{gap}{value}{gap}")).collect();
        let body = format!("{gap}{{{}}}{gap}", body.join(","));
        let parsed = parse_request(body.clone().into()).unwrap();
        prop_assert_eq!(parsed.original.fields.len(), fields.len());
        for (name, value) in &fields {
            prop_assert_eq!(parsed.original.field(name), Some(&**value));
        }
        let raw: Vec<&[u8]> = parsed.messages.iter().map(|message| &*message.raw).collect();
        let expected: Vec<&[u8]> = messages.iter().map(String::as_bytes).collect();
        prop_assert_eq!(raw, expected);
        prop_assert_eq!(parsed.original.patched(&[]), body);
    }
}
