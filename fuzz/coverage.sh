#!/usr/bin/env bash
# The compiler of the crates here, with the counters that a fuzzer steers by.
# The dependencies are built as ever, and shared with every other build.
set -euo pipefail
# A build script runs while building, where no fuzzer is linked.
case " $* " in
    *' --crate-name build_script_build '*) exec "$@" ;;
esac
exec "$@" --cfg fuzzing -C debug-assertions=on -C passes=sancov-module \
    -C llvm-args=-sanitizer-coverage-level=4 \
    -C llvm-args=-sanitizer-coverage-inline-8bit-counters \
    -C llvm-args=-sanitizer-coverage-pc-table \
    -C llvm-args=-sanitizer-coverage-trace-compares
