use super::*;

const HOST: HeaderValue = HeaderValue::from_static("here:8080");

fn from(origin: &'static str, allowed: &[&str]) -> Result<Option<HeaderValue>, Failure> {
    let origin = (header::ORIGIN, HeaderValue::from_static(origin));
    let headers = HeaderMap::from_iter([(header::HOST, HOST), origin]);
    let allowed: Vec<String> = allowed.iter().map(|origin| (*origin).to_owned()).collect();
    page(&headers, &allowed)
}

#[test]
fn programs_and_pages_of_our_own_host_may_connect() {
    assert_eq!(page(&HeaderMap::new(), &[]), Ok(None));
    for own in ["http://here:8080", "https://here:8080"] {
        assert_eq!(from(own, &[]), Ok(Some(HeaderValue::from_static(own))));
    }
}

#[test]
fn pages_of_other_hosts_may_not_unless_they_are_listed() {
    let listed = "https://chat.example";
    assert!(from(listed, &[listed]).is_ok());
    for foreign in [
        "https://chat.example",
        "http://here",
        "http://here:80800",
        "http://user@here:8080",
        "here:8080",
        "null",
        "",
    ] {
        let allowed = ["https://chat.example.org", "https://other.example"];
        let failure = from(foreign, &allowed).unwrap_err();
        assert_eq!(
            (failure.status(), failure.param()),
            (Some(403), Some("origin")),
            "{foreign}"
        );
    }
}

#[test]
fn an_origin_in_bytes_that_nobody_can_list_may_not_connect() {
    let odd = HeaderValue::from_bytes(b"http://h\xe9re").unwrap();
    assert!(page(&HeaderMap::from_iter([(header::ORIGIN, odd)]), &[]).is_err());
}

#[test]
fn a_page_without_a_host_to_compare_with_is_foreign() {
    let origin = HeaderValue::from_static("http://here:8080");
    assert!(page(&HeaderMap::from_iter([(header::ORIGIN, origin)]), &[]).is_err());
}

#[test]
fn only_an_options_request_that_names_a_method_is_a_preflight() {
    let request = |method: Method, names: bool| {
        let builder = Request::builder().method(method);
        let wanted = header::ACCESS_CONTROL_REQUEST_METHOD;
        let builder = if names { builder.header(wanted, "POST") } else { builder };
        is_preflight(&builder.body(()).unwrap())
    };
    assert!(request(Method::OPTIONS, true));
    assert!(!request(Method::OPTIONS, false));
    assert!(!request(Method::POST, true));
}
