//! Bytes: what one answer may hold, and what all of them do.

use super::*;
use crate::Delta;

const PIECE: usize = 100;

fn piece() -> Chunk {
    text(&"x".repeat(PIECE))
}

/// An answer that may hold so many pieces and half of one.
fn answer_with_room(pieces: usize) -> (AnswerWriter, Answer, std::sync::Arc<Ledger>) {
    let limit = piece().weight() * pieces + piece().weight() / 2;
    let ledger = Ledger::new(limit, usize::MAX, 10);
    let (writer, answer) = answer(Instant::now() + LONG, Priority::Normal, ledger.clone());
    (writer, answer, ledger)
}

#[tokio::test(start_paused = true)]
async fn an_answer_takes_what_fits_and_says_when_the_rest_does_not() {
    let (mut writer, answer, ledger) = answer_with_room(3);
    assert!(writer.push([piece(), piece()]));
    assert!(!writer.push([piece(), piece()]));
    assert_eq!(ledger.bytes(), 3 * piece().weight());
    writer.cut(Delta::first(Kind::Finish(FinishReason::Length)).into());
    writer.finish(End { cut: true, ..end() });
    let (text, failure) = all(answer).await;
    assert_eq!((text.len(), failure), (3 * PIECE, None));
}

#[tokio::test(start_paused = true)]
async fn listeners_hear_the_cut_after_all_that_fitted() {
    let (mut writer, mut answer, _) = answer_with_room(1);
    writer.push([piece(), piece()]);
    writer.cut(Delta::first(Kind::Finish(FinishReason::Length)).into());
    writer.finish(end());
    let chunks = answer.next().await.unwrap().unwrap();
    assert_eq!(chunks.len(), 2);
    let last = chunks
        .last()
        .and_then(|chunk| chunk.deltas.first())
        .map(|delta| &delta.kind);
    assert_eq!(last, Some(&Kind::Finish(FinishReason::Length)));
}

#[tokio::test(start_paused = true)]
async fn the_ledger_counts_a_log_until_the_last_reference_is_gone() {
    let (mut writer, answer, ledger) = answer_with_room(5);
    writer.push([piece(), piece()]);
    let weight = 2 * piece().weight();
    let kept = answer.downgrade();
    writer.finish(end());
    drop(answer);
    assert_eq!(ledger.bytes(), weight, "it is kept for a replay");
    drop(kept);
    assert_eq!(ledger.bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_follower_adds_no_bytes() {
    let (mut leading, leader, ledger) = answer_with_room(5);
    let (following, follower) = super::answer(Instant::now() + LONG, Priority::Normal, ledger.clone());
    let (there, cache) = leader
        .downgrade()
        .join(Instant::now() + LONG, Priority::Normal)
        .unwrap();
    following.join(there, cache);
    leading.push([piece()]);
    leading.finish(end());
    assert_eq!(all(follower).await.0.len(), PIECE);
    assert_eq!(ledger.bytes(), piece().weight());
    drop(leader);
    assert_eq!(ledger.bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn all_logs_together_are_full_at_their_limit() {
    let ledger = Ledger::new(usize::MAX, 2 * piece().weight(), 10);
    let (mut writer, answer) = super::answer(Instant::now() + LONG, Priority::Normal, ledger.clone());
    assert!(writer.push([piece()]));
    assert!(!ledger.is_full());
    assert!(writer.push([piece()]), "what runs is not cut by what others hold");
    assert!(ledger.is_full());
    drop((writer, answer));
    assert!(!ledger.is_full());
}
