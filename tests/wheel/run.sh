#!/usr/bin/env bash
# The Python wheel: built from what cargo has built already, installed into a
# fresh environment, and used. Leaves it in wheels/ of the target directory.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools.sh
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
wheels="$CARGO_TARGET_DIR/wheels"
rm -rf "$wheels"

env=$(venv "${packaging[@]}")
# The profile of the tests: a second build for the sake of speed tests nothing.
"$env/bin/maturin" build --profile dev --compatibility linux --out "$wheels" >"$wheels.log" 2>&1 || { cat "$wheels.log"; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-index "$wheels"/weighin-*.whl
weighin="$work/venv/bin/weighin"

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
test "$("$weighin" --version)" = "weighin $version"
"$work/venv/bin/pip" show --files weighin >"$work/shown"
grep -qx "Version: $version" "$work/shown"
grep -q 'bin/weighin$' "$work/shown"
"$weighin" scan --quiet corpus/pickle/honest-dict-p4.pkl
code=0
"$weighin" scan --quiet corpus/pickle/reduce-os-system-p4.pkl || code=$?
test "$code" = 1
echo "wheel: $(basename "$wheels"/weighin-*.whl) installs and scans"
