//! The work on one request: its body is read, it gets its key for sharing and its place at a worker, and its answer of 32
//! tokens is read from the worker's bytes, whole or as a stream, and written for the client.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    reason = "the macros of the benchmark make public items, and a fault in here shall end it"
)]

use futures_util::FutureExt;
use gungraun::{library_benchmark, library_benchmark_group, main};
use orchestrator_benches::request::{self, CHUNKS, Midway};
use orchestrator_core::{Chunk, Cx, Head, Request, Stage, Unique};
use orchestrator_dedup::Dedup;
use orchestrator_dialect::{
    Protocol,
    chat::{EventWriter, Parsed, parse_request},
    reader::Reader,
    whole,
};
use std::hint::black_box;

#[library_benchmark]
#[bench::short(setup = request::short)]
#[bench::one_kilobyte(args = (1 << 10), setup = request::body)]
#[bench::sixty_four_kilobytes(args = (1 << 16), setup = request::body)]
fn parse(body: bytes::Bytes) -> Option<Parsed> {
    black_box(parse_request(body).ok())
}

#[library_benchmark]
#[bench::short(setup = request::short_shared)]
#[bench::one_kilobyte(args = (1 << 10), setup = request::shared)]
#[bench::sixty_four_kilobytes(args = (1 << 16), setup = request::shared)]
fn dedup((stage, mut cx, request): (Dedup, Cx, Box<Request>)) -> bool {
    let flow = stage.run(&mut cx, request).now_or_never();
    black_box(matches!(flow, Some(Ok(orchestrator_core::Flow::Next(Unique(_))))))
}

#[library_benchmark]
#[bench::burst_of_32(setup = request::events)]
fn read(bytes: Vec<u8>) -> usize {
    let mut chunks = Vec::with_capacity(CHUNKS);
    let read = Reader::new(Protocol::Chat).feed(&bytes, &mut chunks);
    black_box(read.map_or(0, |()| chunks.len()))
}

#[library_benchmark]
#[bench::of_32_tokens(setup = request::whole)]
fn read_whole(body: bytes::Bytes) -> bool {
    black_box(whole::read(Protocol::Chat, &body).is_ok())
}

#[library_benchmark]
#[bench::burst_of_32(setup = request::chunks)]
fn write((mut writer, head, chunks): (EventWriter, Head, Vec<Chunk>)) -> usize {
    let mut bytes = bytes::BytesMut::with_capacity(1 << 14);
    for chunk in &chunks {
        writer.write(&head, chunk, &mut |event| {
            orchestrator_stream::sse::data(&mut bytes, event);
        });
    }
    black_box(bytes.len())
}

#[library_benchmark]
#[bench::alone(setup = Midway::new)]
fn token(mut midway: Midway) -> Midway {
    black_box(midway.pass());
    midway
}

library_benchmark_group!(
    name = request_path,
    benchmarks = [parse, dedup, read, read_whole, write, token]
);
main!(library_benchmark_groups = request_path);
