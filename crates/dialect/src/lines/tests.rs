use super::*;
use proptest::prelude::*;

fn split<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut lines = Lines::default();
    let mut out = Vec::new();
    for piece in pieces {
        lines.feed(piece).unwrap();
        while let Some(line) = lines.next() {
            out.push(lines.get(&line).to_vec());
        }
    }
    out
}

fn texts(bytes: &[u8]) -> Vec<String> {
    let lines = split([bytes]);
    lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
}

#[test]
fn each_of_the_three_line_ends_ends_a_line() {
    assert_eq!(texts(b"a\nb\rc\r\nd"), ["a", "b", "c"]);
    assert_eq!(texts(b"\n\r\n\r"), ["", "", ""]);
    assert_eq!(texts(b"a\r\r\nb\n\nc\n"), ["a", "", "b", "", "c"]);
}

#[test]
fn a_line_end_that_is_split_ends_one_line() {
    assert_eq!(split([&b"a\r"[..], b"\nb\n"]), [b"a", b"b"]);
    assert_eq!(split([&b"a\r"[..], b"\n", b"b\r", b"c\n"]), [&b"a"[..], b"b", b"c"]);
    assert_eq!(split([&b"a\r"[..], b"", b"\n"]), [b"a"]);
}

#[test]
fn a_line_after_a_carriage_return_does_not_wait_for_more() {
    assert_eq!(split([&b"a\r"[..]]), [b"a"]);
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_only() {
    assert_eq!(texts(b"\xEF\xBB\xBFa\nb\n"), ["a", "b"]);
    assert_eq!(split([&b"\xEF"[..], b"\xBB", b"\xBFa", b"\n"]), [b"a"]);
    assert_eq!(texts("a\n\u{feff}b\n".as_bytes()), ["a", "\u{feff}b"]);
    assert_eq!(split([&b"\xEF\xBB\n"[..]]), [b"\xEF\xBB"]);
}

#[test]
fn lines_of_one_piece_share_one_buffer() {
    let mut lines = Lines::default();
    lines.feed(b"one\ntwo\n").unwrap();
    let (one, two) = (lines.next().unwrap(), lines.next().unwrap());
    let (one, two) = (lines.slice(&one, 0), lines.slice(&two, 1));
    assert_eq!((&*one, &*two), (&b"one"[..], &b"wo"[..]));
    assert_eq!(one.as_ptr().wrapping_add(5), two.as_ptr());
}

#[test]
fn a_slice_beyond_its_line_is_empty() {
    let mut lines = Lines::default();
    lines.feed(b"ab\ncd\n").unwrap();
    let line = lines.next().unwrap();
    assert_eq!(lines.slice(&line, 2), Bytes::new());
    assert_eq!(lines.slice(&line, 99), Bytes::new());
}

#[test]
fn a_line_that_never_ends_is_a_failure_at_the_limit() {
    let mut lines = Lines::default();
    let piece = vec![b'x'; MAX_EVENT / 8];
    for _ in 0..8 {
        lines.feed(&piece).unwrap();
        assert!(lines.next().is_none());
    }
    let failure = lines.feed(b"x").unwrap_err();
    assert_eq!(failure.code(), Code::UpstreamProtocol);
    assert_eq!(failure.public(), "The worker sent an event of more than 8388608 bytes.");
}

#[test]
fn a_long_line_in_single_bytes_costs_no_second_look() {
    // With a second look at each byte this would take minutes.
    let mut lines = Lines::default();
    let bytes = vec![b'x'; 1 << 20];
    for byte in bytes.chunks(1) {
        lines.feed(byte).unwrap();
        assert!(lines.next().is_none());
    }
    lines.feed(b"\n").unwrap();
    assert_eq!(lines.next().map(|line| line.len()), Some(1 << 20));
}

/// What the lines are, by the standard's own words and without care for speed.
fn model(bytes: &[u8]) -> Vec<Vec<u8>> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'\r' | b'\n' => {
                i += usize::from(bytes[i] == b'\r' && bytes.get(i + 1) == Some(&b'\n'));
                lines.push(std::mem::take(&mut line));
            }
            byte => line.push(byte),
        }
        i += 1;
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn lines_do_not_depend_on_how_the_bytes_were_cut(
        bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a'), Just(0xEF), any::<u8>()], 0..60),
        marked in any::<bool>(),
        cuts in proptest::collection::vec(0_usize..64, 0..8),
    ) {
        let bytes = if marked { [BYTE_ORDER_MARK, &*bytes].concat() } else { bytes };
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(split(pieces), model(&bytes));
    }
}
