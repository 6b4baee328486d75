#!/usr/bin/env bash
# Packs a release for one target: the command, its manual pages, completions
# and licences, as weighin-VERSION-TARGET.tar.gz in the directory OUT.
#
#   integrations/release/archive.sh BINARY TARGET OUT
#
# BINARY runs here: it writes the pages and completions itself.
set -euo pipefail
binary=$(realpath "$1") target=$2 out=$(realpath "$3")
root=$(realpath "$(dirname "$0")/../..")

version=$("$binary" --version | cut -d ' ' -f 2)
name=weighin-$version-$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/$name/completions"

cp "$binary" "$work/$name/"
"$binary" man "$work/$name/man"
for shell in bash elvish fish powershell zsh; do
  "$binary" completions "$shell" >"$work/$name/completions/weighin.$shell"
done
cp "$root"/{LICENSE-APACHE,LICENSE-MIT,README.md,CHANGELOG.md} "$work/$name/"

# The same files give the same archive.
options=()
if tar --version | grep -q 'GNU tar'; then
  options=(--sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}")
fi
tar -C "$work" "${options[@]}" -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
echo "$out/$name.tar.gz"
