#!/usr/bin/env bash
# Licences, banned crates and sources of all dependencies. The advisory
# database needs a network of its own, and is checked where it is reachable.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v cargo-deny >/dev/null; then
  # Without TLS and git of its own: only its offline checks are used.
  cargo install cargo-deny --version 0.20.2 --locked --no-default-features
fi
cargo deny check licenses bans sources
cargo deny --no-default-features --exclude-dev --config tests/offline.toml check bans
if ! timeout 120 cargo deny check advisories; then
  echo 'advisories: the database could not be read, or something was found; see above' >&2
  cargo deny fetch db >/dev/null 2>&1 && exit 1
  echo 'advisories: not reachable from here, so not checked' >&2
fi
