#!/usr/bin/env bash
# CPython as the oracle for the pickle reader. Fails when python3 is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/oracle/oracle.py "${1:-${CARGO_TARGET_DIR:-target}/debug/weighin}" "${2:-400}"
