//! One request through the whole line, from its submission to the end of its answer: all seven stages, the
//! edges between them, the answer's log and its listener; no socket and no model.
#![allow(missing_docs, reason = "the macros of the benchmark make public items")]

use gungraun::{library_benchmark, library_benchmark_group, main};
use orchestrator_benches::line::Line;
use std::hint::black_box;

#[library_benchmark]
#[bench::of_one_token(args = (1), setup = Line::warm)]
#[bench::of_32_tokens(args = (32), setup = Line::warm)]
fn request(mut line: Line) -> Line {
    black_box(line.answer().ok());
    line
}

library_benchmark_group!(name = through_the_line, benchmarks = [request]);
main!(library_benchmark_groups = through_the_line);
