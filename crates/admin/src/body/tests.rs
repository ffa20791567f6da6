use super::*;
use crate::fixtures::words;
use expect_test::expect;

fn held(body: &str) -> Result<Duration, Problem> {
    hold(&Bytes::copy_from_slice(body.as_bytes()))
}

#[test]
fn a_whole_number_of_seconds_up_to_a_day_is_taken() {
    for (body, seconds) in [
        (r#"{"for_s":1}"#, 1),
        (r#" {"for_s" : 60} "#, 60),
        (r#"{"for_s":86400}"#, 86_400),
    ] {
        assert_eq!(held(body).unwrap(), Duration::from_secs(seconds), "{body}");
    }
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    let long = format!(r#"{{"for_s":"{}"}}"#, "x".repeat(500));
    let cases = [
        "",
        "{}",
        r#"{"for_s":0}"#,
        r#"{"for_s":86401}"#,
        r#"{"for_s":-1}"#,
        r#"{"for_s":1.5}"#,
        r#"{"for_s":"60"}"#,
        r#"{"for_s":null}"#,
        r#"{"for_s":[1]}"#,
        r#"{"for_s":99999999999999999999}"#,
        r#"{"fors":60}"#,
        r#"{"for_s":60,"worker":"fast"}"#,
        r#"{"for_s":0,"a":1,"b":2}"#,
        "[60]",
        "60",
        "null",
        r#"{"for_s":60"#,
        "for_s=60",
        &long,
    ];
    let told: String = cases
        .iter()
        .map(|body| format!("{body:.40}\n  {}\n", words(held(body))))
        .collect();
    expect![[r#"

          422 `for_s` is missing; it takes whole seconds from 1 to 86400.
        {}
          422 `for_s` is missing; it takes whole seconds from 1 to 86400.
        {"for_s":0}
          422 `for_s` is 0; it takes whole seconds from 1 to 86400.
        {"for_s":86401}
          422 `for_s` is 86401; it takes whole seconds from 1 to 86400.
        {"for_s":-1}
          422 `for_s` is -1; it takes whole seconds from 1 to 86400.
        {"for_s":1.5}
          422 `for_s` is 1.5; it takes whole seconds from 1 to 86400.
        {"for_s":"60"}
          422 `for_s` is "60"; it takes whole seconds from 1 to 86400.
        {"for_s":null}
          422 `for_s` is null; it takes whole seconds from 1 to 86400.
        {"for_s":[1]}
          422 `for_s` is [1]; it takes whole seconds from 1 to 86400.
        {"for_s":99999999999999999999}
          422 `for_s` is 1e+20; it takes whole seconds from 1 to 86400.
        {"fors":60}
          422 `fors` is unknown; did you mean `for_s`? `for_s` is missing; it takes whole seconds from 1 to 86400.
        {"for_s":60,"worker":"fast"}
          422 `worker` is unknown.
        {"for_s":0,"a":1,"b":2}
          422 `a` is unknown. `b` is unknown. `for_s` is 0; it takes whole seconds from 1 to 86400.
        [60]
          400 The body is not a JSON object.
        60
          400 The body is not a JSON object.
        null
          400 The body is not a JSON object.
        {"for_s":60
          400 The body is not JSON: EOF while parsing an object at line 1 column 11.
        for_s=60
          400 The body is not JSON: expected ident at line 1 column 2.
        {"for_s":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
          422 `for_s` is "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; it takes whole seconds from 1 to 86400.
    "#]]
    .assert_eq(&told);
}

#[test]
fn of_many_unknown_fields_ten_are_named() {
    let many: Vec<String> = (0..50).map(|number| format!(r#""{number:020}":1"#)).collect();
    let body = Bytes::from(format!("{{{}}}", many.join(",")));
    let told = words(nothing(&body));
    assert_eq!(told.matches("is unknown").count(), 10, "{told}");
}

#[test]
fn nothing_is_an_empty_body_or_one_without_fields() {
    for body in ["", " \r\n", "{}", " { } "] {
        assert!(nothing(&Bytes::from(body)).is_ok(), "{body:?}");
    }
    let refused = nothing(&Bytes::from_static(br#"{"for_s":5}"#));
    assert_eq!(words(refused), "422 `for_s` is unknown.");
}

#[test]
fn a_body_that_nests_without_end_is_refused() {
    let deep = Bytes::from("[".repeat(64 << 10));
    assert!(words(nothing(&deep)).starts_with("400 The body is not JSON: recursion limit"));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let refused = nothing(&Bytes::from_static(b"{\"\xff\":1}"));
    assert!(words(refused).starts_with("400 The body is not JSON"));
}
