#!/usr/bin/env bash
# Is there enough test code? At least 1.5 lines for each line that ships, in the whole and in each crate.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
gates ratio
