use super::*;
use crate::lines::MAX_EVENT;
use proptest::prelude::*;

fn frames<'a>(framing: Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Frame>, Failure> {
    let mut frames = Frames::new(framing);
    let mut out = Vec::new();
    for piece in pieces {
        frames.feed(piece)?;
        while let Some(frame) = frames.next()? {
            out.push(frame);
        }
    }
    Ok(out)
}

/// The events' data; an error's with `!` before it.
fn sse(stream: &str) -> Vec<String> {
    let frames = frames(Framing::Sse, [stream.as_bytes()]).unwrap();
    let tell = |frame: Frame| {
        let data = String::from_utf8(frame.data.to_vec()).unwrap();
        format!("{}{data}", if frame.error { "!" } else { "" })
    };
    frames.into_iter().map(tell).collect()
}

#[test]
fn events_are_told_apart_by_blank_lines() {
    assert_eq!(sse("data: a\n\ndata: b\n\n"), ["a", "b"]);
    assert_eq!(sse("data: a\r\n\r\ndata: b\r\rdata: c\n\r\n"), ["a", "b", "c"]);
}

#[test]
fn at_most_one_space_after_the_colon_is_no_data() {
    assert_eq!(sse("data:a\n\ndata: b\n\ndata:  c\n\n"), ["a", "b", " c"]);
}

#[test]
fn the_lines_of_an_event_are_joined_by_line_feeds() {
    assert_eq!(sse("data: {\ndata:   \"a\": 1\ndata: }\n\n"), ["{\n  \"a\": 1\n}"]);
    assert_eq!(sse("data: a\ndata\ndata:\ndata: b\n\n"), ["a\n\n\nb"]);
}

#[test]
fn comments_and_unknown_fields_are_ignored() {
    let stream = ": ping\n\nid: 7\nretry: 10\nevent: x\nfoo: bar\ndata: a\n: more\nbaz\n\n:\n\ndata: b\n\n";
    assert_eq!(sse(stream), ["a", "b"]);
}

#[test]
fn an_event_without_data_is_none() {
    assert_eq!(sse("event: ping\n\ndata:\n\ndata\n\nid: 3\n\n\n\ndata: a\n\n"), ["a"]);
}

#[test]
fn an_event_whose_end_has_not_come_is_none() {
    assert_eq!(sse("data: a\n\ndata: b"), ["a"]);
    assert_eq!(sse("data: a\n\ndata: b\n"), ["a"]);
}

#[test]
fn an_error_is_told_by_the_events_name_or_by_the_field() {
    assert_eq!(sse("event: error\ndata: a\n\nevent: x\ndata: b\n\n"), ["!a", "b"]);
    assert_eq!(sse("data: x\n\nerror: {\"code\":500}\n\n"), ["x", "!{\"code\":500}"]);
    // A name without data is forgotten at the blank line.
    assert_eq!(sse("event: error\n\ndata: b\n\n"), ["b"]);
}

#[test]
fn a_page_in_place_of_a_stream_is_told_apart_at_once() {
    let page = b"<!doctype html>\n<p>Bad gateway\n";
    let failure = frames(Framing::Sse, [&page[..]]).unwrap_err();
    assert_eq!(failure.code(), Code::UpstreamProtocol);
    assert_eq!(failure.public(), "The worker sent a page in place of an event stream.");
}

#[test]
fn bare_json_in_place_of_a_stream_is_an_error() {
    assert_eq!(sse("{\"error\":\"no\"}\n"), ["!{\"error\":\"no\"}"]);
    // Once a stream has begun, such a line is an unknown field.
    assert_eq!(sse("data: a\n\n{\"error\":\"no\"}\n\n"), ["a"]);
}

#[test]
fn an_event_of_many_lines_is_bounded_too() {
    let line = format!("data: {}\n", "x".repeat(MAX_EVENT / 4));
    let mut frames = Frames::new(Framing::Sse);
    let fed: Result<(), Failure> = (0..5).try_for_each(|_| {
        frames.feed(line.as_bytes())?;
        frames.next().map(|frame| assert_eq!(frame, None))
    });
    assert_eq!(fed.unwrap_err().code(), Code::UpstreamProtocol);
}

#[test]
fn data_in_one_line_is_not_copied_again() {
    let mut frames = Frames::new(Framing::Sse);
    frames.feed(b"data: one\n\ndata: two\n\n").unwrap();
    let one = frames.next().unwrap().unwrap().data;
    let two = frames.next().unwrap().unwrap().data;
    assert_eq!(one.as_ptr().wrapping_add("one\n\ndata: ".len()), two.as_ptr());
}

#[test]
fn lines_are_frames_and_blank_ones_are_not() {
    let stream = b"{\"a\":1}\n\n  \r\n{\"b\":2}\r\n{\"c\":3}";
    let frames = frames(Framing::Lines, [&stream[..]]).unwrap();
    let texts: Vec<_> = frames.iter().map(|frame| &*frame.data).collect();
    assert_eq!(texts, [&b"{\"a\":1}"[..], b"{\"b\":2}"]);
    assert!(frames.iter().all(|frame| !frame.error));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn events_do_not_depend_on_how_the_bytes_were_cut(
        lines in proptest::collection::vec(
            prop_oneof![Just("data: a"), Just("data:ü"), Just("data"), Just(""), Just(": c"), Just("event: error"), Just("x")],
            0..20,
        ),
        ends in proptest::collection::vec(prop_oneof![Just("\n"), Just("\r"), Just("\r\n")], 20),
        cuts in proptest::collection::vec(0_usize..200, 0..10),
    ) {
        let stream: String = lines.iter().zip(&ends).map(|(line, end)| format!("{line}{end}")).collect();
        let stream = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
        prop_assert_eq!(frames(Framing::Sse, pieces), frames(Framing::Sse, [stream]));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for framing in [Framing::Sse, Framing::Lines] {
            // Whether they fail is the matter of other tests.
            let _ = frames(framing, [&*bytes]).is_ok();
        }
    }
}
