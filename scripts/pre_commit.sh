#!/usr/bin/env bash
# What a commit must pass, the quickest first; it stops at the first step that fails and names it. It looks at the
# working tree. The first run makes it the repository's pre-commit hook; `--install` does only that.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

HOOK='#!/usr/bin/env bash
exec "$(git rev-parse --show-toplevel)/scripts/pre_commit.sh"'

install_hook() {
    local hooks
    hooks=$(git rev-parse --git-path hooks 2>/dev/null) || { echo "no git repository: no hook to install"; return; }
    if [[ ! -e $hooks/pre-commit ]]; then
        mkdir -p "$hooks"
        printf '%s\n' "$HOOK" >"$hooks/pre-commit"
        chmod +x "$hooks/pre-commit"
        echo "installed as $hooks/pre-commit"
    elif [[ $(<"$hooks/pre-commit") != "$HOOK" ]]; then
        echo "$hooks/pre-commit is another hook and stays; let it call scripts/pre_commit.sh" >&2
    fi
}

step() {
    local name=$1 started=$SECONDS
    shift
    echo "== $name: $*"
    if ! "$@"; then
        echo "pre-commit: FAILED: $name" >&2
        exit 1
    fi
    echo "   $name: $((SECONDS - started)) s"
}

case ${1:-} in
    --install) install_hook; exit ;;
    '') install_hook ;;
    *) echo "usage: pre_commit.sh [--install]" >&2; exit 2 ;;
esac
# Inside a hook git points its variables at this repository; tests that make repositories of their own must not see it.
for variable in $(git rev-parse --local-env-vars 2>/dev/null); do unset "$variable"; done

step formatting cargo fmt --all --check
step panics scripts/panic_scan.sh
step ratio scripts/ratio_check.sh
step lints cargo clippy --quiet --workspace --all-targets -- -D warnings
step tests cargo test --quiet --workspace
step deny scripts/dependency_check.sh deny
step audit scripts/dependency_check.sh audit
echo "pre-commit: all passed"
