#!/usr/bin/env bash
# What cargo calls in the place of the compiler (.cargo/config.toml). The crates of the program as it ships, which alone are
# built as one unit, are compiled with the profile of the program under load. Cargo has no setting of its own for that: a
# path in its flags would have to be absolute.
# Not for `sh`: Debian's loses variables with a `-` in their names, such as cargo's CARGO_BIN_EXE_model-server.
#   TRAINING=FOLDER  compiles them so that the program writes such a profile into the folder instead (scripts/train.sh)
set -euo pipefail
profile=$(dirname "$0")/../profile/release.profdata

case " $* " in
    *" lto=fat "*" codegen-units=1 "* | *" linker-plugin-lto "*" codegen-units=1 "*)
        if [ -n "${TRAINING:-}" ]; then
            set -- "$@" "-Cprofile-generate=$TRAINING"
        else
            # Code that was changed since is compiled as if there were no profile, and need not be told one by one.
            set -- "$@" "-Cprofile-use=$profile" -Cllvm-args=-no-pgo-warn-mismatch
        fi
        ;;
esac
exec "$@"
