use super::*;
use crate::fixtures::tell;
use proptest::prelude::*;

fn count(json: &str) -> Option<u64> {
    serde_json::from_str::<Count>(json).unwrap().0
}

fn words(json: &str) -> Result<Str<'_>, serde_json::Error> {
    serde_json::from_str(json)
}

#[test]
fn a_count_that_cannot_be_believed_counts_as_absent() {
    let table = [
        ("0", Some(0)),
        ("17", Some(17)),
        ("9007199254740992", Some(1 << 53)),
        ("9007199254740993", None),
        ("9223372036854775808", None),
        ("99999999999999999999999", None),
        ("-1", None),
        ("-0", None),
        ("1.5", None),
        ("1e3", None),
        ("1e400", None),
        ("\"7\"", None),
        ("null", None),
        ("[1]", None),
        ("{\"a\":1}", None),
    ];
    for (json, expected) in table {
        assert_eq!(count(json), expected, "{json}");
    }
}

#[test]
fn a_text_without_escapes_is_borrowed_and_one_with_escapes_is_not() {
    assert!(matches!(
        words("\"plain ü\"").unwrap().0,
        Some(Cow::Borrowed("plain ü"))
    ));
    assert!(matches!(words("\"a\\nb\"").unwrap().0, Some(Cow::Owned(text)) if text == "a\nb"));
}

#[test]
fn null_is_no_text_and_other_values_are_errors() {
    assert_eq!(words("null").unwrap(), Str(None));
    for json in ["1", "true", "[\"a\"]", "{}", "1.5", "-3"] {
        assert!(words(json).is_err(), "{json}");
    }
}

#[test]
fn an_empty_text_is_some_text_only_where_asked() {
    let empty = words("\"\"").unwrap();
    assert_eq!(empty.get(), "");
    assert_eq!(empty.some(), None);
    assert_eq!(words("\"x\"").unwrap().some().as_deref(), Some("x"));
}

#[test]
fn a_shared_text_points_into_the_whole() {
    let whole = Text::from("{\"a\":\"hello\"}");
    let part = &whole[6..11];
    let text = shared(&whole, Cow::Borrowed(part));
    assert_eq!(text, "hello");
    assert_eq!(text.as_ptr(), part.as_ptr());
}

#[test]
fn a_text_that_is_no_part_of_the_whole_is_copied() {
    let whole = Text::from("abc");
    let foreign = String::from("abc");
    let text = shared(&whole, Cow::Borrowed(&foreign));
    assert_eq!(text, "abc");
    assert_ne!(text.as_ptr(), foreign.as_ptr());
    assert_eq!(shared(&whole, Cow::Owned("x".to_owned())), "x");
}

#[test]
fn a_string_is_read_with_and_without_escapes() {
    let table = [
        ("\"\"", Some("")),
        ("\"a\"", Some("a")),
        ("\"\\\"\"", Some("\"")),
        ("\"\\u00fc\"", Some("ü")),
        ("\"\\ud83d\\ude00\"", Some("😀")),
        ("\"\\ud83d\"", None),
        ("\"\\ude00\\ud83d\"", None),
        ("7", None),
        ("\"", None),
        ("", None),
    ];
    for (json, expected) in table {
        assert_eq!(string(json).as_deref(), expected, "{json}");
    }
}

#[test]
fn an_error_text_repeats_words_and_numbers_but_no_content() {
    let table = [
        ("\"robot\"", "found the text \"robot\"."),
        ("\"gpt-4.1_x\"", "found the text \"gpt-4.1_x\"."),
        ("\"my secret plan\"", "found a text."),
        ("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "found a text."),
        ("\"\\ud83d\"", "found a text."),
        ("{\"a\":1}", "found an object."),
        ("[1]", "found an array."),
        ("null", "found null."),
        ("true", "found true."),
        ("-1", "found the number -1."),
        ("1e400", "found the number 1e400."),
        (
            "1111111111111111111111111111111111111111111",
            "found the number 1111111111111111111111111111111111111111....",
        ),
    ];
    for (json, expected) in table {
        let text = wrong("x", "y", json).public().to_owned();
        assert!(text.ends_with(expected), "{text}");
    }
}

#[test]
fn a_body_that_is_no_utf8_is_refused_with_its_place() {
    let failure = body_text(Bytes::from_static(b"{\n \"a\": \"\xff\"}")).unwrap_err();
    assert_eq!(
        tell(&failure),
        "invalid_request at -: The body is not valid UTF-8 at line 2 column 8."
    );
}

#[test]
fn depth_is_bounded_and_told_with_its_place() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(body_text(nested(MAX_DEPTH).into()).is_ok());
    let failure = body_text(nested(MAX_DEPTH + 1).into()).unwrap_err();
    assert_eq!(
        failure.public(),
        "The body is nested more than 128 levels deep at line 1 column 129."
    );
}

#[test]
fn brackets_in_strings_and_side_by_side_are_not_depth() {
    let quoted = format!("{{\"a\":\"{}\"}}", "[{".repeat(500));
    let escaped = format!("{{\"a\":\"\\\"{}\\\\\"}}", "[".repeat(500));
    let beside = format!("[{}0]", "[],".repeat(500));
    for body in [quoted, escaped, beside] {
        assert!(body_text(body.into()).is_ok());
    }
}

#[test]
fn a_million_levels_are_refused_without_a_deep_stack() {
    let body = "{\"a\":".to_owned() + &"[".repeat(1_000_000);
    assert!(body_text(body.into()).is_err());
}

#[test]
fn fields_are_read_in_order_with_their_places() {
    let text = " { \"a\" : 1 ,\"b\":[ 2 ], \"\\u0063\":\"x\" } ";
    let fields = Fields::read(text, "").unwrap();
    let places = fields.places(text);
    let read: Vec<_> = places.iter().map(|f| (&*f.name, &text[f.value.clone()])).collect();
    assert_eq!(read, [("a", "1"), ("b", "[ 2 ]"), ("c", "\"x\"")]);
    assert_eq!(fields.get("b").unwrap().get(), "[ 2 ]");
    assert!(fields.get("d").is_none());
}

#[test]
fn fields_that_stand_twice_or_are_too_many_are_refused() {
    let many: Vec<String> = (0..=MAX_FIELDS).map(|i| format!("\"f{i}\":{i}")).collect();
    for text in ["{\"a\":1,\"\\u0061\":2}".to_owned(), format!("{{{}}}", many.join(","))] {
        let failure = Fields::read(&text, "").unwrap_err();
        assert!(
            failure.public().contains("stands twice, or there are too many"),
            "{failure}"
        );
    }
}

#[test]
fn what_is_no_object_is_refused_with_its_path() {
    assert_eq!(
        tell(&Fields::read("[1]", "a.b").unwrap_err()),
        "invalid_request at a.b: `a.b` must be an object, found an array."
    );
    assert_eq!(
        tell(&Fields::read("{\"a\" 1}", "a.b").unwrap_err()),
        "invalid_request at a.b: `a.b` is not valid: expected `:`."
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_written_is_read_back(text in ".*", number in any::<u64>()) {
        let mut out = Vec::new();
        write_string(&mut out, &text);
        let json = String::from_utf8(out).unwrap();
        let read = string(&json);
        prop_assert_eq!(read.as_deref(), Some(&*text));
        let mut out = Vec::new();
        write_number(&mut out, number);
        prop_assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
    }

    /// The bound must hold for whatever the parser takes, and a text without strings is simple to count.
    #[test]
    fn depth_is_counted_as_brackets_open_and_close(brackets in "[\\[\\]{}]{0,400}") {
        let (mut depth, mut deepest) = (0_usize, 0);
        for byte in brackets.bytes() {
            depth = if b"[{".contains(&byte) { depth + 1 } else { depth.saturating_sub(1) };
            deepest = deepest.max(depth);
        }
        prop_assert_eq!(too_deep(&brackets).is_some(), deepest > MAX_DEPTH);
    }

    #[test]
    fn places_name_the_byte(before in "[a-z\n]{0,40}") {
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
        prop_assert_eq!(place(before.as_bytes(), before.len()), format!("line {line} column {column}"));
    }
}
