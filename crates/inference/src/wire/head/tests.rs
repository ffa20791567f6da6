use super::*;
use proptest::{collection::vec, prelude::*};

/// What came of a head: status, the fields asked for, and what is left of the input.
type Outcome = Result<Option<(u16, Vec<Option<String>>, Vec<u8>)>, String>;

fn read<'a>(parts: impl IntoIterator<Item = &'a [u8]>, names: &[&str]) -> Outcome {
    let (mut reader, mut buffer, mut head) = (HeadReader::default(), BytesMut::new(), None);
    for part in parts {
        buffer.extend_from_slice(part);
        if head.is_none() {
            head = reader.read(&mut buffer).map_err(|error| error.to_string())?;
        }
    }
    let values = |head: &Head| {
        names
            .iter()
            .map(|name| head.headers.get(name).map(str::to_owned))
            .collect()
    };
    Ok(head.map(|head| (head.status, values(&head), buffer.to_vec())))
}

fn head(text: &str) -> Head {
    let mut buffer = BytesMut::from(text.as_bytes());
    HeadReader::default().read(&mut buffer).unwrap().expect("a whole head")
}

fn error_of(text: impl AsRef<[u8]>) -> String {
    read([text.as_ref()], &[]).map_or_else(|error| error, |outcome| format!("{outcome:?}"))
}

#[test]
fn a_head_is_the_same_wherever_it_is_cut_in_two() {
    let heads: [(&str, u16, &str); 6] = [
        (
            "HTTP/1.1 200 OK\r\nServer: x\r\nretry-AFTER:  5 \r\n\r\nbody",
            200,
            "body",
        ),
        ("HTTP/1.1 429\r\nretry-after: 5\r\nServer: x\r\n\r\n", 429, ""),
        (
            "HTTP/1.0 503 No such luck\r\nserver:x\r\nretry-after:5\r\nRetry-After: 6\r\n\r\n\r\n",
            503,
            "\r\n",
        ),
        ("HTTP/1.1 200 OK\nserver: x\nretry-after: 5\n\nbody", 200, "body"),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nretry-after: 5\r\nserver: x\r\n\r\n",
            200,
            "",
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nserver: no\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 418 T\r\nretry-after: 5\r\nserver: x\r\n\r\nz",
            418,
            "z",
        ),
    ];
    for (text, status, left) in heads {
        let values = vec![Some("5".to_owned()), Some("x".to_owned()), None];
        let expected: Outcome = Ok(Some((status, values, left.into())));
        for cut in 0..=text.len() {
            let (front, back) = text.as_bytes().split_at(cut);
            let names = ["Retry-After", "server", "retry"];
            assert_eq!(read([front, back], &names), expected, "{text:?} cut at {cut}");
        }
        assert_eq!(
            read(text.as_bytes().chunks(1), &["retry-after", "server", "x"]),
            expected,
            "{text:?} byte by byte"
        );
    }
}

#[test]
fn a_head_without_its_empty_line_is_no_head() {
    let text = "HTTP/1.1 200 OK\r\nserver: x\r\n\r\n";
    for cut in 0..text.len() {
        assert_eq!(read([&text.as_bytes()[..cut]], &[]), Ok(None), "cut at {cut}");
    }
}

#[test]
fn a_line_is_judged_when_it_has_ended_however_it_came() {
    let text = b"HTTP/1.1 200 OK\r\na: b\r\n\x7f\n";
    let (unended, _) = text.split_at(text.len() - 1);
    for size in [1, 3, text.len()] {
        assert_eq!(read(unended.chunks(size), &[]), Ok(None), "in pieces of {size}");
        assert!(read(text.chunks(size), &[]).is_err(), "in pieces of {size}");
    }
}

#[test]
fn what_is_not_http_1_is_refused_at_its_first_byte() {
    for text in [
        "<html>",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "\0",
        "ICY 200 OK",
    ] {
        assert_eq!(
            error_of(text),
            "the server breaks the protocol: the answer is not HTTP/1",
            "{text:?}"
        );
    }
}

#[test]
fn malformed_heads_are_refused() {
    let malformed = [
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 +20 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nfolded: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n leading: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nspace : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nnul: a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncr: a\rb\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
    ];
    for text in malformed {
        assert_eq!(
            error_of(text),
            "the server breaks the protocol: the head of the answer is malformed",
            "{text:?}"
        );
    }
    assert_eq!(
        error_of("HTTP/1.1 099 X\r\n\r\n"),
        "the server breaks the protocol: a status below 100"
    );
}

#[test]
fn an_upgrade_is_refused() {
    let text = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(
        error_of(text),
        "the server breaks the protocol: an upgrade that nobody asked for"
    );
}

#[test]
fn a_hundred_fields_are_read_and_one_more_is_not() {
    let fields = |count: usize| format!("HTTP/1.1 200 OK\r\n{}last: z\r\n\r\n", "a: b\r\n".repeat(count - 1));
    assert_eq!(
        read([fields(100).as_bytes()], &["last"]),
        Ok(Some((200, vec![Some("z".into())], vec![])))
    );
    assert_eq!(error_of(fields(101)), "the head of the answer is too large");
    assert_eq!(error_of(fields(1_000_000)), "the head of the answer is too large");
}

#[test]
fn heads_are_bounded_whole_trickled_and_unfinished() {
    let sized = |bytes: usize| {
        let frame = "HTTP/1.1 200 OK\r\na: \r\n\r\n".len();
        format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(bytes - frame))
    };
    let (largest, too_large) = (sized(HEAD_LIMIT), sized(HEAD_LIMIT + 1));
    let longer = sized(HEAD_LIMIT + 2);
    let unfinished = &longer.as_bytes()[..HEAD_LIMIT + 1];
    for size in [1, 1000, HEAD_LIMIT * 2] {
        assert!(
            matches!(read(largest.as_bytes().chunks(size), &[]), Ok(Some(_))),
            "in pieces of {size}"
        );
        for text in [too_large.as_bytes(), unfinished] {
            let error = read(text.chunks(size), &[]).unwrap_err();
            assert_eq!(error, "the head of the answer is too large", "in pieces of {size}");
        }
    }
}

#[test]
fn a_flood_of_interim_answers_is_bounded_with_the_head() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let (count, last) = (HEAD_LIMIT / interim.len(), "HTTP/1.1 200 OK\r\n\r\n");
    let flood = format!("{}{last}", interim.repeat(count + 1));
    for size in [7, 4096, flood.len()] {
        let error = read(flood.as_bytes().chunks(size), &[]).unwrap_err();
        assert_eq!(error, "the head of the answer is too large", "in pieces of {size}");
    }
    let few = format!("{}{last}", interim.repeat(count - 1));
    assert!(matches!(read([few.as_bytes()], &[]), Ok(Some((200, _, _)))));
}

#[test]
fn the_framing_follows_method_status_and_fields() {
    let (get, head_method) = (Method::GET, Method::HEAD);
    let length = "content-length: 7\r\n";
    let chunked = "transfer-encoding: chunked\r\n";
    let table = [
        (&get, "HTTP/1.1 200 OK", length, Framing::Length(7)),
        (&get, "HTTP/1.0 200 OK", length, Framing::Length(7)),
        (&get, "HTTP/1.1 500 X", "Content-Length: 0\r\n", Framing::Length(0)),
        (
            &get,
            "HTTP/1.1 200 OK",
            "content-length: 7\r\ncontent-length: 7\r\n",
            Framing::Length(7),
        ),
        (&get, "HTTP/1.1 200 OK", "content-length: 7, 07\r\n", Framing::Length(7)),
        (
            &get,
            "HTTP/1.1 200 OK",
            "content-length: 18446744073709551615\r\n",
            Framing::Length(u64::MAX),
        ),
        (&get, "HTTP/1.1 200 OK", chunked, Framing::chunked()),
        (
            &get,
            "HTTP/1.1 200 OK",
            "Transfer-Encoding: Chunked\r\n",
            Framing::chunked(),
        ),
        (&get, "HTTP/1.1 200 OK", "", Framing::UntilClose),
        (&get, "HTTP/1.0 200 OK", "", Framing::UntilClose),
        (&get, "HTTP/1.1 204 No Content", "", Framing::Length(0)),
        (&get, "HTTP/1.1 204 No Content", length, Framing::Length(0)),
        (&get, "HTTP/1.1 304 Not Modified", chunked, Framing::Length(0)),
        (&head_method, "HTTP/1.1 200 OK", length, Framing::Length(0)),
        (&head_method, "HTTP/1.1 200 OK", "", Framing::Length(0)),
    ];
    for (method, line, fields, framing) in table {
        let head = head(&format!("{line}\r\n{fields}\r\n"));
        assert_eq!(head.framing(method).unwrap(), framing, "{method} {line} {fields:?}");
    }
}

#[test]
fn framing_that_can_be_read_two_ways_is_refused() {
    let both = "transfer-encoding with a content-length or in HTTP/1.0";
    let coding = "a transfer-encoding other than chunked";
    let number = "a content-length that is no number";
    let table = [
        ("1.1", "transfer-encoding: chunked\r\ncontent-length: 5\r\n", both),
        ("1.1", "content-length: 5\r\ntransfer-encoding: chunked\r\n", both),
        ("1.0", "transfer-encoding: chunked\r\n", both),
        ("1.1", "transfer-encoding: gzip, chunked\r\n", coding),
        ("1.1", "transfer-encoding: chunked, chunked\r\n", coding),
        (
            "1.1",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            coding,
        ),
        ("1.1", "transfer-encoding: identity\r\n", coding),
        ("1.1", "transfer-encoding:\r\n", coding),
        (
            "1.1",
            "content-length: 5\r\ncontent-length: 6\r\n",
            "two content-lengths that differ",
        ),
        ("1.1", "content-length: 5, 6\r\n", "two content-lengths that differ"),
        ("1.1", "content-length: +5\r\n", number),
        ("1.1", "content-length: -5\r\n", number),
        ("1.1", "content-length: 5 5\r\n", number),
        ("1.1", "content-length: 0x5\r\n", number),
        ("1.1", "content-length: 5,\r\n", number),
        ("1.1", "content-length:\r\n", number),
        ("1.1", "content-length: 18446744073709551616\r\n", number),
    ];
    for (version, fields, reason) in table {
        let error = head(&format!("HTTP/{version} 200 OK\r\n{fields}\r\n"))
            .framing(&Method::POST)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the server breaks the protocol: {reason}"),
            "{fields:?}"
        );
    }
}

#[test]
fn connections_are_kept_by_version_and_option() {
    let table = [
        ("1.1", "", true),
        ("1.1", "connection: keep-alive\r\n", true),
        ("1.1", "connection: close\r\n", false),
        ("1.1", "Connection: Foo, CLOSE\r\n", false),
        ("1.1", "connection: keep-alive\r\nconnection: close\r\n", false),
        ("1.1", "connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "connection: Keep-Alive\r\n", true),
        ("1.0", "connection: keep-alive, close\r\n", false),
    ];
    for (version, fields, kept) in table {
        let head = head(&format!("HTTP/{version} 200 OK\r\n{fields}\r\n"));
        assert_eq!(head.keeps_alive(), kept, "{version} {fields:?}");
    }
}

#[test]
fn a_field_that_is_no_text_is_as_good_as_absent() {
    let mut buffer = BytesMut::from(&b"HTTP/1.1 200 OK\r\na: \xff\r\nb:\r\nc: \xc3\xa4\r\n\r\n"[..]);
    let head = HeadReader::default().read(&mut buffer).unwrap().unwrap();
    let values = ["a", "b", "c", "d"].map(|name| head.headers.get(name));
    assert_eq!(values, [None, Some(""), Some("\u{e4}"), None]);
}

#[test]
fn values_do_not_print() {
    let head = head("HTTP/1.1 200 OK\r\nset-cookie: secret\r\nserver: x\r\n\r\n");
    assert_eq!(format!("{:?}", head.headers), r#"["set-cookie", "server"]"#);
}

/// Bytes that look like heads more often than chance would have it.
fn head_like() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.1 100 C\r\n\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"content-length: 5\r\n".to_vec()),
        Just(b"transfer-encoding: chunked\r\n".to_vec()),
        "[a-z]{1,5}: [ -~]{0,9}\r\n".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..6),
    ];
    (any::<bool>(), vec(word, 0..12)).prop_map(|(regular, words)| {
        let start: &[u8] = if regular { b"HTTP/1.1 200 OK\r\n" } else { b"" };
        [start, &words.concat()].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_end_in_the_same_way_at_once_and_byte_by_byte(input in head_like(), size in 1_usize..9) {
        let names = ["content-length", "a"];
        let at_once = read([&input[..]], &names);
        prop_assert_eq!(&at_once, &read(input.chunks(size), &names));
        prop_assert_eq!(&at_once, &read(input.chunks(1), &names));
    }

    #[test]
    fn any_fields_are_read_as_they_were_sent(
        fields in vec(("x-[a-z0-9-]{1,12}", "[!-~]([ -~]{0,20}[!-~])?"), 0..20),
        size in 1_usize..40,
    ) {
        let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        for (name, _) in &fields {
            let first = fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
            let outcome = read(text.as_bytes().chunks(size), &[&name.to_uppercase()]);
            prop_assert_eq!(outcome, Ok(Some((200, vec![first], vec![]))));
        }
    }
}
