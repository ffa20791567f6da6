#!/usr/bin/env bash
# Runs the benchmarks. Those that count instructions are compared with benches/baseline.tsv: more than 10 % above it,
# a benchmark that is gone, and one that the baseline does not know fail.
#   --update     makes the counts of now the baseline
#   --criterion  measures times too; they inform and never fail
#   --counts     counts instructions and does nothing else
#
# Then the real program is measured beside nginx for less than a minute, which informs too. That needs an optimised build,
# which takes minutes and which nothing else in here needs: where there is none it is left out. It says when the profile that
# release builds are laid out by is older than what they are made of.
#
# A file in benches/benches that uses gungraun counts instructions, one that uses criterion measures times.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

update=()
times=false
beside_nginx=true
for option in "$@"; do
    case $option in
        --update) update=(--update) ;;
        --criterion) times=true ;;
        --counts) beside_nginx=false ;;
        *) echo "usage: bench_all.sh [--update] [--criterion] [--counts]" >&2; exit 2 ;;
    esac
done

# benches LIBRARY: the benchmarks that use it.
benches() {
    grep -l --recursive "^use $1::" benches/benches --include '*.rs' | xargs --no-run-if-empty -n 1 basename -s .rs | sort
}

# compare: the program beside nginx, where both are there.
compare() {
    local program=${CARGO_TARGET_DIR:-target}/release/orchestrator
    if [[ ! -x ${NGINX:-/usr/sbin/nginx} ]]; then
        echo "beside nginx: left out, since there is no nginx; Debian has it as nginx-light"
    elif [[ ! -x $program ]]; then
        echo "beside nginx: left out, since there is no $program; cargo build --release -p orchestrator makes it"
    else
        echo "beside nginx: $program of $(date -r "$program" '+%F %T')"
        sha256sum --check --status profile/trained-with.sha256 ||
            echo "its profile was taken with other dependencies or another toolchain; scripts/train.sh takes it anew"
        cargo run --profile bench --quiet -p orchestrator-benches --bin compare -- --short --program "$program" ||
            echo "beside nginx: failed; it only informs" >&2
    fi
}

# The version of the runner must be that of the library.
runner=$(grep -A 1 '^name = "gungraun"$' Cargo.lock | sed -n 's/^version = "\(.*\)"$/\1/p')
debian_package valgrind command -v valgrind
cargo_tool gungraun-runner "$runner"

counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
for bench in $(benches gungraun); do
    cargo bench --quiet -p orchestrator-benches --bench "$bench" -- --output-format=json >>"$counts"
done
if $times; then
    for bench in $(benches criterion); do
        cargo bench --quiet -p orchestrator-benches --bench "$bench" || echo "$bench failed; times only inform" >&2
    done
fi
gates bench "$counts" benches/baseline.tsv "${update[@]}"
if $beside_nginx; then
    compare
fi
