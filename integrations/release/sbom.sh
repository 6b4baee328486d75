#!/usr/bin/env bash
# Writes the bill of materials of weighin itself, CycloneDX 1.5, into the
# directory OUT: what the release is built from, build scripts included.
#
#   integrations/release/sbom.sh OUT
set -euo pipefail
mkdir -p "$1"
out=$(realpath "$1")
cd "$(dirname "$0")/../.."

if ! command -v cargo-cyclonedx >/dev/null; then
  # Unoptimised: it works for a second, and compiles for minutes.
  cargo install cargo-cyclonedx --version 0.5.9 --locked --debug
fi
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
name=weighin-$version.cdx
# It writes beside the manifest, whatever it is told.
cargo cyclonedx --format json --spec-version 1.5 --override-filename "$name"
mv "$name.json" "$out/"
# And for every other member of the workspace.
rm -f "fuzz/$name.json"
echo "$out/$name.json"
