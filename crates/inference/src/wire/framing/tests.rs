use super::*;
use crate::wire::fixtures::cut;
use proptest::{collection::vec, prelude::*, sample::Index};

/// What came of a body.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    body: Vec<u8>,
    over: bool,
    left: Vec<u8>,
    error: Option<String>,
}

/// Feeds `parts` one after another, taking what is there after each, as a connection would.
fn read<'a>(mut framing: Framing, parts: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut buffer, mut body, mut error) = (BytesMut::new(), Vec::new(), None);
    for part in parts {
        buffer.extend_from_slice(part);
        while error.is_none() {
            match framing.decode(&mut buffer) {
                Ok(bytes) if bytes.is_empty() => break,
                Ok(bytes) => body.extend_from_slice(&bytes),
                Err(wire) => error = Some(wire.to_string()),
            }
        }
    }
    Outcome {
        over: framing.is_over(),
        left: if error.is_some() { Vec::new() } else { buffer.to_vec() },
        body,
        error,
    }
}

fn whole(framing: Framing, input: &[u8]) -> Outcome {
    read(framing, [input])
}

fn complete(body: &str, left: &str) -> Outcome {
    Outcome {
        body: body.into(),
        over: true,
        left: left.into(),
        error: None,
    }
}

fn error_of(input: &[u8]) -> String {
    whole(Framing::chunked(), input)
        .error
        .unwrap_or_else(|| "no error".into())
}

const CHUNKED: &[(&str, &str, &str)] = &[
    ("5\r\nhello\r\n0\r\n\r\n", "hello", ""),
    ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", ""),
    ("0\r\n\r\n", "", ""),
    ("000\r\n\r\n", "", ""),
    ("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello", ""),
    (
        "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        "01234567890123456789",
        "",
    ),
    ("5;name=value\r\nhello\r\n0;last\r\n\r\n", "hello", ""),
    ("5 \t;quoted=\"a;b\"\r\nhello\r\n0\r\n\r\n", "hello", ""),
    ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", ""),
    ("5\r\nhello\r\n0\r\nexpires: never\r\nx: y\r\n\r\n", "hello", ""),
    ("1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK", "a", "HTTP/1.1 200 OK"),
    ("1\r\na\r\n0\r\n\r\n\r\n", "a", "\r\n"),
];

#[test]
fn chunks_extensions_and_trailers_leave_the_body_alone() {
    for (input, body, left) in CHUNKED {
        assert_eq!(
            whole(Framing::chunked(), input.as_bytes()),
            complete(body, left),
            "{input:?}"
        );
    }
}

#[test]
fn a_chunked_body_is_the_same_wherever_it_is_cut_in_two() {
    for (input, body, left) in CHUNKED {
        let input = input.as_bytes();
        for cut in 0..=input.len() {
            let (front, back) = input.split_at(cut);
            assert_eq!(
                read(Framing::chunked(), [front, back]),
                complete(body, left),
                "{input:?} cut at {cut}"
            );
        }
    }
}

#[test]
fn a_chunked_body_is_over_only_after_its_last_line() {
    for (input, body, left) in CHUNKED {
        let end = input.len() - left.len();
        for cut in 0..end {
            let outcome = whole(Framing::chunked(), &input.as_bytes()[..cut]);
            assert!(!outcome.over, "{input:?} cut at {cut}");
            assert!(body.as_bytes().starts_with(&outcome.body), "{input:?} cut at {cut}");
        }
    }
}

#[test]
fn sizes_that_are_no_hexadecimal_numbers_are_refused() {
    let bad = [
        "+5", "-5", "0x5", "x", "", " 5", "5 ", "5\t", "5 5", "5,5", "5g", "\u{ff15}", ";ext", "5\0",
    ];
    for size in bad {
        let input = format!("{size}\r\nhello\r\n0\r\n\r\n");
        assert_eq!(
            error_of(input.as_bytes()),
            "the server breaks the protocol: a chunk size is not a hexadecimal number",
            "{size:?}"
        );
    }
}

#[test]
fn a_size_beyond_64_bits_is_refused_and_the_largest_one_is_not() {
    assert_eq!(
        error_of(b"10000000000000000\r\n"),
        "the server breaks the protocol: a chunk size is too large"
    );
    assert_eq!(
        error_of(b"00000000000000001\r\n"),
        "the server breaks the protocol: a chunk size is too large"
    );
    let outcome = whole(Framing::chunked(), b"ffffffffffffffff\r\nabc");
    assert_eq!(
        (outcome.body, outcome.over, outcome.error),
        (b"abc".to_vec(), false, None)
    );
}

#[test]
fn lines_end_with_cr_lf_and_nothing_else() {
    for input in [
        "5\nhello\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5;a\rb\r\nhello",
        "0\r\nx: y\n\r\n",
        "0\r\na\rb\r\n\r\n",
        "\nx",
    ] {
        assert_eq!(
            error_of(input.as_bytes()),
            "the server breaks the protocol: a line of the chunked framing does not end with CR LF",
            "{input:?}"
        );
    }
}

#[test]
fn a_chunk_that_does_not_end_where_its_size_says_is_refused() {
    for input in [
        "5\r\nhello!\r\n",
        "5\r\nhello\n\n",
        "5\r\nhello\rx",
        "4\r\nhello\r\n0\r\n\r\n",
    ] {
        let outcome = whole(Framing::chunked(), input.as_bytes());
        let error = outcome.error.unwrap();
        assert_eq!(
            error, "the server breaks the protocol: a chunk is longer than its size",
            "{input:?}"
        );
        assert!(
            b"hello".starts_with(&outcome.body),
            "what came before the error is handed over: {input:?}"
        );
    }
}

#[test]
fn bytes_before_an_error_come_before_it() {
    let mut buffer = BytesMut::from(&b"2\r\nab\r\n2\r\ncd\r\nnonsense\r\n"[..]);
    let mut framing = Framing::chunked();
    assert_eq!(framing.decode(&mut buffer).unwrap(), "abcd");
    assert!(matches!(framing.decode(&mut buffer), Err(WireError::Protocol(_))));
    assert!(
        matches!(framing.decode(&mut buffer), Err(WireError::Protocol(_))),
        "the error stays"
    );
}

#[test]
fn extensions_and_trailers_are_bounded_alone_and_together() {
    const TOO_LONG: &str = "the server breaks the protocol: chunk extensions or trailers are too long";
    let flood = "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n".repeat(1000);
    assert_eq!(error_of(flood.as_bytes()), TOO_LONG);
    assert_eq!(
        error_of(format!("0\r\n{}", "a: b\r\n".repeat(5000)).as_bytes()),
        TOO_LONG
    );
    assert_eq!(
        error_of(format!("5;{}\r\n", "x".repeat(SPARE_LIMIT + 16)).as_bytes()),
        TOO_LONG
    );
    let endless = vec![b'5'; SPARE_LIMIT + 18];
    assert_eq!(error_of(&endless), TOO_LONG, "without a line end too");
    assert_eq!(
        error_of(&endless[..SPARE_LIMIT + 17]),
        "no error",
        "one byte less may still be a line"
    );
    let most = format!("0;{}\r\n\r\n", "x".repeat(SPARE_LIMIT + SIZE_DIGITS - 2));
    assert_eq!(whole(Framing::chunked(), most.as_bytes()), complete("", ""));
}

#[test]
fn ten_thousand_chunks_without_extensions_cost_nothing_of_the_bound() {
    let input = format!("{}0\r\n\r\n", "1\r\nx\r\n".repeat(10_000));
    assert_eq!(
        whole(Framing::chunked(), input.as_bytes()),
        complete(&"x".repeat(10_000), "")
    );
}

#[test]
fn a_length_takes_its_bytes_and_no_more() {
    assert_eq!(whole(Framing::Length(5), b"hello, world"), complete("hello", ", world"));
    assert_eq!(whole(Framing::Length(0), b"x"), complete("", "x"));
    let short = whole(Framing::Length(6), b"hello");
    assert_eq!((short.over, short.body), (false, b"hello".to_vec()));
    assert_eq!(whole(Framing::Length(u64::MAX), b"a").body, b"a");
}

#[test]
fn a_length_counts_down() {
    let mut framing = Framing::Length(5);
    assert_eq!(framing.announced(), Some(5));
    framing.decode(&mut BytesMut::from(&b"abc"[..])).unwrap();
    assert_eq!(framing.announced(), Some(2));
    assert_eq!(
        (Framing::chunked().announced(), Framing::UntilClose.announced()),
        (None, None)
    );
}

#[test]
fn only_a_body_without_framing_may_end_with_the_connection() {
    let outcome = whole(Framing::UntilClose, b"anything\r\n0\r\n\r\n");
    assert_eq!((outcome.body, outcome.over), (b"anything\r\n0\r\n\r\n".to_vec(), false));
    assert!(Framing::UntilClose.may_end());
    assert!(Framing::Length(0).may_end());
    assert!(!Framing::Length(1).may_end());
    assert!(!Framing::chunked().may_end());
}

#[test]
fn one_piece_is_a_slice_of_the_buffer_and_not_a_copy() {
    for (framing, before) in [
        (Framing::Length(5), ""),
        (Framing::chunked(), "5\r\n"),
        (Framing::UntilClose, ""),
    ] {
        let mut buffer = BytesMut::from(format!("{before}hello").as_bytes());
        let place = buffer.as_ptr().addr() + before.len();
        let mut framing = framing;
        assert_eq!(framing.decode(&mut buffer).unwrap().as_ptr().addr(), place);
    }
}

#[test]
fn chunks_that_came_together_are_moved_together_in_place() {
    let mut buffer = BytesMut::from(&b"3\r\nabc\r\n3\r\ndef\r\n3\r\ng"[..]);
    let place = buffer.as_ptr().addr() + 3;
    let mut framing = Framing::chunked();
    let bytes = framing.decode(&mut buffer).unwrap();
    assert_eq!((&bytes[..], bytes.as_ptr().addr()), (&b"abcdefg"[..], place));
    buffer.extend_from_slice(b"hi\r\n0\r\n\r\n");
    assert_eq!(framing.decode(&mut buffer).unwrap(), "hi");
    assert!(framing.is_over() && buffer.is_empty());
    assert_eq!(bytes, "abcdefg", "what was handed over does not change");
}

/// Chunks with extensions, written as a server might.
fn encode(chunks: &[Vec<u8>], extension: &str, trailers: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (turn, chunk) in chunks.iter().filter(|chunk| !chunk.is_empty()).enumerate() {
        let extension = if turn % 2 == 0 { extension } else { "" };
        out.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
    out
}

/// Bytes that look like chunked framing more often than chance would have it.
fn framing_like() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        Just(b"1\r\n".to_vec()),
        Just(b"a;x\r\n".to_vec()),
        Just(b"\n".to_vec()),
        "[0-9a-f]{1,4}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..12),
    ];
    vec(word, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_body_in_any_chunks_cut_anywhere_is_read_as_it_was(
        chunks in vec(vec(any::<u8>(), 0..80), 0..12),
        places in vec(any::<Index>(), 0..20),
        extension in prop_oneof![Just(""), Just(";a=b"), Just(" ; c"), Just(";q=\"\u{e4}\"")],
        trailers in prop_oneof![Just(""), Just("x: y\r\n"), Just("x: y\r\nz:\r\n")],
    ) {
        let mut input = encode(&chunks, extension, trailers);
        input.extend_from_slice(b"next");
        let outcome = read(Framing::chunked(), cut(&input, &places));
        let expected = Outcome { body: chunks.concat(), over: true, left: b"next".to_vec(), error: None };
        prop_assert_eq!(outcome, expected);
    }

    #[test]
    fn any_bytes_end_in_the_same_way_wherever_they_are_cut(
        input in framing_like(),
        places in vec(any::<Index>(), 0..20),
        length in 0_u64..64,
    ) {
        for framing in [Framing::chunked(), Framing::Length(length), Framing::UntilClose] {
            let at_once = whole(framing.clone(), &input);
            prop_assert_eq!(&at_once, &read(framing.clone(), cut(&input, &places)));
            prop_assert_eq!(&at_once, &read(framing, input.chunks(1)));
        }
    }
}
