# Sourced by the other scripts: they run in the root of the workspace, and find or build the tools that they need.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

# Where tools of pinned versions are built once. CI keeps this folder.
ORCHESTRATOR_TOOLS=${ORCHESTRATOR_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/orchestrator/tools}
PATH=$ORCHESTRATOR_TOOLS/bin:$PATH

# cargo_tool NAME VERSION: makes the program available in just this version. Built without optimisation, which takes a
# third of the time; the tools run for seconds only.
cargo_tool() {
    local found
    found=$("$1" --version 2>/dev/null) || found=
    if [[ " $found" != *" $2" ]]; then
        echo "installing $1 $2 into $ORCHESTRATOR_TOOLS"
        # All tools share one build folder, since they share most of their dependencies.
        CARGO_PROFILE_DEV_DEBUG=false RUSTFLAGS='' cargo install --quiet --locked --debug --force \
            --root "$ORCHESTRATOR_TOOLS" --target-dir "$ORCHESTRATOR_TOOLS-build" "$1@$2"
    fi
}

# debian_package PACKAGE CHECK...: installs the package from Debian unless the check passes.
debian_package() {
    local package=$1 as=()
    shift
    if "$@" >/dev/null 2>&1; then return; fi
    echo "installing the package $package"
    if [[ $(id -u) != 0 ]]; then
        command -v sudo >/dev/null || { echo "this needs the package $package" >&2; return 1; }
        as=(sudo -n)
    fi
    "${as[@]}" apt-get update -qq </dev/null && "${as[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "$package" </dev/null >/dev/null
}

gates() {
    cargo run --quiet -p orchestrator-gates -- "$@"
}
