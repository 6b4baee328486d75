#!/usr/bin/env bash
# Runs fuzz targets, two at a time, and prints what each reached.
#
#   fuzz/run.sh SECONDS [TARGET...]     all targets when none is named
#
# PROFILE=release makes more of long runs, JOBS says how many at a time. Inputs
# that reach something new stay in fuzz/corpus/, what fails in fuzz/crashes/;
# with any failure the run ends with 1.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?how many seconds for each target}
shift
profile=${PROFILE:-dev}
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}"

# Named together, the two packages have the features that `cargo test` builds,
# and so the same dependencies.
RUSTC_WORKSPACE_WRAPPER="$PWD/fuzz/coverage.sh" \
    cargo build --locked --profile "$profile" --package weighin --package weighin-fuzz --bin weighin-fuzz
program="$CARGO_TARGET_DIR/${profile/#dev/debug}/weighin-fuzz"

one() {
    local target=$1 corpus="fuzz/corpus/$1" seeds=corpus result=ok log executions reached
    case $target in
        rules | yara) seeds=rules ;;
        policy | baseline | digests) seeds=fuzz/seeds ;;
    esac
    mkdir -p "$corpus"
    log=$(mktemp)
    WEIGHIN_FUZZ="$target" "$program" -max_total_time="$seconds" -timeout="${TIMEOUT:-10}" -rss_limit_mb=512 \
        -max_len=16384 -print_final_stats=1 -artifact_prefix="fuzz/crashes/$target-" "$corpus" "$seeds" \
        >"$log" 2>&1 || result=FAILED
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    reached=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1 | cut -d' ' -f2 || true)
    printf '%-24s %12s %10s  %s\n' "$target" "${executions:-?}" "${reached:-?}" "$result"
    [ "$result" = ok ] || tail -n 40 "$log"
    rm -f "$log"
    [ "$result" = ok ]
}
export -f one
export program seconds

mkdir -p fuzz/crashes
printf '%-24s %12s %10s  %s\n' target executions coverage result
if [ $# -gt 0 ]; then printf '%s\n' "$@"; else "$program"; fi |
    xargs -P "${JOBS:-2}" -I '{}' bash -c 'one "$1"' _ '{}'
