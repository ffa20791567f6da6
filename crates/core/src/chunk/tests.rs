use super::*;

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

#[test]
fn a_text_is_a_delta_of_the_first_choice_without_an_event() {
    let chunk = Chunk::text("hi");
    assert_eq!(chunk.event, None);
    assert_eq!(chunk.deltas.as_slice(), [Delta::first(Kind::Text("hi".into()))]);
    assert_eq!(chunk.deltas.first().map(|delta| delta.choice), Some(0));
}
