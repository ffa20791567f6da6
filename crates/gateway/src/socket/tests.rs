use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn tokens_are_found_in_lists_whatever_their_case() {
    let list = headers(&[("connection", "keep-alive, Upgrade")]);
    assert!(has_token(&list, header::CONNECTION, "upgrade"));
    assert!(!has_token(&list, header::CONNECTION, "up"));
    assert!(!has_token(&list, header::UPGRADE, "websocket"));
}
