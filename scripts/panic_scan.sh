#!/usr/bin/env bash
# Does anything that ships panic, index, exit or do what is unsafe?
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"
gates panics
