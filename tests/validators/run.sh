#!/usr/bin/env bash
# Reports over the whole corpus and a small cache, read by validators of other
# makers, which are shown a broken report first: one that finds nothing wrong
# with anything proves nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools.sh
binary=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/debug/weighin}")
env=$(venv "${validators[@]}")
multitool=$(sarif_multitool)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SOURCE_DATE_EPOCH=0 "$binary" scan --quiet --exit-zero corpus \
  --output "sarif=$work/report.sarif" --output "cyclonedx=$work/report.cdx.json" \
  --output "junit=$work/report.junit.xml" --output "in-toto=$work/report.vulns.json" \
  --output "in-toto-svr=$work/report.svr.json" --output "json=$work/report.json" >/dev/null
python3 tests/validators/broken.py "$work/report.sarif" >"$work/broken.sarif"

export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
for log in broken report; do
  # Its own exit code says only that it could read the log.
  "$multitool" validate "$work/$log.sarif" --rule-kind 'Sarif;Ghas' --output "$work/$log.validated" \
    --log ForceOverwrite >"$work/$log.out" 2>&1 || true
done
"$env/bin/python" tests/validators/check.py "$work"
