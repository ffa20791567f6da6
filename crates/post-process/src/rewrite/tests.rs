use super::*;
use crate::{Config, Metrics, Redaction, Trim};
use bytes::Bytes;
use orchestrator_core::{Dialect, Event, Usage};
use prometheus::Registry;
use proptest::prelude::*;

/// Stops at `STOP`, redacts `key`, trims both ends; one choice is expected.
fn rewriter() -> Rewriter {
    rewriter_of(1)
}

fn rewriter_of(expected: u32) -> Rewriter {
    let redaction = Redaction {
        name: "key".to_owned(),
        pattern: "key".to_owned(),
        replacement: "*".to_owned(),
        max_match_bytes: 16,
    };
    let config = Config {
        stop: vec!["STOP".to_owned(), "abcd".to_owned(), "bc".to_owned()],
        redact: vec![redaction],
        trim: Trim::Both,
        ..Config::default()
    };
    let filters = Filters::build(&config, &Metrics::register(&Registry::new()).unwrap());
    Rewriter::new(Arc::new(filters.unwrap().unwrap()), expected)
}

fn text(text: &str) -> Kind {
    Kind::Text(text.to_owned().into())
}

fn reasoning(text: &str) -> Kind {
    Kind::Reasoning(text.to_owned().into())
}

fn refusal(text: &str) -> Kind {
    Kind::Refusal(text.to_owned().into())
}

fn finish() -> Kind {
    Kind::Finish(FinishReason::Length)
}

fn call(arguments: &'static str) -> Kind {
    Kind::ToolCall {
        index: 0,
        id: None,
        name: None,
        arguments: arguments.into(),
    }
}

/// A chunk with an event, of deltas of choices.
fn chunk(deltas: impl IntoIterator<Item = (u32, Kind)>) -> Chunk {
    let event = Event {
        dialect: Dialect::Chat,
        whole: false,
        data: Bytes::from_static(b"{}"),
    };
    let deltas = deltas.into_iter().map(|(choice, kind)| Delta { choice, kind });
    Chunk {
        event: Some(event),
        deltas: deltas.collect(),
    }
}

fn first(kinds: impl IntoIterator<Item = Kind>) -> Chunk {
    chunk(kinds.into_iter().map(|kind| (0, kind)))
}

/// A chunk in short: `=` when it kept its event, then its deltas.
fn short(chunk: Option<Chunk>) -> String {
    let Some(chunk) = chunk else { return "-".to_owned() };
    let delta = |delta: &Delta| {
        let what = match &delta.kind {
            Kind::Text(text) => format!("t:{}", &**text),
            Kind::Reasoning(text) => format!("r:{}", &**text),
            Kind::Refusal(text) => format!("f:{}", &**text),
            Kind::ToolCall { arguments, .. } => format!("c:{}", &**arguments),
            Kind::Finish(reason) => format!("end:{}", reason.as_str()),
            Kind::Usage(_) => "u".to_owned(),
        };
        if delta.choice == 0 {
            what
        } else {
            format!("{}/{what}", delta.choice)
        }
    };
    let deltas: Vec<String> = chunk.deltas.iter().map(delta).collect();
    format!("{}[{}]", if chunk.event.is_some() { "=" } else { "" }, deltas.join(" "))
}

/// What becomes of the chunks, and of what is left at the end.
fn run(rewriter: &mut Rewriter, chunks: Vec<Chunk>) -> String {
    let mut shown: Vec<String> = Vec::new();
    for chunk in chunks {
        shown.push(short(rewriter.chunk(chunk).unwrap()));
    }
    shown.push(short(rewriter.rest()));
    shown.join(" ")
}

#[track_caller]
fn check(chunks: Vec<Chunk>, expected: &str) {
    assert_eq!(run(&mut rewriter(), chunks), expected);
}

#[test]
fn an_untouched_chunk_keeps_its_event() {
    let usage = || Kind::Usage(Usage::default());
    check(
        vec![
            chunk([]),
            first([text("")]),
            first([text("Hello")]),
            first([call("{\"key\"")]),
            first([finish(), usage()]),
            first([usage()]),
        ],
        "=[] =[t:] =[t:Hello] =[c:{\"key\"] =[end:length u] =[u] -",
    );
}

#[test]
fn a_chunk_that_changed_loses_its_event() {
    check(
        vec![first([text("my key,")]), first([finish()])],
        "[t:my *,] =[end:length] -",
    );
    check(
        vec![first([text("my k")]), first([text("ey,")]), first([finish()])],
        "[t:my] [t: *,] =[end:length] -",
    );
}

#[test]
fn a_chunk_whose_text_is_all_held_back_waits() {
    check(
        vec![
            first([text("k")]),
            first([text("e")]),
            first([text("s")]),
            first([finish()]),
        ],
        "- - [t:kes] =[end:length] -",
    );
}

#[test]
fn text_that_was_held_back_comes_before_the_finish() {
    check(
        vec![first([text("a k")]), first([finish()])],
        "[t:a] [t: k end:length] -",
    );
}

#[test]
fn text_held_back_and_released_in_one_chunk_is_untouched() {
    let whole = first([reasoning("th k"), text("a key k"), refusal("no k"), finish()]);
    check(vec![whole], "[r:th k t:a * k f:no k end:length] -");
    let whole = first([reasoning("th k"), text("a k"), refusal("no k"), finish()]);
    check(vec![whole], "=[r:th k t:a k f:no k end:length] -");
}

#[test]
fn a_stop_string_finishes_the_choice_and_drops_what_follows_in_it() {
    let mut rewriter = rewriter();
    let chunks = vec![
        first([text("so far ST")]),
        first([text("OP and on"), finish(), Kind::Usage(Usage::default())]),
        first([text("more"), call("{}"), reasoning("hm"), finish()]),
    ];
    assert_eq!(run(&mut rewriter, chunks), "[t:so far] [end:stop u] - -");
    assert!(rewriter.is_over());
    assert_eq!(rewriter.filters.stopped.get(), 1);
}

#[test]
fn a_stop_string_that_is_certain_only_at_the_end_counts_too() {
    let mut at_finish = rewriter();
    assert_eq!(
        run(&mut at_finish, vec![first([text("abc")]), first([finish()])]),
        "- [t:a end:stop] -"
    );
    assert!(at_finish.is_over());
    let mut at_rest = rewriter();
    assert_eq!(run(&mut at_rest, vec![first([text("abc")])]), "- [t:a end:stop]");
    assert_eq!(at_rest.filters.stopped.get(), 1);
}

#[test]
fn an_answer_is_over_when_all_its_choices_have_ended_and_one_by_a_stop() {
    let mut rewriter = rewriter();
    assert!(!rewriter.is_over());
    assert_eq!(
        run(&mut rewriter, vec![chunk([(0, text("x")), (1, text("y"))])]),
        "=[t:x 1/t:y] -"
    );
    assert_eq!(run(&mut rewriter, vec![first([text("STOP")])]), "[end:stop] -");
    assert!(!rewriter.is_over(), "choice 1 runs");
    assert_eq!(
        run(&mut rewriter, vec![chunk([(1, text("z")), (1, finish())])]),
        "=[1/t:z 1/end:length] -"
    );
    assert!(rewriter.is_over());
}

#[test]
fn a_stop_ends_its_own_choice_and_none_that_has_not_begun() {
    let mut rewriter = rewriter_of(3);
    let heard = |rewriter: &mut Rewriter, choice, kind| {
        let out = short(rewriter.chunk(chunk([(choice, kind)])).unwrap());
        (out, rewriter.is_over())
    };
    let says = |out: &str, over| (out.to_owned(), over);
    assert_eq!(heard(&mut rewriter, 0, text("xSTOP")), says("[t:x end:stop]", false));
    assert_eq!(
        heard(&mut rewriter, 2, text("STOP")),
        says("[2/end:stop]", false),
        "choice 1 has not begun"
    );
    assert_eq!(heard(&mut rewriter, 0, text("more")), says("-", false));
    assert_eq!(heard(&mut rewriter, 1, text("y")), says("=[1/t:y]", false));
    assert_eq!(heard(&mut rewriter, 1, finish()), says("=[1/end:length]", true));
}

#[test]
fn a_worker_that_sends_more_choices_than_were_asked_for_is_heard_until_all_have_ended() {
    let mut rewriter = rewriter_of(1);
    run(
        &mut rewriter,
        vec![chunk([(0, text("x")), (1, text("y")), (0, text("STOP"))])],
    );
    assert!(!rewriter.is_over());
    run(&mut rewriter, vec![chunk([(1, text("STOP"))])]);
    assert!(rewriter.is_over());
}

#[test]
fn an_answer_that_the_model_ended_is_not_over_before_its_usage() {
    let mut rewriter = rewriter();
    run(&mut rewriter, vec![first([text("x"), finish()])]);
    assert!(!rewriter.is_over());
}

#[test]
fn stops_and_trimming_leave_reasoning_and_refusals_alone() {
    check(
        vec![
            first([reasoning(" STOP the key ")]),
            first([refusal(" STOP the key ")]),
            first([finish()]),
        ],
        "[r: STOP the * ] [f: STOP the * ] =[end:length] -",
    );
}

#[test]
fn the_end_of_the_reasoning_comes_before_the_answer() {
    check(
        vec![
            first([reasoning("so k")]),
            first([text("")]),
            first([text("Yes")]),
            first([finish()]),
        ],
        "[r:so ] =[t:] [r:k t:Yes] =[end:length] -",
    );
}

#[test]
fn a_stop_releases_what_is_held_beside_the_answer() {
    check(
        vec![first([refusal("no k")]), first([text("STOP")])],
        "[f:no ] [f:k end:stop] -",
    );
}

#[test]
fn choices_do_not_mix() {
    check(
        vec![
            chunk([(0, text("k")), (1, text("k"))]),
            chunk([(0, text("ey")), (1, text("ick"))]),
            chunk([(1, finish())]),
        ],
        "- [t:* 1/t:kic] [1/t:k 1/end:length] -",
    );
}

#[test]
fn what_is_held_back_comes_out_when_the_worker_just_ends() {
    check(
        vec![chunk([(0, text("a k")), (2, reasoning("b ke"))])],
        "[t:a 2/r:b ] [t: k 2/r:ke]",
    );
}

#[test]
fn a_worker_with_too_many_choices_is_refused() {
    let mut rewriter = rewriter();
    for choice in 0..MAX_CHOICES as u32 {
        assert!(rewriter.chunk(chunk([(choice, text("a"))])).is_ok());
    }
    assert!(rewriter.chunk(chunk([(7, text("a"))])).is_ok());
    assert!(rewriter.chunk(first([Kind::Usage(Usage::default())])).is_ok());
    let failure = rewriter.chunk(chunk([(u32::MAX, text("a"))])).unwrap_err();
    assert_eq!(failure.code(), Code::UpstreamProtocol);
}

fn any_kind() -> impl Strategy<Value = Kind> {
    let words = || "[kaey STOP]{0,4}";
    prop_oneof![
        5 => words().prop_map(|words| text(&words)),
        2 => words().prop_map(|words| reasoning(&words)),
        1 => words().prop_map(|words| refusal(&words)),
        1 => Just(call("key")),
    ]
}

/// All that comes out: the texts of each choice by kind.
fn said(chunks: &[Chunk]) -> BTreeMap<(u32, char), String> {
    let mut said = BTreeMap::<_, String>::new();
    for delta in chunks.iter().flat_map(|chunk| &chunk.deltas) {
        let kind = match &delta.kind {
            Kind::Text(_) => 't',
            Kind::Reasoning(_) => 'r',
            Kind::Refusal(_) => 'f',
            _ => continue,
        };
        said.entry((delta.choice, kind))
            .or_default()
            .push_str(text_of(&delta.kind));
    }
    said.retain(|_, text| !text.is_empty());
    said
}

fn all(chunks: Vec<Chunk>) -> Vec<Chunk> {
    let mut rewriter = rewriter();
    let mut out: Vec<Chunk> = chunks
        .into_iter()
        .filter_map(|chunk| rewriter.chunk(chunk).unwrap())
        .collect();
    out.extend(rewriter.rest());
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However deltas are put into chunks, and whether or not they are whole, the same is said; and a chunk that kept its
    /// event is one that came in.
    #[test]
    fn chunks_change_nothing(deltas in prop::collection::vec((0..3_u32, any_kind()), 0..20), size in 1..8_usize) {
        let single: Vec<Chunk> = deltas.iter().map(|delta| chunk([delta.clone()])).collect();
        let grouped: Vec<Chunk> = deltas.chunks(size).map(|deltas| chunk(deltas.to_vec())).collect();
        let whole = vec![chunk(deltas.clone())];
        let expected = said(&all(single.clone()));
        for chunks in [single, grouped, whole] {
            let out = all(chunks.clone());
            prop_assert_eq!(&said(&out), &expected);
            let mut came = chunks.iter();
            for kept in out.iter().filter(|chunk| chunk.event.is_some()) {
                prop_assert!(came.any(|chunk| chunk == kept), "{:?} did not come in", kept);
            }
        }
    }
}
