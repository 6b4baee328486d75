#!/usr/bin/env bash
# The oldest Rust that Cargo.toml and README.md promise compiles everything.
set -euo pipefail
cd "$(dirname "$0")/.."
oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
grep -qF "[Rust](https://rustup.rs) $oldest or later" README.md
if [ "$(rustc --version | cut -d ' ' -f 2 | cut -d . -f 1,2)" = "$oldest" ]; then
  echo "oldest Rust: $oldest, which everything else here was done with"
  exit 0
fi
rustup toolchain install "$oldest" --profile minimal --no-self-update
CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/msrv" cargo "+$oldest" check --locked --all-targets
