use super::*;
use proptest::prelude::*;

fn kinds() -> [Kind; 6] {
    let call = Kind::ToolCall {
        index: 0,
        id: Some("id".into()),
        name: Some("f".into()),
        arguments: "{}".into(),
    };
    [
        Kind::Text("text".into()),
        Kind::Reasoning("text".into()),
        Kind::Refusal("text".into()),
        call,
        Kind::Finish(FinishReason::Stop),
        Kind::Usage(Usage::default()),
    ]
}

#[test]
fn all_but_usage_and_roles_is_what_a_client_waits_for() {
    for kind in kinds() {
        let waited_for = !matches!(kind, Kind::Usage(_));
        assert_eq!(Chunk::from(Delta::first(kind)).has_content(), waited_for);
    }
    assert!(!Chunk::default().has_content(), "a mere role");
}

#[test]
fn a_detached_chunk_says_the_same_and_lets_go_of_what_it_was_a_slice_of() {
    let read = Bytes::from(vec![b'x'; 64]);
    let text = Text::try_from(read.slice(8..12)).unwrap();
    for kind in kinds()
        .into_iter()
        .chain([Kind::Text(text.clone()), Kind::Reasoning(text)])
    {
        let event = Event {
            dialect: Dialect::Chat,
            whole: true,
            data: read.slice(4..60),
        };
        let chunk = Chunk {
            event: Some(event),
            ..Chunk::from(Delta { choice: 3, kind })
        };
        let detached = chunk.detached();
        assert_eq!(detached, chunk);
        drop(chunk);
    }
    assert!(read.try_into_mut().is_ok(), "nobody else holds it");
}

#[test]
fn the_weight_covers_the_texts_and_the_event() {
    let empty = Chunk::default().weight();
    assert!(empty >= size_of::<Chunk>());
    for kind in kinds() {
        let more = Chunk::from(Delta::first(kind.clone())).weight() - empty;
        let expected = match kind {
            Kind::Text(_) | Kind::Reasoning(_) | Kind::Refusal(_) => 4,
            Kind::ToolCall { .. } => 66,
            Kind::Finish(_) | Kind::Usage(_) => 0,
        };
        assert_eq!(more, expected, "{kind:?}");
    }
    let event = Event {
        dialect: Dialect::Chat,
        whole: false,
        data: "0123456789".into(),
    };
    let chunk = Chunk {
        event: Some(event),
        ..Chunk::text("text")
    };
    assert_eq!(chunk.weight(), empty + 14);
}

/// A chunk whose texts are slices of its event, as a reader makes them.
fn sliced(data: &'static str, texts: &[(usize, usize)]) -> Chunk {
    let event = Event {
        dialect: Dialect::Chat,
        whole: true,
        data: data.as_bytes().to_vec().into(),
    };
    let text = |(from, to): &(usize, usize)| Text::try_from(event.data.slice(*from..*to)).unwrap();
    Chunk {
        deltas: texts
            .iter()
            .map(|place| Delta::first(Kind::Text(text(place))))
            .collect(),
        event: Some(event),
    }
}

#[test]
fn a_text_that_is_a_slice_of_the_event_weighs_nothing_more() {
    let base = size_of::<Chunk>();
    assert_eq!(sliced("0123456789", &[(0, 10)]).weight(), base + 10);
    assert_eq!(sliced("0123456789", &[(2, 4), (9, 10), (10, 10)]).weight(), base + 10);
    let mut unescaped = sliced("a\\n", &[(0, 1)]);
    unescaped.deltas.extend(Chunk::text("\n").deltas);
    assert_eq!(unescaped.weight(), base + 4);
}

#[test]
fn what_is_kept_of_a_heavy_chunk_has_no_event_and_ends_by_length() {
    let mut chunk = sliced("0123456789", &[(0, 4), (4, 10)]);
    let usage = Usage::default();
    let stop = [Kind::Finish(FinishReason::Stop), Kind::Usage(usage)];
    chunk.deltas.extend(stop.map(Delta::first));
    let ends = [Kind::Finish(FinishReason::Length), Kind::Usage(usage)];
    for (room, texts) in [
        (100, vec!["0123", "456789"]),
        (10, vec!["0123", "456789"]),
        (7, vec!["0123", "456"]),
        (4, vec!["0123"]),
        (1, vec!["0"]),
        (0, vec![]),
    ] {
        let texts = texts.into_iter().map(|text| Kind::Text(text.into()));
        let expected: Vec<Delta> = texts.chain(ends.clone()).map(Delta::first).collect();
        let kept = chunk.cut_to(size_of::<Chunk>() + room);
        assert_eq!((kept.event, kept.deltas.to_vec()), (None, expected), "{room}");
    }
}

#[test]
fn what_is_kept_holds_nothing_of_the_event_that_is_gone() {
    let chunk = sliced("0123456789", &[(0, 10)]);
    let data = chunk.event.clone().unwrap().data;
    let kept = chunk.cut_to(1_000);
    drop(chunk);
    assert!(data.is_unique());
    assert_eq!(kept, Chunk::text("0123456789"));
}

#[test]
fn a_tool_call_is_kept_with_its_name_or_not_at_all() {
    let [.., call, _, _] = kinds();
    let kept = |room: usize| Chunk::from(Delta::first(call.clone())).cut_to(size_of::<Chunk>() + room);
    assert_eq!(kept(66).deltas.as_slice(), [Delta::first(call.clone())]);
    for (room, left) in [(65, "{"), (64, "")] {
        match kept(room).deltas.first().map(|delta| &delta.kind) {
            Some(Kind::ToolCall { name, arguments, .. }) => {
                assert_eq!((name.as_deref(), &**arguments), (Some("f"), left))
            }
            other => panic!("no call: {other:?}"),
        }
    }
    assert_eq!(kept(63), Chunk::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// What is kept is the beginning of what was said, in letters that are whole, and misses no more than one of them.
    #[test]
    fn what_is_kept_is_as_much_of_the_beginning_as_fits(texts in prop::collection::vec("[aé語]{0,6}", 0..6), room in 0_usize..60) {
        let deltas = texts.iter().map(|text| Delta::first(Kind::Text(text.as_str().into())));
        let chunk = Chunk { event: None, deltas: deltas.collect() };
        let kept = chunk.cut_to(size_of::<Chunk>() + room);
        let said: String = kept.deltas.iter().map(|delta| match &delta.kind {
            Kind::Text(text) => &**text,
            other => panic!("no text: {other:?}"),
        }).collect();
        let all = texts.concat();
        prop_assert!(kept.weight() <= size_of::<Chunk>() + room);
        prop_assert_eq!(Some(said.as_str()), all.get(..all.floor_char_boundary(room)));
    }
}

#[test]
fn a_text_is_a_delta_of_the_first_choice_without_an_event() {
    let chunk = Chunk::text("hi");
    assert_eq!(chunk.event, None);
    assert_eq!(chunk.deltas.as_slice(), [Delta::first(Kind::Text("hi".into()))]);
    assert_eq!(chunk.deltas.first().map(|delta| delta.choice), Some(0));
}
