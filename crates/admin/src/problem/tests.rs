use super::*;
use crate::fixtures::shown;
use expect_test::expect;

#[test]
fn a_problem_has_the_members_of_rfc_9457() {
    let teapot = Problem::new(StatusCode::IM_A_TEAPOT, "short and \"stout\"\n");
    expect![[r#"
        418 I'm a teapot
        {
          "type": "about:blank",
          "title": "I'm a teapot",
          "status": 418,
          "detail": "short and \"stout\"\n"
        }"#]]
    .assert_eq(&shown(&teapot.reply()));
}

#[test]
fn only_a_method_that_is_not_allowed_is_told_which_are() {
    let refused = Problem::not_allowed("GET, HEAD").reply();
    assert_eq!(
        (refused.status(), &refused.headers()[header::ALLOW]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET, HEAD".parse().unwrap())
    );
    let unknown = Problem::not_found("Nothing.", None).reply();
    assert_eq!(
        (unknown.status(), unknown.headers().get(header::ALLOW)),
        (StatusCode::NOT_FOUND, None)
    );
}

#[test]
fn a_status_without_a_name_is_an_error() {
    let odd = Problem::new(StatusCode::from_u16(499).unwrap(), "gone").reply();
    let body: serde_json::Value = serde_json::from_slice(odd.body()).unwrap();
    assert_eq!((&body["title"], &body["status"]), (&"Error".into(), &499.into()));
}

#[test]
fn what_is_wrong_is_told_one_by_one_with_what_is_known_of_it() {
    let fault = |allowed: Option<&str>| Fault {
        path: "routes.r.hard_limit".to_owned(),
        message: "0 is too small".to_owned(),
        allowed: allowed.map(str::to_owned),
        help: None,
    };
    let refused = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no");
    let refused = refused.with_errors(vec![fault(Some("an integer")), fault(None)]);
    expect![[r#"
        422 Unprocessable Entity
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "no",
          "errors": [
            {
              "path": "routes.r.hard_limit",
              "message": "0 is too small",
              "allowed": "an integer"
            },
            {
              "path": "routes.r.hard_limit",
              "message": "0 is too small"
            }
          ]
        }"#]]
    .assert_eq(&shown(&refused.reply()));
}
