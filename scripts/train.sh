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
# What ran less than five hundred times is not what anybody waits for: without it the file has a third of the size.
llvm-profdata-22 merge --sparse --text --output - "$counts"/*.profraw | awk -v least=500 '
    BEGIN { RS = ""; FS = "\n"; ORS = "\n\n"; print ":ir" }
    {
        sub(/^#[^\n]*\n:ir\n/, "")
        most = 0
        for (line = 1; $line != "# Counter Values:" && line <= NF;) line++
        for (line++; $line ~ /^[0-9]+$/ && line <= NF; line++) if ($line + 0 > most) most = $line + 0
        if (most >= least) print
    }' >"$counts/often.proftext"
llvm-profdata-22 merge --output profile/release.profdata "$counts/often.proftext"
sha256sum Cargo.lock rust-toolchain.toml >profile/trained-with.sha256
