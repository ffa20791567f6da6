use super::*;
use crate::{Delta, FinishReason, Kind};
use proptest::prelude::*;

fn log(max_bytes: usize) -> Log {
    Log::new(Ledger::new(max_bytes, usize::MAX, 1), Priority::Normal)
}

/// What a listener finds from the start.
fn heard(log: &Log) -> Chunks {
    let listener = log.listen(Instant::now());
    match log.read(listener, 0, Waker::noop()) {
        Found::More(chunks, _) => chunks,
        _ => Vec::new(),
    }
}

fn said(log: &Log) -> String {
    let chunks = heard(log);
    let texts = chunks
        .iter()
        .flat_map(|chunk| &chunk.deltas)
        .map(|delta| match &delta.kind {
            Kind::Text(text) => text.to_string(),
            Kind::Finish(reason) => format!("<{}>", reason.as_str()),
            other => panic!("not said: {other:?}"),
        });
    texts.collect()
}

fn finished(text: &str) -> Chunk {
    let deltas = [Kind::Text(text.into()), Kind::Finish(FinishReason::Stop)].map(Delta::first);
    Chunk {
        event: None,
        deltas: deltas.into_iter().collect(),
    }
}

#[test]
fn a_chunk_that_is_too_heavy_is_kept_as_far_as_its_text_fits() {
    let log = log(size_of::<Chunk>() + 5);
    assert!(!log.append([finished("Once upon")]));
    assert_eq!(said(&log), "Once <length>");
    assert_eq!(log.ledger.bytes(), size_of::<Chunk>() + 5);
}

#[test]
fn nothing_comes_after_the_first_chunk_that_does_not_fit() {
    let log = log(2 * size_of::<Chunk>() + 4);
    assert!(!log.append([Chunk::text("abc"), Chunk::text("de"), Chunk::text("")]));
    assert_eq!(said(&log), "abcd");
}

#[test]
fn a_chunk_of_which_nothing_can_be_kept_leaves_no_trace() {
    let log = log(10);
    assert!(!log.append([Chunk::text("abc")]));
    assert!(heard(&log).is_empty());
    assert_eq!(log.ledger.bytes(), 0);
    log.append_last(finished("the end"));
    assert_eq!(said(&log), "the end<stop>");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However the chunks come, the log holds all of them or as much as it may, and its ledger knows how much that is.
    #[test]
    fn a_log_holds_what_was_said_up_to_its_limit(texts in prop::collection::vec("[a-z]{0,40}", 0..12), limit in 0_usize..3_000) {
        let log = log(limit);
        let fits = log.append(texts.iter().map(|text| Chunk::text(text.as_str())));
        let weight: usize = texts.iter().map(|text| Chunk::text(text.as_str()).weight()).sum();
        prop_assert_eq!(fits, weight <= limit);
        let (all, said) = (texts.concat(), said(&log));
        prop_assert!(all.starts_with(&said) && (!fits || said == all));
        let held: usize = heard(&log).iter().map(|chunk| chunk.weight()).sum();
        prop_assert_eq!(held, log.ledger.bytes());
        prop_assert!(held <= limit);
        // Of what was left over, less than a chunk with one letter found room.
        prop_assert!(fits || held + size_of::<Chunk>() + 1 > limit);
    }
}
