#!/usr/bin/env bash
# Tries to get malicious samples past weighin, and honest ones into trouble; a
# few thousand variants, or as many as --count says.
#
#     tests/bypass/run.sh WEIGHIN [--count N] [--seed N]
set -euo pipefail
here="$(dirname "$0")"
weighin="$1"
shift
python3 "$here/bypass.py" "$weighin" --count 2000 "$@"
python3 "$here/bypass.py" "$weighin" --count 1000 --honest "$@"
