#!/usr/bin/env bash
# The container image, without an engine: the Dockerfile is linted, its build
# steps run on this machine in a copy of the build context, and the command
# runs as the image's user in a root that has what the image has.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/tools.sh
binary=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/debug/weighin}")
env=$(venv "${linters[@]}")
"$env/bin/hadolint" Dockerfile

# Always the same place: cargo keeps what it knows of a package by its path.
work=${CARGO_TARGET_DIR:-$PWD/target}/image
rm -rf "$work"
mkdir -p "$work"

# The context by .dockerignore, whose lines beginning with ! say what stays.
mkdir "$work/src"
sed -n 's/^!//p' .dockerignore | xargs cp -r --parents -t "$work/src"
instructions=$(sed -e ':a' -e '/\\$/N; s/\\\n//; ta' Dockerfile)
build=$(grep '^RUN cargo build' <<<"$instructions" | sed 's/^RUN //')
arrange=$(grep '^RUN mkdir' <<<"$instructions" | sed 's/^RUN //')
grep -qx 'USER 65532:65532' <<<"$instructions"
grep -qx 'FROM scratch' <<<"$instructions"
test "$(grep -c '^COPY' <<<"$instructions")" = 2

# Compiling it once more would show little: that cargo finds everything does.
(cd "$work/src" && PROFILE=dev CARGO_TERM_QUIET=true bash -euc "${build/cargo build/cargo check}")
mkdir -p "$work/src/target/debug"
cp "$binary" "$work/src/target/debug/weighin"
image="$work/image"
(cd "$work/src" && bash -euc "${arrange//\/image/$image}")
test "$(cd "$image" && find . -mindepth 1 | sort | tr '\n' ' ')" = \
  './LICENSE-APACHE ./LICENSE-MIT ./etc ./etc/ssl ./etc/ssl/certs ./etc/ssl/certs/ca-certificates.crt ./models ./tmp ./weighin '

# What links it here is in the image's binary by itself.
ldd "$binary" | grep -o '/[^ ]*' | xargs -I{} cp --parents {} "$image"
cp corpus/pickle/honest-dict-p4.pkl corpus/archive/evil.tar.gz "$image/models/"
weighin() {
  if [ "$(id -u)" = 0 ]; then
    env -i "$(command -v chroot)" --userspec=65532:65532 "$image" /weighin "$@"
  else
    env -i "$(command -v unshare)" --map-root-user chroot "$image" /weighin "$@"
  fi
}
weighin scan /models/honest-dict-p4.pkl
code=0
weighin scan /models || code=$?
test "$code" = 1
echo 'image: the command needs nothing but itself'
