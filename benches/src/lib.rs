//! Benchmarks over the public surface of the crates; they stand in `benches/`.
//!
//! Files that use `gungraun` count instructions: `scripts/bench_all.sh` compares them with `baseline.tsv`. Files that
//! use `criterion` measure times, which inform only.
