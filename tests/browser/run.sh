#!/usr/bin/env bash
# The HTML report of a tree with hostile names, opened in a real browser: no
# name becomes an element, an attribute or a running script. A page that does
# not escape its names is opened first: a check that can't fail proves nothing.
#
#     tests/browser/run.sh WEIGHIN [SCREENSHOTS]
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools.sh
binary=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/debug/weighin}")
screenshots=${2:-}

if ! command -v chromium >/dev/null; then
  debian chromium
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

browser() {
  # As root and in containers Chromium's own sandbox can't start; the page is ours.
  timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
    --user-data-dir="$work/profile" --host-resolver-rules='MAP * ~NOTFOUND' --virtual-time-budget=3000 "$@" \
    2>"$work/browser.log" || { cat "$work/browser.log" >&2; return 1; }
}

python3 tests/browser/names.py tree "$work/tree"
python3 tests/browser/names.py page "$work/careless.html"
"$binary" scan --quiet --exit-zero --output "html=$work/report.html" "$work/tree" >/dev/null
for page in careless report; do
  browser --dump-dom "file://$work/$page.html" >"$work/$page.dom"
done
python3 tests/browser/names.py check "$work/careless.dom" "$work/report.dom"

if [ -n "$screenshots" ]; then
  mkdir -p "$screenshots"
  "$binary" scan --quiet --exit-zero --output "html=$work/corpus.html" corpus/pickle/exec-zlib-base64.pkl \
    corpus/archive/evil.tar.gz corpus/python/called-function corpus/text/secrets \
    corpus/safetensors/overlap.safetensors corpus/safetensors/two-tensors.safetensors >/dev/null
  browser --window-size=1280,5200 --screenshot="$screenshots/light.png" "file://$work/corpus.html"
  browser --window-size=1280,5200 --blink-settings=preferredColorScheme=0 --screenshot="$screenshots/dark.png" \
    "file://$work/corpus.html"
  browser --window-size=500,6400 --screenshot="$screenshots/narrow.png" "file://$work/corpus.html"
  browser --no-pdf-header-footer --print-to-pdf="$screenshots/print.pdf" "file://$work/corpus.html"
fi
