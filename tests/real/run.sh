#!/usr/bin/env bash
# Unmodified models from packages that people install: none may be called
# malicious or suspicious without a reason in expected.toml, none incomplete.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir="${WEIGHIN_REAL:-${XDG_CACHE_HOME:-$HOME/.cache}/weighin-real}"
mkdir -p "$dir"
python3 tests/real/fetch.py "$dir"
cargo build --quiet
binary="${CARGO_TARGET_DIR:-target}/debug/weighin"
report=$(mktemp)
trap 'rm -f "$report"' EXIT
"$binary" scan --quiet --exit-zero --output "json=$report" "$dir"
python3 tests/real/check.py "$report" "$dir"
