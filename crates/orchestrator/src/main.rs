//! The program.

use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

/// A request takes some 65 allocations. Those above 1 KB, futures and read buffers, miss the fast path of the system's
/// allocator; this one makes all of them in half the instructions, and holds fewer bytes for each open stream.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    orchestrator::cli::main()
}
