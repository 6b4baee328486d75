#!/usr/bin/env bash
# The GitHub Action: its steps run here as a runner would run them, on a
# release made of the binary given, fetched from a folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools.sh
binary=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/debug/weighin}")
env=$(venv "${linters[@]}")

"$env/bin/check-jsonschema" --builtin-schema vendor.github-actions action.yml
"$env/bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
"$env/bin/zizmor" --offline --no-config --quiet --persona pedantic action.yml .github/workflows
"$env/bin/shellcheck" --external-sources .ci/run integrations/*/*.sh tests/*.sh tests/*/*.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$("$binary" --version | cut -d ' ' -f 2)
release="$work/releases/v$version"
mkdir -p "$release"
integrations/release/archive.sh "$binary" x86_64-unknown-linux-musl "$release" >/dev/null
(cd "$release" && sha256sum -- * >SHA256SUMS)
tar -tzf "$release"/*.tar.gz >"$work/packed"
for wanted in /weighin /man/weighin-scan.1 /completions/weighin.bash /LICENSE-MIT /README.md; do
  grep -q "$wanted\$" "$work/packed" || { echo "the archive has no $wanted" >&2; exit 1; }
done
cp "$release"/*.tar.gz "$work/first"
integrations/release/archive.sh "$binary" x86_64-unknown-linux-musl "$release" >/dev/null
cmp "$work/first" "$release"/*.tar.gz

"$env/bin/python" tests/action/steps.py "$work"
