//! Benchmarks over the public surface of the crates; they stand in `benches/`.
//!
//! Files that use `gungraun` count instructions: `scripts/bench_all.sh` compares them with `baseline.tsv`. Files that
//! use `criterion` measure times, which inform only.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::arithmetic_side_effects,
    reason = "a fault in here shall end the benchmark, and numbers are small"
)]

pub mod decisions;
pub mod line;
pub mod request;
