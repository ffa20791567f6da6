use super::*;

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

fn answer(text: &str) -> Answer {
    Answer { bytes: text.into() }
}

/// A stream whose chunks are these.
fn stream(chunks: &[&str]) -> Answer {
    let chunks: String = chunks
        .iter()
        .map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len()))
        .collect();
    answer(&format!("{HEAD}{chunks}0\r\n\r\n"))
}

fn token(text: &str) -> String {
    format!("data: {{\"id\":\"x\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

fn json(text: &str) -> Answer {
    let body = format!(r#"{{"choices":[{{"message":{{"role":"assistant","content":"{text}"}}}}]}}"#);
    let length = body.len();
    answer(&format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

#[test]
fn an_answer_is_whole_with_its_last_byte_and_not_before() {
    for whole in [json("a b"), stream(&["data: [DONE]\n\n"]), stream(&[])] {
        assert!(whole.is_whole(), "{whole:?}");
        for cut in 0..whole.bytes.len() {
            let bytes = whole.bytes[..cut].to_vec();
            assert!(!Answer { bytes }.is_whole(), "{cut} bytes of {whole:?}");
        }
    }
}

#[test]
fn a_text_that_is_what_the_model_said_passes() {
    json("tok0 tok1 ").check("tok0 tok1 ").unwrap();
    let role = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n";
    // Events may share chunks, and comments may stand between them.
    let shared = format!(": waiting\n\n{}{}", token("tok1 "), token("tok2 "));
    let done = stream(&[role, &token("tok0 "), &shared, "data: [DONE]\n\n"]);
    done.check("tok0 tok1 tok2 ").unwrap();
}

#[test]
fn wrong_missing_repeated_and_late_tokens_are_found() {
    let told = |answer: Answer| answer.check("tok0 tok1 ").unwrap_err().to_string();
    let (one, two, done) = (token("tok0 "), token("tok1 "), "data: [DONE]\n\n");
    assert!(told(json("tok0 tok2 ")).contains(r#"heard "tok0 tok2 ""#));
    assert!(told(stream(&[&one, done])).contains(r#"heard "tok0 ""#));
    assert!(told(stream(&[&one, &one, &two, done])).contains(r#"heard "tok0 tok0 tok1 ""#));
    assert!(told(stream(&[&one, &two])).contains("no end"));
    assert!(told(stream(&[&one, &two, done, &two])).contains("no end"));
    assert!(told(answer(&format!("{HEAD}5\r\nabc\r\n0\r\n\r\n"))).contains("not framed"));
    assert!(told(answer("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")).contains("not 200"));
}

#[test]
fn status_and_headers_are_read() {
    let refused = answer("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(
        (refused.status(), refused.header("retry-after")),
        (Some(429), Some("2"))
    );
    assert_eq!((answer("HTTP/1.1 4").status(), refused.header("x")), (None, None));
}

#[test]
fn tokens_are_seen_as_they_come() {
    let mut heard = answer(HEAD);
    assert!(!heard.has_token());
    let before = heard.bytes.len();
    heard
        .bytes
        .extend_from_slice(format!("{}{}", token("tok0 "), token("tok1 ")).as_bytes());
    assert_eq!(
        (
            heard.has_token(),
            heard.events_since(before),
            heard.events_since(heard.bytes.len())
        ),
        (true, 2, 0)
    );
}
