#!/usr/bin/env bash
# Builds the command as releases have it: without the paths of the machine that
# builds, so that the same sources give the same bytes anywhere, and with the
# list of its crates inside, for `cargo audit bin` and other scanners.
#
#   integrations/release/build.sh [OPTIONS OF CARGO BUILD]
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v cargo-auditable >/dev/null; then
  # Unoptimised: it works for a second, and compiles for minutes.
  cargo install cargo-auditable --version 0.7.7 --locked --debug
fi
# The last of several that fit wins.
flags=(
  "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
  "--remap-path-prefix=$(rustc --print sysroot)=/rust"
  "--remap-path-prefix=$PWD=/weighin"
)
[ -z "${CARGO_TARGET_DIR:-}" ] || flags+=("--remap-path-prefix=$CARGO_TARGET_DIR=/weighin/target")
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS CARGO_INCREMENTAL=0
cargo auditable build --release --locked --bin weighin "$@"
