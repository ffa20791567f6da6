use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn programs_and_pages_of_our_own_host_may_connect() {
    assert!(may_connect(&headers(&[]), &[]));
    assert!(may_connect(
        &headers(&[("origin", "http://here:8080"), ("host", "here:8080")]),
        &[]
    ));
}

#[test]
fn pages_of_other_hosts_may_not_unless_they_are_listed() {
    let foreign = headers(&[("origin", "https://evil.example"), ("host", "here:8080")]);
    assert!(!may_connect(&foreign, &[]));
    assert!(!may_connect(&foreign, &["https://evil.example.org".to_owned()]));
    assert!(may_connect(&foreign, &["https://evil.example".to_owned()]));
    assert!(!may_connect(
        &headers(&[("origin", "null"), ("host", "here:8080")]),
        &[]
    ));
}

#[test]
fn tokens_are_found_in_lists_whatever_their_case() {
    let list = headers(&[("connection", "keep-alive, Upgrade")]);
    assert!(has_token(&list, header::CONNECTION, "upgrade"));
    assert!(!has_token(&list, header::CONNECTION, "up"));
    assert!(!has_token(&list, header::UPGRADE, "websocket"));
}
