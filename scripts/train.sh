#!/usr/bin/env bash
# Takes the profile anew that release builds are laid out by (profile/release.profdata): builds the program so that it counts
# what it runs, asks it all that is often asked, and keeps the counts. Takes half an hour, and is worth it when dependencies,
# the toolchain, or much of a request's path have changed, and before a release.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

# The compiler reads and writes profiles of LLVM 22.
debian_package llvm-22 command -v llvm-profdata-22

counts=$(mktemp -d)
trap 'rm -rf "$counts"' EXIT
# A folder of its own: cargo would not know that what lies in the usual one is built otherwise.
training=${CARGO_TARGET_DIR:-target}/training
TRAINING=$counts cargo build --release -p orchestrator --target-dir "$training"
LLVM_PROFILE_FILE="$counts/%p.profraw" cargo run --profile bench -p orchestrator-benches --bin compare -- \
    --only training --program "$training/release/orchestrator"
llvm-profdata-22 merge --sparse --output profile/release.profdata "$counts"/*.profraw
sha256sum Cargo.lock rust-toolchain.toml >profile/trained-with.sha256
