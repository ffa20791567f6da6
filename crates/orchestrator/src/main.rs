//! The program.

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// A request takes some 70 allocations. Those above 1 KB, futures and read buffers, miss the fast path of the system's
/// allocator; this one makes all of them in a third of the instructions.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    orchestrator::cli::main()
}
