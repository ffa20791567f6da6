#!/usr/bin/env bash
# Are the dependencies in order? `deny`: licences, bans and sources; `audit`: known vulnerabilities. Without a word: both.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

deny() {
    cargo_tool cargo-deny 0.20.2
    cargo deny --workspace --all-features check licenses bans sources
}

audit() {
    cargo_tool cargo-audit 0.22.2
    local database=../shared/advisory-db
    if [[ -d $database ]]; then
        # A machine without internet has the database beside the repository, of whatever age.
        cargo audit --db "$database" --no-fetch --stale
    else
        cargo audit
    fi
}

case ${1:-both} in
    deny) deny ;;
    audit) audit ;;
    both) deny; audit ;;
    *) echo "usage: dependency_check.sh [deny|audit]" >&2; exit 2 ;;
esac
