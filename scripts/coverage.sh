#!/usr/bin/env bash
# Which lines do the tests reach? Prints a table; `--html` writes pages as well. `--fail-under-lines N` and the other
# options of cargo llvm-cov pass through.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

# The compiler writes profiles of LLVM 22, so its tools must be of that version. They are named here, or cargo-llvm-cov
# would change the toolchain to get some.
debian_package llvm-22 command -v llvm-cov-22
cargo_tool cargo-llvm-cov 0.9.1
export LLVM_COV=llvm-cov-22 LLVM_PROFDATA=llvm-profdata-22 CARGO_LLVM_COV_SETUP=no
cargo llvm-cov --workspace --exclude orchestrator-benches --ignore-filename-regex '/(testkit|scripts|tests)/' "$@"
