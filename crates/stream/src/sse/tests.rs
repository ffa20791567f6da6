use super::*;
use expect_test::expect;
use proptest::prelude::*;

fn framed(payload: &[u8]) -> String {
    let mut out = BytesMut::new();
    data(&mut out, payload);
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads a stream as WHATWG HTML 9.2.6 says, for fields named `data` only.
fn read(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let text = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut line = Vec::new();
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\r' && byte != b'\n' {
            line.push(byte);
            continue;
        }
        if byte == b'\r' {
            bytes.next_if_eq(&b'\n');
        }
        match std::mem::take(&mut line) {
            end if end.is_empty() && lines.is_empty() => {}
            end if end.is_empty() => events.push(std::mem::take(&mut lines).join(&b'\n')),
            comment if comment.starts_with(b":") => {}
            field => lines.push(field.strip_prefix(b"data: ").expect("only data").to_vec()),
        }
    }
    events
}

#[test]
fn an_event_is_one_data_line_and_a_blank_one() {
    expect![[r#"
        data: {"a":1}

    "#]]
    .assert_eq(&framed(br#"{"a":1}"#));
}

#[test]
fn a_payload_of_several_lines_stays_one_event() {
    expect![[r#"
        data: {
        data:   "a":
        data: 1
        data: }

    "#]]
    .assert_eq(&framed(b"{\n  \"a\":\r\n1\r}"));
}

#[test]
fn a_line_break_at_either_end_ends_no_event() {
    assert_eq!(framed(b"\n{}"), "data: \ndata: {}\n\n");
    assert_eq!(framed(b"{}\n\n"), "data: {}\ndata: \ndata: \n\n");
    assert_eq!(framed(b"\r\n"), "data: \ndata: \n\n");
    assert_eq!(framed(b""), "data: \n\n");
}

#[test]
fn a_comment_and_the_end_are_whole_by_themselves() {
    let mut out = BytesMut::new();
    comment(&mut out, "ping");
    data(&mut out, b"{}");
    comment(&mut out, "ping");
    done(&mut out);
    expect![[r#"
        : ping

        data: {}

        : ping

        data: [DONE]

    "#]]
    .assert_eq(&String::from_utf8_lossy(&out));
    assert_eq!(read(&out), [b"{}".to_vec(), b"[DONE]".to_vec()]);
}

#[test]
fn the_room_of_an_event_is_taken_in_one_step() {
    let mut out = BytesMut::new();
    data(&mut out, &[b'x'; 1000]);
    assert_eq!((out.len(), out.capacity()), (1008, 1008));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A reader that follows the standard finds as many events as were written, and in each the payload, its line breaks
    /// as line feeds.
    #[test]
    fn framing_holds_for_any_payload(payloads in prop::collection::vec("[ -~\r\n:é]{0,40}", 1..6)) {
        let mut out = BytesMut::new();
        for payload in &payloads {
            data(&mut out, payload.as_bytes());
            comment(&mut out, "ping");
        }
        let expected: Vec<Vec<u8>> = payloads
            .iter()
            .map(|payload| payload.replace("\r\n", "\n").replace('\r', "\n").into_bytes())
            .collect();
        prop_assert_eq!(read(&out), expected);
    }
}
