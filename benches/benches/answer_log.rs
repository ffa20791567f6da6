//! The answer log: a writer appends bursts, a listener that follows hears each at once.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    reason = "the macros of the benchmark make public items, and a fault in here shall end it"
)]

use futures_util::{FutureExt, StreamExt};
use gungraun::{library_benchmark, library_benchmark_group, main};
use orchestrator_core::{Answer, AnswerWriter, Chunk, Ledger, Priority, Text, answer};
use std::hint::black_box;
use tokio::time::{Duration, Instant};

/// The bursts of one answer.
const BURSTS: usize = 32;

#[library_benchmark]
#[bench::token_by_token(args = (1), setup = with_chunks)]
#[bench::bursts_of_32(args = (32), setup = with_chunks)]
fn push_and_read((mut writer, mut listener, chunks): (AnswerWriter, Answer, Vec<Vec<Chunk>>)) -> usize {
    let mut heard = 0;
    for burst in chunks {
        writer.push(burst);
        let batch = listener.next().now_or_never().flatten();
        heard += batch.and_then(Result::ok).map_or(0, |chunks| chunks.len());
    }
    black_box(heard)
}

fn with_chunks(burst: usize) -> (AnswerWriter, Answer, Vec<Vec<Chunk>>) {
    let until = Instant::now() + Duration::from_secs(60);
    let (writer, listener) = answer(until, Priority::Normal, Ledger::generous());
    let text = Text::from_static("token ");
    let bursts = vec![vec![Chunk::text(text); burst]; BURSTS];
    (writer, listener, bursts)
}

library_benchmark_group!(name = answer_log, benchmarks = push_and_read);
main!(library_benchmark_groups = answer_log);
