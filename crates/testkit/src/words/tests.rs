use super::*;

#[test]
fn a_request_from_a_line_of_text_has_matching_view_and_original() {
    let request = request("say \"hi\"\n");
    assert_eq!(request.messages.len(), 1);
    assert_eq!(request.messages[0].role, Role::User);
    assert_eq!(&*request.messages[0].text(), "say \"hi\"\n");
    assert_eq!(request.original.field("model"), Some(r#""test""#));
    let messages = request.original.field("messages").unwrap();
    assert!(messages.contains(std::str::from_utf8(&request.messages[0].raw).unwrap()));
}

#[test]
fn a_body_keeps_its_fields_in_place() {
    let body = r#"{ "messages": [{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}],
        "top_k": 1.10, "stream": true, "max_tokens": 7 }"#;
    let request = chat(body);
    assert_eq!(&*request.messages[0].text(), "a\nb");
    assert_eq!(request.messages[0].role, Role::System);
    assert_eq!(request.original.field("top_k"), Some("1.10"));
    assert_eq!(request.params.max_tokens, Some(7));
    assert!(request.stream);
    let names: Vec<&str> = request.original.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["messages", "top_k", "stream", "max_tokens"]);
    assert_eq!(request.original.patched(&[]), body);
}

#[test]
fn two_requests_have_two_names() {
    assert_ne!(request("a").id, request("a").id);
}
