#!/usr/bin/env bash
# Scans, and leaves the reports and the verdict for the steps that follow. From
# the environment: PATHS and ARGUMENTS with one to a line, FAIL_ON, CONFIG and
# CATEGORY, each of which may be empty.
#
# Ends with 0 whatever was found: a later step fails, once the reports are
# where they belong. Only a mistake in the call fails here.
set -euo pipefail

reports=${RUNNER_TEMP:-/tmp}/weighin-reports
mkdir -p "$reports"
rm -f "$reports"/*

arguments=(scan --color never)
for format in sarif json markdown; do
  arguments+=(--output "$format=$reports/weighin.$format")
done
[ -z "${FAIL_ON:-}" ] || arguments+=(--fail-on "$FAIL_ON")
[ -z "${CONFIG:-}" ] || arguments+=(--config "$CONFIG")
[ -z "${CATEGORY:-}" ] || arguments+=(--sarif-category "$CATEGORY")
while IFS= read -r argument; do
  [ -z "$argument" ] || arguments+=("$argument")
done <<<"${ARGUMENTS:-}"
arguments+=(--)
while IFS= read -r path; do
  [ -z "$path" ] || arguments+=("$path")
done <<<"${PATHS:-.}"

# A file's name can be anything, and must not become a command to the runner.
token=weighin-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$token"
code=0
weighin "${arguments[@]}" || code=$?
echo "::$token::"
if [ ! -s "$reports/weighin.json" ]; then
  exit "$code"
fi

# The summary comes before the files, and its verdict is the first; there is
# none when there were no files.
verdict=$(sed -n 's/^ *"verdict": "\([a-z]*\)",\{0,1\}$/\1/p' "$reports/weighin.json" | head -n 1)
{
  echo "exit-code=$code"
  echo "verdict=${verdict:-incomplete}"
  echo "sarif-file=$reports/weighin.sarif"
  echo "json-file=$reports/weighin.json"
} >>"$GITHUB_OUTPUT"
# A summary of more than a mebibyte is refused whole.
head -c 1000000 "$reports/weighin.markdown" >>"$GITHUB_STEP_SUMMARY"
