use super::*;
use crate::fixtures::{show, tell};
use expect_test::expect;
use proptest::prelude::*;

fn answer(body: &str) -> Result<(Meta, Chunk), Failure> {
    read(Protocol::Chat, &Bytes::copy_from_slice(body.as_bytes()))
}

const WHOLE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4-0613","system_fingerprint":"fp",
 "choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"},
  {"index":1,"message":{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"},
  {"index":2,"message":{"role":"assistant","content":null,"refusal":"No."},"finish_reason":"content_filter"}],
 "usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{"reasoning_tokens":2}}}"#;

#[test]
fn all_choices_of_an_answer_are_one_chunk() {
    let (meta, chunk) = answer(WHOLE).unwrap();
    assert_eq!(
        (&*meta.id, &*meta.model, meta.created),
        ("chatcmpl-1", "gpt-4-0613", 1_700_000_000)
    );
    let event = chunk.event.clone().unwrap();
    assert!(event.whole && event.data == WHOLE);
    expect![[r#"
        text "Hello"
        finish stop
        #1 reasoning "hm"
        #1 call[0] c1 f "{}"
        #1 call[1] c2 g "{\"a\":1}"
        #1 finish tool_calls
        #2 refusal "No."
        #2 finish content_filter
        usage 9+12 cached 8 reasoning 2
    "#]]
    .assert_eq(&show(&[chunk]).replace(" | ", "\n"));
}

#[test]
fn what_is_no_whole_answer_is_a_failure() {
    let table = [
        "",
        "<html>",
        "[]",
        "{",
        "{}",
        r#"{"choices":[]}"#,
        r#"{"choices":[{"message":{"content":"Hi"}}]}"#,
        r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":null}]}"#,
        r#"{"choices":[{"index":1,"message":{"content":"Hi"},"finish_reason":"stop"}]}"#,
        r#"{"error":{"message":"no such model","type":"invalid_request_error"}}"#,
        r#"{"error":"boom","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"message":{"content":"my secret"#,
    ];
    let told: Vec<String> = table
        .into_iter()
        .map(|body| tell(&answer(body).unwrap_err()) + "\n")
        .collect();
    expect![[r#"
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 0).
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 1).
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 2).
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 1).
        upstream_truncated at -: The worker's answer has no finish reason.
        upstream_truncated at -: The worker's answer has no finish reason.
        upstream_truncated at -: The worker's answer has no finish reason.
        upstream_truncated at -: The worker's answer has no finish reason.
        upstream_truncated at -: The worker's answer has no finish reason.
        upstream_rejected at -: The worker reports an error: no such model
        upstream_error at -: The worker reports an error: boom
        upstream_protocol at -: The worker sent JSON that its protocol does not know (line 1, column 44).
    "#]]
    .assert_eq(&told.concat());
}

#[test]
fn an_answer_that_is_no_utf8_is_a_failure() {
    let body = Bytes::from_static(b"{\"choices\":[{\"message\":{\"content\":\"\xff\"},\"finish_reason\":\"stop\"}]}");
    for protocol in [Protocol::Chat, Protocol::Messages, Protocol::Ollama] {
        let failure = read(protocol, &body).unwrap_err();
        assert_eq!(failure.code(), Code::UpstreamProtocol);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..900, with in any::<u8>()) {
        let mut broken = WHOLE.as_bytes().to_vec();
        let at = at.min(broken.len() - 1);
        broken[at] = with;
        for protocol in [Protocol::Chat, Protocol::Messages, Protocol::Ollama] {
            let _ = read(protocol, &Bytes::from(bytes.clone()));
            let _ = read(protocol, &Bytes::from(broken.clone()));
        }
    }
}
