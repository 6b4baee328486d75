#!/usr/bin/env bash
# Builds the release of what is committed twice, in two places, and compares the
# bytes. Takes the time of two release builds, so it is no part of .ci/run.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
binaries=()
for place in first the-second-place; do
  mkdir "$work/$place"
  git archive HEAD | tar -x -C "$work/$place"
  env -u RUSTFLAGS CARGO_TARGET_DIR="$work/$place-target" "$work/$place/integrations/release/build.sh" "$@"
  mv "$(find "$work/$place-target" -path '*/release/weighin' -type f)" "$work/$place.weighin"
  rm -rf "$work/$place-target" # gigabytes
  binaries+=("$work/$place.weighin")
done
rustc --version
sha256sum "${binaries[@]}"
cmp "${binaries[@]}"
if grep -aoF -m 1 -e "$work" -e "$HOME/" "${binaries[0]}" >"$work/paths"; then
  echo "paths of this machine are in the binary, such as $(head -n 1 "$work/paths")" >&2
  exit 1
fi
python3 - "${binaries[0]}" <<'PYTHON'
import json
import re
import sys
import tomllib
import zlib
from pathlib import Path

# The list is a zlib stream in a section of its own; where it begins is
# searched for, which works for the binary of any system.
binary = Path(sys.argv[1]).read_bytes()
lock = tomllib.loads(Path("Cargo.lock").read_text(encoding="utf-8"))["package"]
locked = {(one["name"], one["version"]) for one in lock}
for start in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", binary):
    try:
        found = json.loads(zlib.decompressobj().decompress(binary[start.start() :], 8 << 20))
        named = {(one["name"], one["version"]) for one in found["packages"]}
        break
    except (zlib.error, ValueError, KeyError, TypeError):
        continue
else:
    sys.exit("the binary does not list its crates")
assert named <= locked, named - locked
print(f"reproducible: the same bytes twice, which list {len(named)} crates")
PYTHON
